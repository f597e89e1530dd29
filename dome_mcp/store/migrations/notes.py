"""Migration 0001: notes, their tags, chunks and full text; facts and leases."""

NAME = "0001_notes.sql"
STATEMENTS = (
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
