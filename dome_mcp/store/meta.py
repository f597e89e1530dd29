"""Facts about the database itself, by name."""

import json
from collections.abc import Sequence

from dome_mcp.core.ports import Database, Statement

EMBEDDING_MODEL = "embedding_model"
"""The id of the model that made the vectors."""

EMBEDDING_SHAPE = "embedding_shape"
"""What else tells that model's vectors from others: dimensions, then the pooling where known."""

EMBEDDING_NAME = "embedding_name"
"""The setting that names the model, where `reindex --to` chose it."""

VECTOR_PLACE = "vector_place"
"""Where the settings have the vectors: `embedded`, or VECTORIZE and the name of an index."""

VECTORIZE = "vectorize/"

VECTOR_INDEX = "vector_index"
"""The index that `reindex --to` moved the vectors to, which is searched instead of the one that
VECTOR_PLACE names; not set: that one is."""

LINK_SECRET = "link_secret"  # noqa: S105  the name of the fact, not the secret
"""What the links in notices are signed with, in hexadecimal."""

UPLOAD_SECRET = "upload_secret"  # noqa: S105  the name of the fact, not the secret
"""What the URLs of uploads are signed with, in hexadecimal."""

LINK_PORT = "link_port"
"""The port on this machine where the links lead."""

_GET = "SELECT value FROM meta WHERE name = ?1"
_FACTS = "SELECT name, value FROM meta WHERE name IN (SELECT value FROM json_each(?1))"
_SET = """
INSERT INTO meta (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value"""
_REPLACE = "UPDATE meta SET value = ?3 WHERE name = ?1 AND value = ?2"
_FORGET = "DELETE FROM meta WHERE name = ?1"
_SET_ONCE = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING"


async def fact(database: Database, name: str) -> str | None:
    """The value of a fact, None where it was never set."""
    rows = await database.query(Statement(_GET, (name,)))
    return str(rows[0]["value"]) if rows else None


def facts(names: Sequence[str]) -> Statement:
    """A row with `name` and `value` for each of the facts that was set."""
    return Statement(_FACTS, (json.dumps(names),))


def set_fact(name: str, value: str) -> Statement:
    return Statement(_SET, (name, value))


def set_fact_once(name: str, value: str) -> Statement:
    """Sets a fact that has no value yet, and leaves one that has."""
    return Statement(_SET_ONCE, (name, value))


def forget_fact(name: str) -> Statement:
    """Makes a fact one that was never set."""
    return Statement(_FORGET, (name,))


def replace_fact(name: str, value: str, *, before: str | None) -> Statement:
    """Sets a fact that is still `before` (None: not set), and leaves one that is not."""
    if before is None:
        return set_fact_once(name, value)
    return Statement(_REPLACE, (name, before, value))
