"""Facts about the database itself, by name."""

from dome_mcp.core.ports import Database, Statement

EMBEDDING_MODEL = "embedding_model"
"""The id of the model that made the vectors."""

_GET = "SELECT value FROM meta WHERE name = ?1"
_SET = """
INSERT INTO meta (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value"""
_SET_ONCE = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING"


async def fact(database: Database, name: str) -> str | None:
    """The value of a fact, None where it was never set."""
    rows = await database.query(Statement(_GET, (name,)))
    return str(rows[0]["value"]) if rows else None


def set_fact(name: str, value: str) -> Statement:
    return Statement(_SET, (name, value))


def set_fact_once(name: str, value: str) -> Statement:
    """Sets a fact that has no value yet, and leaves one that has."""
    return Statement(_SET_ONCE, (name, value))
