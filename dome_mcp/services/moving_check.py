"""Whether a move has brought everything: both sides are read again and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dome_mcp.core.identifiers import content_hash, user_prefix
from dome_mcp.services.moving import (
    FILES,
    NOTES,
    Sides,
    note_groups,
    note_pages,
    read_notes,
    standing_of,
)
from dome_mcp.services.moving_rows import differing_rows
from dome_mcp.store.moving_notes import WholeNote
from dome_mcp.store.moving_rows import TABLES


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the source has and the target has not, or has otherwise, by kind; no empty ones."""

    checked: Mapping[str, int]
    differing: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    @property
    def is_equal(self) -> bool:
        return not self.differing


async def verify_user(sides: Sides) -> Verdict:
    """Reads both sides and compares them: every row, and every note by a digest of all it has.

    What the target has newer, or under another id, is in order; so is what only the target has.
    Of files it is looked at whether they are there, because a file's key holds its digest.

    Raises:
        BackendError: one of the sides cannot be read.
    """
    differing: dict[str, Sequence[str]] = {}
    files = set(await sides.target.blobs.keys(user_prefix(sides.user_id)))
    notes: list[str] = []
    missing: list[str] = []
    checked = 0
    async for page in note_pages(sides):
        standing = await standing_of(page, sides)
        compared = [each for each in page if not standing.leaves(each)]
        for group in note_groups(compared, limit=sides.notes_at_once):
            here = await read_notes(sides.source.database, group, user_id=sides.user_id)
            there = await read_notes(sides.target.database, group, user_id=sides.user_id)
            digests = {note.note_id: _digest(note) for note in there}
            notes += (n.note_id for n in here if digests.get(n.note_id) != _digest(n))
            missing += (key for note in here for key in note.blob_keys if key not in files)
        checked += len(page)
        sides.show("comparing notes", checked, None)
    for kind, found in ((NOTES, notes), (FILES, missing)):
        if found:
            differing[kind] = found
    for table in TABLES:
        source, target = sides.source.database, sides.target.database
        if rows := await differing_rows(table, source, target, user_id=sides.user_id):
            differing[table] = rows
    return Verdict({NOTES: checked}, differing)


def _digest(note: WholeNote) -> str:
    """A digest of all that a note is, but for its vectors."""
    parts = [repr(sorted(note.row.items())), *(repr(sorted(each.items())) for each in note.chunks)]
    return content_hash("\x00".join(parts))
