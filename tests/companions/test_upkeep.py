"""The log of a process that runs for months."""

import os
from pathlib import Path

from worker_companions.upkeep import cap_log, identity


def open_log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def test_a_log_that_is_too_long_keeps_its_last_lines_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "companion.log"
    log = open_log(path)
    os.write(log, b"".join(b"line %d\n" % number for number in range(1000)))
    cap_log(path, log, limit_bytes=2000)
    os.write(log, b"next\n")
    os.close(log)
    lines = path.read_text().splitlines()
    assert lines[-2:] == ["line 999", "next"]
    assert all(line.startswith("line ") for line in lines[:-1])
    assert path.stat().st_size <= 1010


def test_a_short_log_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "companion.log"
    log = open_log(path)
    os.write(log, b"one\ntwo\n")
    cap_log(path, log, limit_bytes=2000)
    os.close(log)
    assert path.read_text() == "one\ntwo\n"


def test_a_log_that_somebody_else_writes_is_left_alone(tmp_path: Path) -> None:
    path, other = tmp_path / "companion.log", tmp_path / "elsewhere"
    path.write_text("x\n" * 5000)
    log = open_log(other)
    cap_log(path, log, limit_bytes=2000)
    cap_log(tmp_path / "missing", log, limit_bytes=2000)
    os.close(log)
    assert path.stat().st_size == 10_000


def test_another_file_of_the_same_name_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "dome.db"
    assert identity(path) is None
    path.write_text("one")
    first = identity(path)
    assert first == identity(path) is not None
    (tmp_path / "new").write_text("two")
    (tmp_path / "new").replace(path)
    assert identity(path) != first
