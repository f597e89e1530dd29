"""The tables, as migrations in the order they are applied.

Rules of the dialect (SQLite and D1 at once): no `CURRENT_TIMESTAMP` in our own rows; instants are
INTEGER milliseconds; "no context" is the empty string so that unique indexes see it; numbers that
were bound are cast where no column gives them an affinity; FTS rows are keyed by `chunk_key`.

`d1_migrations` is the table that wrangler keeps for D1, so either tool can apply the next one.
Source: https://developers.cloudflare.com/d1/reference/migrations/ (2026-11).
"""

from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Database, Statement

_MIGRATIONS_TABLE = """
CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)"""

_NOTES = (
    """
    CREATE TABLE notes (
      note_key INTEGER PRIMARY KEY AUTOINCREMENT,
      note_id TEXT NOT NULL UNIQUE,
      user_id TEXT NOT NULL,
      title TEXT NOT NULL,
      context TEXT NOT NULL DEFAULT '',
      source_uri TEXT,
      content_type TEXT NOT NULL,
      content_hash TEXT NOT NULL,
      body_key TEXT,
      blob_key TEXT,
      characters INTEGER NOT NULL,
      created_at_ms INTEGER NOT NULL,
      updated_at_ms INTEGER NOT NULL,
      deleted_at_ms INTEGER,
      revision INTEGER NOT NULL,
      body TEXT
    )""",
    """
    CREATE UNIQUE INDEX notes_by_content ON notes (user_id, context, content_hash)
    WHERE deleted_at_ms IS NULL""",
    """
    CREATE INDEX notes_by_source ON notes (user_id, source_uri)
    WHERE deleted_at_ms IS NULL AND source_uri IS NOT NULL""",
    # deleted_at_ms is in these two only so that a filter is answered from the index alone.
    """
    CREATE INDEX notes_by_date ON notes (user_id, created_at_ms, note_id, deleted_at_ms)
    WHERE deleted_at_ms IS NULL""",
    """
    CREATE INDEX notes_by_context
    ON notes (user_id, context, created_at_ms, note_key, deleted_at_ms)
    WHERE deleted_at_ms IS NULL""",
    """
    CREATE TABLE note_tags (
      user_id TEXT NOT NULL,
      name TEXT NOT NULL,
      note_key INTEGER NOT NULL REFERENCES notes (note_key),
      PRIMARY KEY (user_id, name, note_key)
    ) WITHOUT ROWID""",
    "CREATE INDEX note_tags_by_note ON note_tags (note_key, name)",
    """
    CREATE TABLE chunks (
      chunk_key INTEGER PRIMARY KEY AUTOINCREMENT,
      chunk_id TEXT NOT NULL UNIQUE,
      note_key INTEGER NOT NULL REFERENCES notes (note_key),
      user_id TEXT NOT NULL,
      ordinal INTEGER NOT NULL,
      start_offset INTEGER NOT NULL,
      end_offset INTEGER NOT NULL,
      page INTEGER,
      heading TEXT,
      text TEXT NOT NULL,
      content_hash TEXT NOT NULL,
      embedded_with TEXT
    )""",
    "CREATE INDEX chunks_by_note ON chunks (note_key, ordinal)",
    "CREATE INDEX chunks_pending ON chunks (user_id, chunk_key) WHERE embedded_with IS NULL",
    """
    CREATE VIRTUAL TABLE chunks_fts USING fts5 (
      title, heading, text,
      content = '', contentless_delete = 1,
      tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
    )""",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE leases (
      name TEXT PRIMARY KEY,
      holder TEXT NOT NULL,
      until_ms INTEGER NOT NULL
    ) WITHOUT ROWID""",
)

_AGENDA = (
    """
    CREATE TABLE tasks (
      task_key INTEGER PRIMARY KEY AUTOINCREMENT,
      task_id TEXT NOT NULL UNIQUE,
      user_id TEXT NOT NULL,
      description TEXT NOT NULL,
      status TEXT NOT NULL,
      zone TEXT,
      start_local TEXT,
      rule TEXT,
      exdates TEXT NOT NULL DEFAULT '[]',
      anchor TEXT NOT NULL DEFAULT 'schedule',
      due_at_ms INTEGER,
      completed_at_ms INTEGER,
      note_ids TEXT NOT NULL DEFAULT '[]',
      created_at_ms INTEGER NOT NULL,
      updated_at_ms INTEGER NOT NULL,
      revision INTEGER NOT NULL
    )""",
    "CREATE INDEX tasks_by_due ON tasks (user_id, status, due_at_ms, task_id)",
    """
    CREATE TABLE task_tags (
      user_id TEXT NOT NULL,
      name TEXT NOT NULL,
      task_key INTEGER NOT NULL REFERENCES tasks (task_key),
      PRIMARY KEY (user_id, name, task_key)
    ) WITHOUT ROWID""",
    "CREATE INDEX task_tags_by_task ON task_tags (task_key, name)",
    """
    CREATE TABLE reminders (
      reminder_key INTEGER PRIMARY KEY AUTOINCREMENT,
      reminder_id TEXT NOT NULL UNIQUE,
      user_id TEXT NOT NULL,
      task_id TEXT,
      text TEXT NOT NULL,
      zone TEXT NOT NULL,
      start_local TEXT NOT NULL,
      rule TEXT,
      exdates TEXT NOT NULL DEFAULT '[]',
      anchor TEXT NOT NULL DEFAULT 'schedule',
      due_offset TEXT,
      state TEXT NOT NULL,
      due_at_ms INTEGER,
      next_at_ms INTEGER,
      snooze_at_ms INTEGER,
      snooze_of_ms INTEGER,
      channels TEXT NOT NULL DEFAULT '[]',
      catch_up TEXT NOT NULL,
      missed INTEGER NOT NULL DEFAULT 0,
      note_ids TEXT NOT NULL DEFAULT '[]',
      created_at_ms INTEGER NOT NULL,
      updated_at_ms INTEGER NOT NULL,
      revision INTEGER NOT NULL
    )""",
    "CREATE INDEX reminders_due ON reminders (due_at_ms, reminder_id) WHERE due_at_ms IS NOT NULL",
    "CREATE INDEX reminders_by_user ON reminders (user_id, state, due_at_ms, reminder_id)",
    "CREATE INDEX reminders_by_task ON reminders (task_id) WHERE task_id IS NOT NULL",
    """
    CREATE TABLE firings (
      reminder_id TEXT NOT NULL,
      due_at_ms INTEGER NOT NULL,
      user_id TEXT NOT NULL,
      occurrence_at_ms INTEGER NOT NULL,
      fired_at_ms INTEGER NOT NULL,
      missed INTEGER NOT NULL,
      acknowledged_at_ms INTEGER,
      PRIMARY KEY (reminder_id, due_at_ms)
    ) WITHOUT ROWID""",
    """
    CREATE INDEX firings_open ON firings (user_id, fired_at_ms, reminder_id)
    WHERE acknowledged_at_ms IS NULL""",
    """
    CREATE TABLE deliveries (
      delivery_key TEXT PRIMARY KEY,
      reminder_id TEXT NOT NULL,
      user_id TEXT NOT NULL,
      due_at_ms INTEGER NOT NULL,
      channel TEXT NOT NULL,
      state TEXT NOT NULL,
      attempt INTEGER NOT NULL DEFAULT 0,
      refusals INTEGER NOT NULL DEFAULT 0,
      not_before_ms INTEGER NOT NULL,
      lease_until_ms INTEGER,
      last_error TEXT,
      receipt TEXT,
      created_at_ms INTEGER NOT NULL,
      settled_at_ms INTEGER
    ) WITHOUT ROWID""",
    """
    CREATE INDEX deliveries_ready ON deliveries (not_before_ms, delivery_key)
    WHERE state = 'PENDING'""",
    """
    CREATE INDEX deliveries_sending ON deliveries (lease_until_ms, delivery_key)
    WHERE state = 'SENDING'""",
    "CREATE INDEX deliveries_by_reminder ON deliveries (reminder_id, due_at_ms)",
    """
    CREATE INDEX deliveries_failed ON deliveries (user_id, settled_at_ms, delivery_key)
    WHERE state = 'FAILED'""",
    """
    CREATE TABLE channels (
      user_id TEXT NOT NULL,
      name TEXT NOT NULL,
      kind TEXT NOT NULL,
      address TEXT NOT NULL,
      options TEXT NOT NULL DEFAULT '{}',
      is_default INTEGER NOT NULL,
      created_at_ms INTEGER NOT NULL,
      PRIMARY KEY (user_id, name)
    ) WITHOUT ROWID""",
    """
    CREATE TABLE heartbeats (
      name TEXT PRIMARY KEY,
      at_ms INTEGER NOT NULL,
      details TEXT NOT NULL DEFAULT '{}'
    ) WITHOUT ROWID""",
    """
    CREATE TABLE used_links (
      link_id TEXT PRIMARY KEY,
      used_at_ms INTEGER NOT NULL
    ) WITHOUT ROWID""",
)

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("0001_notes.sql", _NOTES),
    ("0002_agenda.sql", _AGENDA),
)

_APPLIED = "SELECT name FROM d1_migrations"
_RECORD = "INSERT INTO d1_migrations (name) VALUES (?1)"


async def migrate(database: Database) -> list[str]:
    """Applies what is missing, each migration whole or not at all; returns the names applied.

    Several processes may run this at once: one applies a migration, the others find it applied.
    """
    try:
        await _names(database)
    except BackendRejected:
        # Only where it is missing: a write waits for whoever is writing, and a start should not.
        await database.query(Statement(_MIGRATIONS_TABLE))
    applied: list[str] = []
    for name, statements in MIGRATIONS:
        if name in await _names(database):
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


async def _names(database: Database) -> set[str]:
    return {str(row["name"]) for row in await database.query(Statement(_APPLIED))}
