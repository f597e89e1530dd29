"""Migration 0006: what was asked of the notes and answered, by session.

An answer quotes notes, so it goes with any of the notes that it cites.
"""

NAME = "0006_sessions.sql"

TABLES = (
    # note_ids: JSON, the notes that the answer cites.
    """
    CREATE TABLE exchanges (
      exchange_id TEXT PRIMARY KEY,
      user_id TEXT NOT NULL,
      session_id TEXT NOT NULL,
      question TEXT NOT NULL,
      answer TEXT NOT NULL,
      note_ids TEXT NOT NULL DEFAULT '[]',
      asked_at_ms INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX exchanges_by_session ON exchanges (user_id, session_id, asked_at_ms)",
    "CREATE INDEX exchanges_by_time ON exchanges (asked_at_ms)",
)
"""For a database that has nothing else."""

STATEMENTS = (
    *TABLES,
    """
    CREATE TRIGGER exchanges_note_deleted AFTER UPDATE OF deleted_at_ms ON notes
    WHEN OLD.deleted_at_ms IS NULL AND NEW.deleted_at_ms IS NOT NULL BEGIN
      DELETE FROM exchanges WHERE user_id = NEW.user_id
        AND EXISTS (SELECT 1 FROM json_each(exchanges.note_ids) j WHERE j.value = NEW.note_id);
    END""",
)
