"""The tables, as migrations in the order they are applied.

Rules of the dialect (SQLite and D1 at once): no `CURRENT_TIMESTAMP` in our own rows; instants are
INTEGER milliseconds; "no context" is the empty string so that unique indexes see it; numbers that
were bound are cast where no column gives them an affinity; FTS rows are keyed by `chunk_key`.

`d1_migrations` is the table that wrangler keeps for D1, so either tool can apply the next one.
Source: https://developers.cloudflare.com/d1/reference/migrations/ (2026-11).
"""

from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Database, Statement
from dome_mcp.store.migrations import (
    access,
    agenda,
    digests,
    notes,
    sessions,
    vector_indexes,
    vector_ledger,
)

_MIGRATIONS_TABLE = """
CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)"""

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
    (each.NAME, each.STATEMENTS)
    for each in (notes, agenda, access, vector_ledger, vector_indexes, sessions, digests)
)

_IS_MIGRATED = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'd1_migrations'"
_APPLIED = "SELECT name FROM d1_migrations"
_RECORD = "INSERT INTO d1_migrations (name) VALUES (?1)"


async def migrate(database: Database) -> list[str]:
    """Applies what is missing, each migration whole or not at all; returns the names applied.

    Several processes may run this at once: one applies a migration, the others find it applied.
    """
    try:
        before = await _names(database)
    except BackendRejected:
        # Only where it is missing: a write waits for whoever is writing, and a start should not.
        await database.query(Statement(_MIGRATIONS_TABLE))
        before = set[str]()
    applied: list[str] = []
    for name, statements in MIGRATIONS:
        if name in before:
            continue
        try:
            await database.batch(
                [Statement(_RECORD, (name,)), *(Statement(sql) for sql in statements)]
            )
        except BackendRejected:
            if name not in await _names(database):
                raise
        else:
            applied.append(name)
    return applied


async def missing(database: Database) -> list[str]:
    """The migrations that `migrate` would apply, by name; nothing is written.

    Raises:
        BackendError: the database cannot be read.
    """
    is_migrated = await database.query(Statement(_IS_MIGRATED))
    applied = await _names(database) if is_migrated else set[str]()
    return [name for name, _ in MIGRATIONS if name not in applied]


async def _names(database: Database) -> set[str]:
    return {str(row["name"]) for row in await database.query(Statement(_APPLIED))}
