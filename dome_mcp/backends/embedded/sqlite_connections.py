"""Connections to the embedded database: how they are made, and how they wait for a lock."""

import itertools
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio.from_thread
import apsw

from dome_mcp.backends.embedded.sqlite_errors import BACKEND, BAD_PATH
from dome_mcp.core.errors import BackendRejected

WAIT_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005)
"""Sleeps between tries for a lock. Short to the end: a batch holds the lock for a millisecond or
two, and whoever sleeps much longer loses its turn to those who just had one."""

_MAX_PARAMS = 100
_CACHED_STATEMENTS = 256

_PRAGMAS = """
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -2000;
PRAGMA wal_autocheckpoint = 1000;
PRAGMA journal_size_limit = 16777216;
"""


def create(path: Path) -> None:
    """Makes an empty file for its owner only. The file is not touched where it is there already:
    to open and close it would drop the locks that this process holds on it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def connect(path: Path | str, *, busy_seconds: float) -> apsw.Connection:
    """A connection to the file `path`, or to the database in memory that a str names.

    A thread that waits for a lock gives up after `busy_seconds`, or when its caller is cancelled.
    """
    is_file = isinstance(path, Path)
    connection = apsw.Connection(
        str(path),
        vfs=None if is_file else "memdb",
        statementcachesize=_CACHED_STATEMENTS,
    )
    wait = _busy_handler(busy_seconds)
    connection.set_busy_handler(wait)
    connection.limit(apsw.SQLITE_LIMIT_VARIABLE_NUMBER, _MAX_PARAMS)
    if is_file:
        _use_wal(connection, wait)
    connection.execute(_PRAGMAS)
    return connection


def _use_wal(connection: apsw.Connection, wait: Callable[[int], bool]) -> None:
    for tries in itertools.count():
        try:
            mode = connection.pragma("journal_mode", "wal")
        except apsw.BusyError:  # SQLite itself does not call the busy handler for this switch
            if not wait(tries):
                raise
            continue
        if mode != "wal":
            raise BackendRejected(BACKEND, "open", "The file cannot be shared here.", BAD_PATH)
        return


def _busy_handler(busy_seconds: float) -> Callable[[int], bool]:
    deadline = 0.0

    def wait(tries: int) -> bool:
        nonlocal deadline
        anyio.from_thread.check_cancelled()
        now = time.monotonic()
        if tries == 0:
            deadline = now + busy_seconds
        time.sleep(WAIT_SECONDS[min(tries, len(WAIT_SECONDS) - 1)])
        return now < deadline

    return wait
