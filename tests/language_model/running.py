"""llama.cpp with a small model, as a process from start to end."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.language_model.packages import MODEL_FILE, installed

NAME = "SmolLM2-135M-Instruct"
CONTEXT_TOKENS = 4096
"""What the model reads and writes together here; it was trained for 8192, which costs memory."""

_SERVING = Path(__file__).with_name("serving.py")
_START_SECONDS = 60
_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class RunningModel:
    """A server of OpenAI's interface, and what it takes to ask it."""

    url: str
    process: subprocess.Popen[str]
    model: str = NAME
    context_tokens: int = CONTEXT_TOKENS
    api_key: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """DOME's settings for it."""
        settings = {
            "DOME_LLM_URL": self.url,
            "DOME_LLM_MODEL": self.model,
            "DOME_LLM_CONTEXT_TOKENS": str(self.context_tokens),
        }
        return settings if self.api_key is None else {**settings, "DOME_LLM_API_KEY": self.api_key}


@contextmanager
def running_model(
    *, port: int = 0, context_tokens: int = CONTEXT_TOKENS, api_key: str | None = None
) -> Iterator[RunningModel]:
    """Serves the model until the block ends, or this process does; port 0 is any that is free."""
    folder = installed()
    settings = {
        "name": NAME,
        "model_path": str(folder / MODEL_FILE),
        "port": port,
        "api_keys": [api_key] if api_key else [],
        "context_tokens": context_tokens,
    }
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    process = subprocess.Popen(
        [sys.executable, str(_SERVING)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which ends that one
    )
    with process:
        try:
            address = _started(process, settings)
            yield RunningModel(f"{address}/v1", process, NAME, context_tokens, api_key)
        finally:
            _stop(process)


def _started(process: subprocess.Popen[str], settings: object) -> str:
    """The address that the process says.

    Raises:
        RuntimeError: it ended, or was not ready in time.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    too_late = threading.Timer(_START_SECONDS, process.kill)
    too_late.start()
    try:
        process.stdin.write(f"{json.dumps(settings)}\n")
        process.stdin.flush()
        address = process.stdout.readline().strip()
    finally:
        too_late.cancel()
    if not address:
        raise RuntimeError("llama.cpp does not run; what it said is on stderr")
    return address


def _stop(process: subprocess.Popen[str]) -> None:
    """Ends the process, which a test may have ended before."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
