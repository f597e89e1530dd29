"""Tasks and reminders into an export, and back out of one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from dome_mcp.app import Dome
from dome_mcp.commands.archive_folder import REMINDERS, TASKS, ExportWriter, read_lines
from dome_mcp.commands.tally import Tally
from dome_mcp.core.agenda import Reminder, Task
from dome_mcp.core.errors import BackendUnavailable, Conflict, DomeError, QuotaExhausted
from dome_mcp.services.agenda_archive import (
    Outcome,
    all_reminders,
    all_tasks,
    restore_reminder,
    restore_task,
    to_record,
    to_reminder,
    to_task,
)

_BATCH = 500
_TAKEN = Conflict("Another user of this database has something with this id.")

Item = TypeVar("Item", Task, Reminder)


async def write_agenda(dome: Dome, writer: ExportWriter) -> tuple[int, int]:
    """Writes the user's tasks and reminders, and returns how many of each."""
    tasks = _recorded(all_tasks(dome.ports, user_id=dome.user_id))
    reminders = _recorded(all_reminders(dome.ports, user_id=dome.user_id))
    return (
        await write_records(tasks, writer, name=TASKS),
        await write_records(reminders, writer, name=REMINDERS),
    )


async def restore_agenda(dome: Dome, folder: Path, tally: Tally) -> None:
    """Restores the tasks and reminders of an export; what is there is left as it is.

    Raises:
        BackendUnavailable, QuotaExhausted: nothing more can be stored now.
    """
    tally.tasks = await _restore(dome, folder, TASKS, tally, read=to_task, store=restore_task)
    tally.reminders = await _restore(
        dome, folder, REMINDERS, tally, read=to_reminder, store=restore_reminder
    )


async def write_records(
    records: AsyncIterator[Mapping[str, object]], writer: ExportWriter, *, name: str
) -> int:
    """Writes a line for each record to a file of the export and returns how many."""
    written = 0
    batch: list[Mapping[str, object]] = []
    async for record in records:
        batch.append(record)
        if len(batch) == _BATCH:
            await anyio.to_thread.run_sync(writer.add_lines, name, batch)
            written, batch = written + len(batch), []
    if batch:
        await anyio.to_thread.run_sync(writer.add_lines, name, batch)
    return written + len(batch)


async def _recorded(items: AsyncIterator[Item]) -> AsyncIterator[Mapping[str, object]]:
    async for item in items:
        yield to_record(item)


async def _restore(
    dome: Dome,
    folder: Path,
    name: str,
    tally: Tally,
    *,
    read: Callable[..., Item],
    store: Callable[..., Awaitable[Outcome]],
) -> int:
    """How many of a file's records were stored; those that failed are in the tally."""
    restored = 0
    lines = read_lines(folder, name)
    while line := await anyio.to_thread.run_sync(next, lines, None):
        place, found = line
        try:
            if isinstance(found, DomeError):
                raise found
            outcome = await store(read(found, user_id=dome.user_id), dome.ports)
        except (BackendUnavailable, QuotaExhausted):
            raise
        except DomeError as error:
            tally.fail(place, error)
            continue
        if outcome == "taken":
            tally.fail(place, _TAKEN)
        restored += outcome == "restored"
    return restored
