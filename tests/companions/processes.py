"""Companions as processes: which run on a database, and how they are brought to an end."""

import os
import signal
from pathlib import Path

from dome_mcp.core.ports import Database, Statement
from tests.companions.conftest import until

ELSEWHERE = "elsewhere"
"""The name of a companion that a test makes up."""

_PIDS = "SELECT details ->> 'pid' AS pid FROM heartbeats WHERE name <> 'elsewhere'"


async def pids(database: Database) -> list[int]:
    """The processes whose heart beats."""
    return [int(str(row["pid"])) for row in await database.query(Statement(_PIDS))]


async def end_all(database: Database) -> None:
    """Has every companion on the database end in good order, and waits for it."""
    for pid in await pids(database):
        if not is_over(pid):
            os.kill(pid, signal.SIGTERM)
        await wait_for_end(pid)


async def wait_for_end(pid: int) -> None:
    async def has_ended() -> bool:
        return is_over(pid)

    await until(has_ended)


def is_over(pid: int) -> bool:
    """Whether a process has ended; a zombie has, and whoever adopted it will see to it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"
