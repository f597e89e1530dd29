"""A program that tests start: it is told a line, says a line, and ends with its input."""

import json
import subprocess
import threading


def first_answer(process: subprocess.Popen[str], settings: object, *, seconds: float) -> str:
    """Tells the program its settings, and returns what it says when it is ready.

    Raises:
        RuntimeError: it ended, or was not ready in time.
    """
    too_late = threading.Timer(seconds, process.kill)
    too_late.start()
    try:
        return answer(process, json.dumps(settings))
    finally:
        too_late.cancel()


def answer(process: subprocess.Popen[str], line: str) -> str:
    """Tells the program a line, and returns the line that it says.

    Raises:
        RuntimeError: it has ended.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    said = process.stdout.readline().strip()
    if not said:
        raise RuntimeError(f"{process.args!r} does not run; what it said is on stderr")
    return said


def end(process: subprocess.Popen[str], *, seconds: float) -> None:
    """Ends the program, which a test may have ended before; it has so many seconds for that."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
