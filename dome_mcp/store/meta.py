"""Facts about the database itself, by name."""

from dome_mcp.core.ports import Database, Statement

EMBEDDING_MODEL = "embedding_model"
"""The id of the model that made the vectors."""

LINK_SECRET = "link_secret"  # noqa: S105  the name of the fact, not the secret
"""What the links in notices are signed with, in hexadecimal."""

UPLOAD_SECRET = "upload_secret"  # noqa: S105  the name of the fact, not the secret
"""What the URLs of uploads are signed with, in hexadecimal."""

LINK_PORT = "link_port"
"""The port on this machine where the links lead."""

_GET = "SELECT value FROM meta WHERE name = ?1"
_SET = """
INSERT INTO meta (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value"""
_REPLACE = "UPDATE meta SET value = ?3 WHERE name = ?1 AND value = ?2"
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


def replace_fact(name: str, value: str, *, before: str | None) -> Statement:
    """Sets a fact that is still `before` (None: not set), and leaves one that is not."""
    if before is None:
        return set_fact_once(name, value)
    return Statement(_REPLACE, (name, before, value))
