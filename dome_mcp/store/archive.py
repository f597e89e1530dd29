"""Putting a note back as it was: what differs from storing a new one."""

from dome_mcp.core.ports import Statement

_FORGET_TOMBSTONE = """
DELETE FROM notes WHERE note_id = ?1 AND user_id = ?2 AND deleted_at_ms IS NOT NULL"""

_SET_REVISION = """
UPDATE notes SET revision = CAST(?3 AS INTEGER) WHERE note_id = ?1 AND user_id = ?2"""

_OTHER_HOLDER = "SELECT note_id FROM notes WHERE note_id = ?1 AND user_id <> ?2"


def held_by_another(note_id: str, user_id: str) -> Statement:
    """One row where another user has, or had, a note with this id."""
    return Statement(_OTHER_HOLDER, (note_id, user_id))


def forget_tombstone(note_id: str, user_id: str) -> Statement:
    """Makes the id of a deleted note free again; does nothing to a note that is there."""
    return Statement(_FORGET_TOMBSTONE, (note_id, user_id))


def set_revision(note_id: str, user_id: str, *, revision: int) -> Statement:
    """Sets the revision of a note that the same batch has inserted."""
    return Statement(_SET_REVISION, (note_id, user_id, revision))
