"""An export on disk: its layout, and that it is there whole or not at all.

    export.json        says that this is an export, and its version
    notes.jsonl        a line for each note, with all that is needed to restore it
    notes/*.md         the same notes to be read, a file each
    originals/*        the files that notes were made of, byte for byte
    tasks.jsonl        a line for each task, where there are any
    reminders.jsonl    a line for each reminder, where there are any

An export of a user has also, to be read and not to be restored:

    history.jsonl      a line for each firing and each delivery
    channels.jsonl     a line for each channel
    tokens.jsonl       a line for each token, without what would let anybody in
    audit.jsonl        a line for each of their entries in the audit log
    sessions.jsonl     a line for each question to the notes with its answer, by session

It is written beside its place, as `NAME.partial`, and renamed when it is complete.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TextIO, cast

from dome_mcp.commands.front_matter import file_name, to_markdown
from dome_mcp.core.errors import BackendRejected, DomeError, InvalidInput, QuotaExhausted
from dome_mcp.core.identifiers import content_hash
from dome_mcp.core.model import Original
from dome_mcp.services.archive import ArchivedNote, from_record, to_record

MARKER = "export.json"
RECORDS = "notes.jsonl"
TASKS = "tasks.jsonl"
REMINDERS = "reminders.jsonl"
HISTORY = "history.jsonl"
CHANNELS = "channels.jsonl"
TOKENS = "tokens.jsonl"
AUDIT = "audit.jsonl"
SESSIONS = "sessions.jsonl"
_NOTES = "notes"
_ORIGINALS = "originals"
_FORMAT = {"format": "dome-export", "version": 1}
_ORIGINAL = re.compile(rf"{_ORIGINALS}/[A-Za-z0-9][A-Za-z0-9._-]*")
_BACKEND = "export"
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


def require_free(folder: Path, *, replaces: bool) -> None:
    """Sees to it that an export may be written to this place.

    Raises:
        InvalidInput: something is there, other than an older export that may be replaced.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not is_export(folder):
        raise InvalidInput(f"{folder} holds something else.", "Name a new or empty folder.")
    if not replaces:
        raise InvalidInput(f"{folder} holds an export already.", "Add --force to replace it.")


def is_export(folder: Path) -> bool:
    return (folder / MARKER).is_file()


class ExportWriter:
    """Writes notes into the folder that is not yet in its place."""

    def __init__(self, folder: Path, records: TextIO) -> None:
        self._folder = folder
        self._records = records

    def add(self, archived: ArchivedNote) -> None:
        """Writes a note and its original.

        Raises:
            QuotaExhausted, BackendRejected: the disk is full, or refuses.
        """
        with _translated():
            original = self._write_original(archived)
            record = {**to_record(archived), **original}
            self._records.write(json.dumps(record, ensure_ascii=False) + "\n")
            path = cast("str | None", original["original"])
            text = to_markdown(archived.note, original=path)
            target = self._folder / _NOTES / file_name(archived.note)
            target.write_text(text, encoding="utf-8", newline="\n")

    def add_lines(self, name: str, records: Sequence[Mapping[str, object]]) -> None:
        """Appends a line for each record to a file of the export.

        Raises:
            QuotaExhausted, BackendRejected: the disk is full, or refuses.
        """
        with (
            _translated(),
            open(
                self._folder / name, "a", encoding="utf-8", newline="\n", opener=_for_owner
            ) as file,
        ):
            file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
            file.flush()
            os.fsync(file.fileno())

    def _write_original(self, archived: ArchivedNote) -> dict[str, object]:
        if archived.original is None:
            return {"original": None, "original_sha256": None}
        suffix = PurePosixPath(archived.original.filename).suffix
        path = f"{_ORIGINALS}/{archived.note.note_id}{suffix}"
        (self._folder / path).write_bytes(archived.original.data)
        return {"original": path, "original_sha256": content_hash(archived.original.data)}


def _for_owner(path: str, flags: int) -> int:
    """Opens a file that others may not read wherever the export is copied to."""
    return os.open(path, flags, 0o600)


@contextmanager
def writing(folder: Path) -> Iterator[ExportWriter]:
    """A writer whose notes are in `folder` when the block ends, and nowhere when it fails.

    Raises:
        QuotaExhausted, BackendRejected: the disk is full, or refuses.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    with _translated():
        if is_export(partial):
            shutil.rmtree(partial)  # A run that was cut off left it.
        partial.mkdir(mode=0o700, parents=True)
        (partial / MARKER).write_text(json.dumps(_FORMAT) + "\n", encoding="utf-8", newline="\n")
        for name in (_NOTES, _ORIGINALS):
            (partial / name).mkdir()
    try:
        with open(partial / RECORDS, "w", encoding="utf-8", newline="\n") as records:
            yield ExportWriter(partial, records)
            records.flush()
            os.fsync(records.fileno())
        with _translated():
            _put_in_place(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def read_records(folder: Path) -> Iterator[tuple[str, ArchivedNote | DomeError]]:
    """Each line of an export as (place, note), or as (place, what is wrong with it).

    Raises:
        InvalidInput: an export of a later version.
    """
    marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    if not isinstance(marker, dict) or cast("dict[str, object]", marker) != _FORMAT:
        raise InvalidInput("This export is of another version.", "Update DOME, then try again.")
    with open(folder / RECORDS, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield f"{RECORDS} line {number}", _archived(folder, line)
            except DomeError as error:
                yield f"{RECORDS} line {number}", error


def read_lines(folder: Path, name: str) -> Iterator[tuple[str, Mapping[str, object] | DomeError]]:
    """Each line of a file of an export as (place, object), or (place, what is wrong with it).

    Nothing where the export has no such file.
    """
    if not (folder / name).is_file():
        return
    with open(folder / name, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield f"{name} line {number}", _object(line)
            except DomeError as error:
                yield f"{name} line {number}", error


def _archived(folder: Path, line: str) -> ArchivedNote:
    fields = _object(line)
    return from_record(fields, _read_original(folder, fields))


def _object(line: str) -> Mapping[str, object]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise InvalidInput("The line is not JSON.", "Take the file as it was exported.") from error
    if not isinstance(record, dict):
        raise InvalidInput("The line is no object.", "Take the file as it was exported.")
    return cast("Mapping[str, object]", record)


def _read_original(folder: Path, fields: Mapping[str, object]) -> Original | None:
    name = fields.get("original")
    if name is None:
        return None
    path = folder / str(name)
    # An export may come from anybody: it must not make us read a file outside of it.
    if not _ORIGINAL.fullmatch(str(name)) or path.is_symlink():
        raise InvalidInput("The original is not a file of the export.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{name} cannot be read: {error.strerror}.") from error
    if content_hash(data) != fields.get("original_sha256"):
        raise InvalidInput(f"{name} is not as it was exported.", "Take it from the original.")
    return Original(data, path.name)


def _put_in_place(partial: Path, folder: Path) -> None:
    if not folder.exists():
        partial.rename(folder)
        return
    if not is_export(folder):
        folder.rmdir()  # Empty, or this fails.
        partial.rename(folder)
        return
    old = folder.with_name(f"{folder.name}.old")
    folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise QuotaExhausted(
                _BACKEND, "write", "The disk is full.", "Free some disk space, then try again."
            ) from error
        raise BackendRejected(
            _BACKEND, "write", f"The export cannot be written: {error.strerror}."
        ) from error
