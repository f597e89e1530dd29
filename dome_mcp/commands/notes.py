"""`dome-mcp notes`: list, show, edit and delete."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import anyio.to_thread

from dome_mcp.app import Dome, opened
from dome_mcp.commands.indexing import index_state
from dome_mcp.commands.shapes import note_shape
from dome_mcp.commands.shell import FAILED, Invocation, described
from dome_mcp.commands.typed import decoded, filter_of, read_text
from dome_mcp.core.errors import DomeError, InvalidInput
from dome_mcp.core.model import Note, NoteChanges
from dome_mcp.core.timestamps import local_iso
from dome_mcp.services import notes as service
from dome_mcp.texts import update_note


async def list_notes(invocation: Invocation) -> int:
    """Prints a page of notes, newest first."""
    arguments, output, settings = invocation.arguments, invocation.output, invocation.settings()
    zone = settings.timezone
    async with opened(settings) as dome:
        page = await service.list_notes(
            filter_of(arguments, zone),
            dome.ports,
            user_id=dome.user_id,
            limit=arguments.limit,
            cursor=arguments.cursor,
        )
    notes = [note_shape(note, zone) for note in page.notes]
    for shape in notes:
        shape.pop("text", None)  # A listing has the short texts at hand, and no use for them.
    output.value({"notes": notes, "next_cursor": page.next_cursor})
    output.table(
        ("id", "created", "title", "tags", "context"),
        [
            (
                note.note_id,
                f"{note.created_at.astimezone(zone):%Y-%m-%d %H:%M}",
                note.title,
                " ".join(note.tags),
                note.context or "",
            )
            for note in page.notes
        ],
    )
    if page.next_cursor and not output.is_json:
        output.remark(f"More with --cursor {page.next_cursor}")
    return 0


async def show(invocation: Invocation) -> int:
    """Prints a note with its whole text."""
    settings = invocation.settings()
    async with opened(settings) as dome:
        note = await service.get_note(
            invocation.arguments.note_id, dome.ports, user_id=dome.user_id
        )
    output, zone = invocation.output, settings.timezone
    output.value(note_shape(note, zone))
    output.line(note.title, "bold")
    output.line(f"id: {note.note_id}, revision {note.revision}", "dim")
    output.line(f"created: {local_iso(note.created_at, zone)}", "dim")
    for label, value in (
        ("tags", ", ".join(note.tags)),
        ("context", note.context),
        ("source", note.source),
        ("index", f"{note.pending} of {note.chunks} chunks pending" if note.pending else None),
    ):
        if value:
            output.line(f"{label}: {value}", "dim")
    output.line()
    output.line(note.text or "")
    return 0


async def edit(invocation: Invocation) -> int:
    """Changes a note by the options, or its text in the user's editor where there are none."""
    arguments = invocation.arguments
    settings = invocation.settings()
    async with opened(settings) as dome:
        before = await service.get_note(arguments.note_id, dome.ports, user_id=dome.user_id)
        changes = NoteChanges(
            title=arguments.title,
            tags=None if arguments.tags is None else tuple(arguments.tags),
            context=arguments.context,
        )
        text: str | None = None
        if arguments.file:
            text = await read_text(arguments.file)
        elif changes == NoteChanges():
            editor = _editor(invocation)
            text = await anyio.to_thread.run_sync(_edited, before.text or "", editor)
        if text is not None and text == before.text:
            text = None
        note = await update_note(
            dome, before.note_id, text=text, changes=changes, revision=before.revision
        )
        index = await index_state(dome)
    shown = note_shape(note, settings.timezone)
    shown.pop("text", None)
    invocation.output.value({"note": shown, "changed": note.revision != before.revision})
    unchanged = note.revision == before.revision
    invocation.output.line("Nothing changed." if unchanged else f"Changed {note.note_id}.")
    if index.note and not unchanged:
        invocation.output.line(index.note, "yellow")
    return 0


async def delete(invocation: Invocation) -> int:
    """Deletes notes for good; asks first on a terminal, and without one wants `--yes`."""
    arguments = invocation.arguments
    async with opened(invocation.settings()) as dome:
        notes = [
            await service.stored_note(note_id, dome.ports, user_id=dome.user_id)
            for note_id in dict.fromkeys(arguments.note_ids)
        ]
        if not arguments.yes and not _confirmed(invocation, notes):
            invocation.output.remark("Nothing was deleted.")
            return FAILED
        return await _delete(invocation, dome, notes)


async def _delete(invocation: Invocation, dome: Dome, notes: list[Note]) -> int:
    deleted: list[str] = []
    failures: list[dict[str, object]] = []
    for note in notes:
        try:
            await service.delete_note(
                note.note_id, dome.ports, user_id=dome.user_id, now=dome.now()
            )
        except DomeError as error:
            failures.append({"note_id": note.note_id, **described(error)})
            invocation.output.remark(f"failed   {note.note_id}: {error}")
        else:
            deleted.append(note.note_id)
            invocation.output.line(f"Deleted {note.note_id}: {note.title}")
    invocation.output.value({"deleted": deleted, "failed": failures})
    return FAILED if failures else 0


def _confirmed(invocation: Invocation, notes: list[Note]) -> bool:
    titles = "\n".join(f"  {note.note_id}  {note.title}" for note in notes)
    answer = invocation.output.confirms(f"{titles}\nDelete for good?")
    if answer is None:
        raise InvalidInput("There is nobody to ask whether to delete.", "Add --yes to delete.")
    return answer


def _editor(invocation: Invocation) -> list[str]:
    variables = invocation.variables
    command = variables.get("VISUAL") or variables.get("EDITOR")
    if not command:
        raise InvalidInput(
            "Nothing to change is given, and EDITOR names no editor.",
            "Send --title, --tag, --context or --file, or set EDITOR.",
        )
    return shlex.split(command, posix=os.name != "nt")


def _edited(text: str, editor: list[str]) -> str:
    """The text as the user leaves it in the editor."""
    descriptor, name = tempfile.mkstemp(prefix="dome-", suffix=".md")
    path = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        try:
            ended = subprocess.run([*editor, name], check=False)  # noqa: S603  the user's own editor
        except OSError as error:
            raise InvalidInput(f"The editor {editor[0]!r} cannot be started.") from error
        if ended.returncode:
            raise InvalidInput("The editor failed; nothing was changed.")
        return decoded(path.read_bytes())
    finally:
        path.unlink(missing_ok=True)
