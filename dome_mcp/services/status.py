"""What is stored and how it is doing."""

from dome_mcp.core.model import Counts
from dome_mcp.core.ports import Ports, Row, Statement
from dome_mcp.store import notes
from dome_mcp.store.notes import to_int


async def counts(ports: Ports, *, user_id: str) -> Counts:
    """How much the user has stored, and the tags and contexts most used."""
    database = ports.database
    total = (await database.query(notes.note_counts(user_id)))[0]
    return Counts(
        notes=to_int(total["notes"]),
        chunks=to_int(total["chunks"]),
        pending_chunks=to_int(total["pending"]),
        tags=await _named(notes.tag_counts(user_id), ports),
        contexts=await _named(notes.context_counts(user_id), ports),
    )


async def tags_with_prefix(prefix: str, ports: Ports, *, user_id: str) -> list[str]:
    """The user's tags that start so, most used first, at most 100."""
    return [name for name, _ in await _named(notes.tag_counts(user_id, prefix=prefix), ports)]


async def contexts_with_prefix(prefix: str, ports: Ports, *, user_id: str) -> list[str]:
    """The user's contexts that start so, most used first, at most 100."""
    return [name for name, _ in await _named(notes.context_counts(user_id, prefix=prefix), ports)]


async def note_ids_with_prefix(prefix: str, ports: Ports, *, user_id: str) -> list[str]:
    """The ids of the user's notes that start so, newest first, at most 100."""
    rows = await ports.database.query(notes.ids_with_prefix(user_id, prefix=prefix.upper()))
    return [str(row["name"]) for row in rows]


async def _named(statement: Statement, ports: Ports) -> tuple[tuple[str, int], ...]:
    rows = await ports.database.query(statement)
    return tuple(map(_count, rows))


def _count(row: Row) -> tuple[str, int]:
    return str(row["name"]), to_int(row["notes"])
