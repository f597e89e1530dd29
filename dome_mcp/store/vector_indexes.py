"""Which index elsewhere is searched, and which are to be removed once none of them is."""

from dome_mcp.core.ports import Statement
from dome_mcp.store import meta

_NOTE = "INSERT INTO vector_indexes (index_name) VALUES (?1) ON CONFLICT (index_name) DO NOTHING"

_NOTE_IN_FORCE = """
INSERT INTO vector_indexes (index_name)
SELECT coalesce((SELECT value FROM meta WHERE name = ?1), ?2)
WHERE true ON CONFLICT (index_name) DO NOTHING"""

_SEARCHED = "SELECT coalesce((SELECT value FROM meta WHERE name = ?1), ?2) AS index_name"

_OTHERS = """
SELECT index_name FROM vector_indexes
WHERE index_name <> coalesce((SELECT value FROM meta WHERE name = ?1), ?2) ORDER BY index_name"""

_FORGET = "DELETE FROM vector_indexes WHERE index_name = ?1"


def note_index(name: str) -> Statement:
    """Remembers an index as one to remove when it is not searched; to be run before it is made."""
    return Statement(_NOTE, (name,))


def search_index(name: str, *, first: str) -> list[Statement]:
    """Makes an index the one that is searched, and the one of before one to remove.

    `first` is the name of the index that is searched where no other was ever moved to.
    """
    return [
        Statement(_NOTE_IN_FORCE, (meta.VECTOR_INDEX, first)),
        meta.set_fact(meta.VECTOR_INDEX, name),
    ]


def searched_index(*, first: str) -> Statement:
    """One row: the `index_name` of the one that is searched."""
    return Statement(_SEARCHED, (meta.VECTOR_INDEX, first))


def other_indexes(*, first: str) -> Statement:
    """Each `index_name` that is remembered and not searched."""
    return Statement(_OTHERS, (meta.VECTOR_INDEX, first))


def forget_index(name: str) -> Statement:
    """Forgets an index that is gone."""
    return Statement(_FORGET, (name,))
