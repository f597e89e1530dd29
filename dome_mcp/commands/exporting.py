"""`dome-mcp export` and `dome-mcp user export`: what a user has, into a folder."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio.to_thread

from dome_mcp.app import Dome, opened
from dome_mcp.commands.archive_agenda import write_agenda
from dome_mcp.commands.archive_folder import ExportWriter, require_free, writing
from dome_mcp.commands.archive_user import Check, check_export, present_counts, write_user_data
from dome_mcp.commands.output import Output, Progress
from dome_mcp.commands.shell import FAILED, Invocation, described
from dome_mcp.commands.typed import whole_path
from dome_mcp.core.access import owner
from dome_mcp.core.errors import DomeError, NotFound
from dome_mcp.core.model import Note, NoteFilter
from dome_mcp.services.archive import archived
from dome_mcp.services.notes import MAX_PAGE, list_notes
from dome_mcp.services.status import counts
from dome_mcp.services.users import list_users

_ORIGINAL_LOST = NotFound("original", "of this note", "Its text is in the export.")


@dataclass(slots=True)
class _Export:
    """What was written so far, and what of the notes is lost."""

    folder: Path
    notes: int = 0
    tasks: int = 0
    reminders: int = 0
    failures: list[tuple[str, DomeError]] = field(default_factory=list[tuple[str, DomeError]])

    def shape(self) -> dict[str, object]:
        return {
            "folder": str(self.folder),
            "notes": self.notes,
            "tasks": self.tasks,
            "reminders": self.reminders,
            "failed": [
                {"note_id": note_id, **described(error)} for note_id, error in self.failures
            ],
        }

    def report(self, output: Output) -> None:
        output.line(
            f"{self.notes} notes, {self.tasks} tasks and {self.reminders} reminders "
            f"written to {self.folder}."
        )
        for note_id, error in self.failures:
            output.line(f"failed   {note_id}: {error}", "red")


async def export(invocation: Invocation) -> int:
    """Writes everything to a new folder; 1 where something of a note is lost."""
    output, written = invocation.output, _Export(whole_path(invocation.arguments.folder))
    async with opened(invocation.settings()) as dome:
        await _require_free(invocation, written.folder)
        with output.progress() as show, writing(written.folder) as writer:
            await _write_all(dome, writer, written, show=show)
    output.value(written.shape())
    written.report(output)
    return FAILED if written.failures else 0


async def export_user(invocation: Invocation) -> int:
    """Writes all that a user has, reads it back and compares; 1 where something is missing."""
    arguments, output = invocation.arguments, invocation.output
    written = _Export(whole_path(arguments.folder))
    async with opened(invocation.settings()) as opening:
        dome = opening.acting(owner(arguments.user_id))
        await _require_known(dome)
        await _require_free(invocation, written.folder)
        before = await present_counts(dome)
        with output.progress() as show, writing(written.folder) as writer:
            await _write_all(dome, writer, written, show=show)
            await write_user_data(dome, writer, with_secrets=arguments.with_secrets)
        after = await present_counts(dome)
    checks = await anyio.to_thread.run_sync(check_export, written.folder, before, after)
    output.value({"user_id": dome.user_id, **written.shape(), **_verdict(checks)})
    written.report(output)
    for check in checks:
        found = f"{check.found} {check.name} read back, {check.expected} in the database"
        output.line(found if check.is_whole else f"{found}: {check.hint}", check.style)
    if arguments.with_secrets and not output.is_json:
        output.remark("The export holds the secrets of the channels: keep it where you keep keys.")
    is_whole = all(check.is_whole for check in checks) and not written.failures
    return 0 if is_whole else FAILED


def _verdict(checks: list[Check]) -> dict[str, object]:
    return {
        "verified": all(check.is_whole for check in checks),
        "read_back": {check.name: check.found for check in checks},
        "in_database": {check.name: check.expected for check in checks},
    }


async def _require_known(dome: Dome) -> None:
    """Refuses a mistyped name, of whom an empty export would be a misleading answer."""
    everybody = await list_users(dome.ports, now=dome.now())
    known = {each.user.user_id for each in everybody} | {dome.settings.user}
    if dome.user_id not in known:
        raise NotFound("user", dome.user_id[:70], "See `dome-mcp user list` for those there are.")


async def _require_free(invocation: Invocation, folder: Path) -> None:
    replaces: bool = invocation.arguments.force
    await anyio.to_thread.run_sync(lambda: require_free(folder, replaces=replaces))


async def _write_all(dome: Dome, writer: ExportWriter, written: _Export, *, show: Progress) -> None:
    """Writes the user's notes, newest first, and their tasks and reminders."""
    total = (await counts(dome.ports, user_id=dome.user_id)).notes
    async for note in _all_notes(dome):
        try:
            leaving = await archived(note.note_id, dome.ports, user_id=dome.user_id)
        except NotFound as error:
            if error.kind != "note":  # Deleted meanwhile: then it is not to be exported.
                written.failures.append((note.note_id, error))
            continue
        if leaving.has_lost_its_original:
            written.failures.append((note.note_id, _ORIGINAL_LOST))
        await anyio.to_thread.run_sync(writer.add, leaving)
        written.notes += 1
        show("writing notes", written.notes, total)
    written.tasks, written.reminders = await write_agenda(dome, writer)


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
