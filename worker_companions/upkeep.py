"""What a process that runs for months sees to: old rows, the log it writes, and its file."""

import logging
import os
from datetime import datetime
from pathlib import Path

from dome_mcp.core.ports import Database
from dome_mcp.services import housekeeping
from worker_companions.health import Health

ASK_SECONDS = 3600.0
"""So often a companion asks whether the house is to be kept, which is a row to read."""

_LOG_BYTES = 1_000_000
_KEPT_BYTES = 250_000

_log = logging.getLogger(__name__)


async def keep_house(database: Database, health: Health, *, now: datetime) -> None:
    """Forgets what is past its time where nobody did today; what failed is told in the heartbeat.

    Raises:
        BackendError: the database failed.
    """
    kept = await housekeeping.keep_house(database, now=now)
    for failure in kept.failures if kept else ():
        _log.warning("%s", failure)
        health.note_error(failure, now=now)


def identity(file: Path | int) -> tuple[int, int] | None:
    """Which file a path or a descriptor stands for; None where there is none."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def cap_log(log: Path, descriptor: int, *, limit_bytes: int = _LOG_BYTES) -> None:
    """Shortens the log to its last lines, once it is too long and where `descriptor` writes it.

    Who writes to it has opened it to append, so what comes next stands behind what is kept.
    """
    if identity(log) is None or identity(log) != identity(descriptor):
        return
    size = log.stat().st_size
    if size <= limit_bytes:
        return
    with log.open("rb") as file:
        file.seek(size - min(_KEPT_BYTES, limit_bytes // 2))
        _, _, kept = file.read().partition(b"\n")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, kept)
