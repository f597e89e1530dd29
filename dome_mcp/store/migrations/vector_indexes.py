"""Migration 0005: several indexes elsewhere at once, so that one can be filled beside another.

The ledger's rows say which index they are about: `index_name` is the empty string for the index
that the settings name, and else the name of one that vectors were moved to. The fact `vector_index`
says which of them is searched. `vector_indexes` lists those that DOME has to remove once they are
not, the first one among them after it was left.
"""

NAME = "0005_vector_indexes.sql"
STATEMENTS = (
    "DROP TRIGGER vector_ledger_chunk_deleted",
    "DROP TRIGGER vector_ledger_note_moved",
    # The old table's UNIQUE (chunk_id) cannot be taken away from it.
    """
    CREATE TABLE ledger_of_indexes (
      ledger_key INTEGER PRIMARY KEY AUTOINCREMENT,
      chunk_id TEXT NOT NULL,
      index_name TEXT NOT NULL DEFAULT '',
      embedding TEXT,
      mutation_key INTEGER,
      is_settled INTEGER NOT NULL DEFAULT 0,
      UNIQUE (chunk_id, index_name)
    )""",
    """
    INSERT INTO ledger_of_indexes (ledger_key, chunk_id, embedding, mutation_key, is_settled)
    SELECT ledger_key, chunk_id, embedding, mutation_key, is_settled FROM vector_ledger""",
    "DROP TABLE vector_ledger",
    "ALTER TABLE ledger_of_indexes RENAME TO vector_ledger",
    """
    CREATE INDEX vector_ledger_unsettled ON vector_ledger (index_name, ledger_key)
    WHERE is_settled = 0""",
    "ALTER TABLE vector_mutations ADD COLUMN index_name TEXT NOT NULL DEFAULT ''",
    """
    CREATE TRIGGER vector_ledger_chunk_deleted AFTER DELETE ON chunks BEGIN
      INSERT OR REPLACE INTO vector_ledger (chunk_id, index_name)
      SELECT l.chunk_id, l.index_name FROM vector_ledger l WHERE l.chunk_id = OLD.chunk_id;
    END""",
    """
    CREATE TRIGGER vector_ledger_note_moved AFTER UPDATE OF context, created_at_ms ON notes
    WHEN (NEW.context, NEW.created_at_ms) <> (OLD.context, OLD.created_at_ms) BEGIN
      INSERT OR REPLACE INTO vector_ledger (chunk_id, index_name, embedding)
      SELECT l.chunk_id, l.index_name, l.embedding
      FROM chunks c JOIN vector_ledger l ON l.chunk_id = c.chunk_id
      WHERE c.note_key = NEW.note_key AND l.embedding IS NOT NULL;
    END""",
    "CREATE TABLE vector_indexes (index_name TEXT PRIMARY KEY) WITHOUT ROWID",
)
