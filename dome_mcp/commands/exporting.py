"""`dome-mcp export`: notes, tasks and reminders into a folder."""

from collections.abc import AsyncIterator

import anyio.to_thread

from dome_mcp.app import Dome, opened
from dome_mcp.commands.archive_agenda import write_agenda
from dome_mcp.commands.archive_folder import ExportWriter, require_free, writing
from dome_mcp.commands.output import Progress
from dome_mcp.commands.shell import FAILED, Invocation, described
from dome_mcp.commands.typed import whole_path
from dome_mcp.core.errors import DomeError, NotFound
from dome_mcp.core.model import Note, NoteFilter
from dome_mcp.services.archive import archived
from dome_mcp.services.notes import MAX_PAGE, list_notes
from dome_mcp.services.status import counts

_ORIGINAL_LOST = NotFound("original", "of this note", "Its text is in the export.")


async def export(invocation: Invocation) -> int:
    """Writes everything to a new folder; 1 where something of a note is lost."""
    arguments, output = invocation.arguments, invocation.output
    folder = whole_path(arguments.folder)
    failures: list[tuple[str, DomeError]] = []
    async with opened(invocation.settings()) as dome:
        await anyio.to_thread.run_sync(lambda: require_free(folder, replaces=arguments.force))
        with output.progress() as show, writing(folder) as writer:
            written = await _write_all(dome, writer, failures, show=show)
            tasks, reminders = await write_agenda(dome, writer)
    output.value(
        {
            "folder": str(folder),
            "notes": written,
            "tasks": tasks,
            "reminders": reminders,
            "failed": [{"note_id": note_id, **described(error)} for note_id, error in failures],
        }
    )
    output.line(f"{written} notes, {tasks} tasks and {reminders} reminders written to {folder}.")
    for note_id, error in failures:
        output.line(f"failed   {note_id}: {error}", "red")
    return FAILED if failures else 0


async def _write_all(
    dome: Dome, writer: ExportWriter, failures: list[tuple[str, DomeError]], *, show: Progress
) -> int:
    """Writes the user's notes, newest first, and returns how many."""
    total = (await counts(dome.ports, user_id=dome.user_id)).notes
    written = 0
    async for note in _all_notes(dome):
        try:
            leaving = await archived(note.note_id, dome.ports, user_id=dome.user_id)
        except NotFound as error:
            if error.kind != "note":  # Deleted meanwhile: then it is not to be exported.
                failures.append((note.note_id, error))
            continue
        if leaving.has_lost_its_original:
            failures.append((note.note_id, _ORIGINAL_LOST))
        await anyio.to_thread.run_sync(writer.add, leaving)
        written += 1
        show("writing notes", written, total)
    return written


async def _all_notes(dome: Dome) -> AsyncIterator[Note]:
    cursor: str | None = None
    while True:
        page = await list_notes(
            NoteFilter(), dome.ports, user_id=dome.user_id, limit=MAX_PAGE, cursor=cursor
        )
        for note in page.notes:
            yield note
        cursor = page.next_cursor
        if cursor is None:
            return
