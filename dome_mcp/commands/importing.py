"""`dome-mcp import`: an export comes back as it was; any other folder is ingested."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio.to_thread

from dome_mcp.app import Dome, opened
from dome_mcp.commands.archive_agenda import restore_agenda
from dome_mcp.commands.archive_folder import is_export, read_records
from dome_mcp.commands.indexing import index_state, wait_for_vectors
from dome_mcp.commands.ingest import allowing
from dome_mcp.commands.output import Progress
from dome_mcp.commands.reading import read_files
from dome_mcp.commands.shell import Invocation
from dome_mcp.commands.tally import Tally, report
from dome_mcp.commands.typed import labels_of, whole_path
from dome_mcp.core.errors import (
    BackendUnavailable,
    Conflict,
    DomeError,
    InvalidInput,
    NotFound,
    QuotaExhausted,
)
from dome_mcp.services.archive import ArchivedNote, restore

_BATCH_NOTES = 100
_BATCH_BYTES = 32_000_000
_TAKEN = Conflict("Another user of this database has a note with this id.")


async def restore_folder(invocation: Invocation) -> int:
    """Restores an export, or stores a folder of Markdown; 1 where some failed."""
    arguments = invocation.arguments
    folder = whole_path(arguments.folder)
    if not folder.is_dir():
        raise NotFound("folder", str(folder), "Name the folder that `dome-mcp export` wrote.")
    if is_export(folder) and (arguments.tags or arguments.context):
        raise InvalidInput("An export has its own labels.", "Leave --tag and --context out.")
    settings = allowing(invocation.settings(), [str(folder)])
    tally = Tally()
    async with opened(settings) as dome:
        with invocation.output.progress() as show:
            if is_export(folder):
                await _restore_all(dome, folder, tally, show=show)
                await restore_agenda(dome, folder, tally)
            else:
                labels = labels_of(arguments)
                await read_files(dome, [str(folder)], labels, tally=tally, show=show)
            waits = not arguments.no_wait
            index = await (wait_for_vectors(dome, show) if waits else index_state(dome))
    return report(tally, index, invocation.output)


async def _restore_all(dome: Dome, folder: Path, tally: Tally, *, show: Progress) -> None:
    batches = _batches(read_records(folder), tally)
    done = 0
    while batch := await anyio.to_thread.run_sync(next, batches, None):
        try:
            await _restore(dome, batch, tally)
        except (BackendUnavailable, QuotaExhausted):
            raise
        except DomeError:
            await _restore_singly(dome, batch, tally)
        done += len(batch)
        show("restoring notes", done, None)


def _batches(
    records: Iterator[tuple[str, ArchivedNote | DomeError]], tally: Tally
) -> Iterator[list[ArchivedNote]]:
    """The notes, few enough at a time to be held in memory; what cannot be read has failed."""
    batch: list[ArchivedNote] = []
    size = 0
    for place, found in records:
        if isinstance(found, DomeError):
            tally.fail(place, found)
            continue
        batch.append(found)
        size += found.note.characters + (len(found.original.data) if found.original else 0)
        if len(batch) == _BATCH_NOTES or size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


async def _restore_singly(dome: Dome, batch: Sequence[ArchivedNote], tally: Tally) -> None:
    for archived in batch:
        try:
            await _restore(dome, [archived], tally)
        except (BackendUnavailable, QuotaExhausted):
            raise
        except DomeError as error:
            tally.fail(archived.note.note_id, error)


async def _restore(dome: Dome, batch: Sequence[ArchivedNote], tally: Tally) -> None:
    outcomes = await restore(batch, dome.ports, user_id=dome.user_id)
    for archived, outcome in zip(batch, outcomes, strict=True):
        note_id = archived.note.note_id
        if outcome == "taken":
            tally.fail(note_id, _TAKEN)
        else:
            tally.count(note_id, note_id, "stored" if outcome == "restored" else "unchanged")
