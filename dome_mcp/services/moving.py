"""All that a user has, from one DOME to another: local to Cloudflare, or back.

How it is safe to cut off anywhere and to repeat:

- The target itself says how far it is: what it has is compared before anything is sent, so a
  move that died goes on where it was, and one that is done does nothing.
- The bytes of a note are there before its row; its row, tags, chunks, words and vectors come in
  one transaction. A note that the target has older is replaced in one.
- Nothing is deleted: what only the target has stays. Of two states of one thing the newer stays.
- Both sides can be read again and compared, whole note by whole note (moving_check.py).

Rows are sent many at a time, because a remote database counts requests: about 250 notes in one.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dome_mcp.core.errors import BackendRejected, NotFound
from dome_mcp.core.identifiers import content_hash, user_prefix
from dome_mcp.core.ports import Database, Ports, Statement
from dome_mcp.services.moving_progress import (
    AtOnce,
    Move,
    Show,
    Step,
    VectorReader,
    one_by_one,
    show_nothing,
)
from dome_mcp.services.moving_rows import move_rows
from dome_mcp.store import meta, moving_notes
from dome_mcp.store.moving_notes import Entry, WholeNote
from dome_mcp.store.moving_rows import TABLES

NOTES = "notes"
FILES = "files"

_PAGE = 2_000
_GROUP_CHARACTERS = 500_000
_VECTORS_AT_ONCE = 500
"""1.4 MB as D1 gives them, at 1,024 dimensions; those of a group of short notes come at once."""
_GROUPS_BEFORE_SETTLING = 10


@dataclass(frozen=True, slots=True)
class Sides:
    """Where from, where to, and whose; `vectors` reads those of the source, where it can."""

    source: Ports
    target: Ports
    user_id: str
    vectors: VectorReader | None = None
    at_once: AtOnce = one_by_one
    show: Show = show_nothing
    notes_at_once: int = 250
    """How many notes one request carries at most."""


async def move_user(sides: Sides) -> dict[str, Move]:
    """Moves the user's data and says what became of it, by kind.

    Raises:
        BackendError: it is not finished; what was moved stays, and the next call goes on.
    """
    moves = {NOTES: Move(), FILES: Move()}
    await _move_notes(sides, moves)
    for done, table in enumerate(TABLES):
        sides.show("moving tasks and reminders", done, len(TABLES))
        source, target = sides.source.database, sides.target.database
        moves[table] = await move_rows(table, source, target, user_id=sides.user_id)
    await _settle(sides.target)
    return moves


@dataclass(frozen=True, slots=True)
class Standing:
    """What the target has of a page of notes."""

    changed: Mapping[str, tuple[int, int]]
    """When each of the ids that are there was changed, and its revision."""
    twins: Mapping[tuple[str, str], str]
    """The ids by context and content hash."""

    def has_twin(self, entry: Entry) -> bool:
        """Whether the target has the content under another id."""
        return self.twins.get((entry.context, entry.content_hash), entry.note_id) != entry.note_id

    def leaves(self, entry: Entry) -> bool:
        """Whether the target's state is newer, or its own, so that it is not to be compared."""
        return self.has_twin(entry) or self.changed.get(entry.note_id, (0, 0)) > _changed(entry)


def _changed(entry: Entry) -> tuple[int, int]:
    return entry.updated_at_ms, entry.revision


async def _move_notes(sides: Sides, moves: Mapping[str, Move]) -> None:
    move = moves[NOTES]
    there: set[str] | None = None
    groups = done = 0
    async for page in note_pages(sides):
        standing = await standing_of(page, sides)
        wanted = _wanted(page, standing, move)
        if wanted and there is None:
            there = set(await sides.target.blobs.keys(user_prefix(sides.user_id)))
        for group in note_groups(wanted, limit=sides.notes_at_once):
            move.moved += await _move_group(
                group, standing, sides, moves[FILES], there=there or set()
            )
            groups += 1
            if groups % _GROUPS_BEFORE_SETTLING == 0 and sides.target.vectors is not None:
                await sides.target.vectors.settle()
            sides.show("moving notes", done + len(group), None)
        done += len(page)
        sides.show("moving notes", done, None)


def _wanted(page: Sequence[Entry], standing: Standing, move: Move) -> list[Entry]:
    """The notes of a page that have to be sent; the others are counted."""
    wanted: list[Entry] = []
    for entry in page:
        changed = standing.changed.get(entry.note_id)
        if standing.has_twin(entry):
            move.twins += 1
        elif changed is None or changed < _changed(entry):
            wanted.append(entry)
        elif changed > _changed(entry):
            move.kept += 1
        else:
            move.unchanged += 1
    return wanted


async def _move_group(
    group: Sequence[Entry], standing: Standing, sides: Sides, files: Move, *, there: set[str]
) -> int:
    """Sends notes in one transaction and returns how many; `there` are the target's files."""
    notes = await read_notes(sides.source.database, group, user_id=sides.user_id)
    keys = [key for note in notes for key in note.blob_keys]
    missing = [key for key in dict.fromkeys(keys) if key not in there]
    await sides.at_once([_copying(key, sides, files) for key in missing])
    files.unchanged += len(keys) - len(missing)
    there.update(missing)
    statements = await _statements(notes, standing, sides)
    try:
        await sides.target.database.batch(statements)
    except BackendRejected:
        standing = await standing_of(group, sides)
        left = [each for each in group if not standing.leaves(each)]
        if len(left) == len(group):
            raise
        # Somebody stored one of them on the target between the look and the write.
        return await _move_group(left, standing, sides, files, there=there) if left else 0
    return len(notes)


def _copying(key: str, sides: Sides, files: Move) -> Step:
    async def copy() -> None:
        try:
            data = await sides.source.blobs.get(key)
        except NotFound:
            files.lost.append(key)
            return
        if content_hash(data) != key.rpartition("/")[2].partition(".")[0]:
            files.lost.append(key)
            return
        await sides.target.blobs.put(key, data)
        files.moved += 1

    return copy


async def _statements(
    notes: Sequence[WholeNote], standing: Standing, sides: Sides
) -> list[Statement]:
    """What puts the notes in place of those with their ids, and their vectors where they fit."""
    replaced = [note.note_id for note in notes if note.note_id in standing.changed]
    statements: list[Statement] = []
    if replaced:
        if sides.target.vectors is not None:
            find = moving_notes.chunk_ids_of(sides.user_id, replaced)
            rows = await sides.target.database.query(find)
            statements += sides.target.vectors.unstage([str(row["chunk_id"]) for row in rows])
        statements += moving_notes.remove_notes(sides.user_id, replaced)
    statements += moving_notes.put_notes(sides.user_id, notes)
    return statements + await _vectors(notes, sides)


async def _vectors(notes: Sequence[WholeNote], sides: Sides) -> list[Statement]:
    """The statements that take the vectors over; none where the models differ."""
    index, reader = sides.target.vectors, sides.vectors
    if index is None or reader is None or reader.model != index.model:
        return []
    embedded = [
        chunk_id
        for note in notes
        for chunk_id, model in note.embedded.items()
        if model == reader.model
    ]
    statements: list[Statement] = []
    for start in range(0, len(embedded), _VECTORS_AT_ONCE):
        entries = await reader.read(embedded[start : start + _VECTORS_AT_ONCE])
        if entries:
            ids = [entry.chunk_id for entry in entries]
            statements += index.stage(entries)
            statements.append(moving_notes.mark_embedded(sides.user_id, ids, model=index.model))
    if statements:
        statements.append(meta.set_fact_once(meta.EMBEDDING_MODEL, index.model))
    return statements


async def _settle(target: Ports) -> None:
    """Has the index take in what is staged, as far as it does at once."""
    if target.vectors is None:
        return
    left = await target.vectors.settle()
    while left and (now := await target.vectors.settle()) < left:
        left = now


async def note_pages(sides: Sides) -> AsyncIterator[list[Entry]]:
    """The source's notes, in the order of their ids."""
    after = ""
    while True:
        statement = moving_notes.manifest(sides.user_id, after=after, limit=_PAGE)
        rows = await sides.source.database.query(statement)
        if rows:
            yield [moving_notes.to_entry(row) for row in rows]
            after = str(rows[-1]["note_id"])
        if len(rows) < _PAGE:
            return


async def standing_of(page: Sequence[Entry], sides: Sides) -> Standing:
    contents = [(entry.context, entry.content_hash) for entry in page]
    ids, twins = await sides.target.database.batch(
        [
            moving_notes.same_ids(sides.user_id, [entry.note_id for entry in page]),
            moving_notes.same_contents(sides.user_id, contents),
        ]
    )
    return Standing(
        dict(map(moving_notes.to_changed, ids)),
        {(str(row["context"]), str(row["content_hash"])): str(row["note_id"]) for row in twins},
    )


async def read_notes(
    database: Database, group: Sequence[Entry], *, user_id: str
) -> list[WholeNote]:
    ids = [entry.note_id for entry in group]
    rows, chunks = await database.batch(moving_notes.whole_notes(user_id, ids))
    return moving_notes.to_whole_notes(rows, chunks)


def note_groups(entries: Sequence[Entry], *, limit: int) -> Iterator[list[Entry]]:
    """The notes, few enough at a time for one request."""
    group: list[Entry] = []
    characters = 0
    for entry in entries:
        is_full = len(group) == limit or characters + entry.characters > _GROUP_CHARACTERS
        if group and is_full:
            yield group
            group, characters = [], 0
        group.append(entry)
        characters += entry.characters
    if group:
        yield group
