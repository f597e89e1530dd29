"""Migration 0004: the vectors of an index that lives elsewhere, and what it was told of them.

`vector_ledger` holds each vector (base64 of little-endian float16) under its chunk, for as long as
the chunk is there; NULL asks for the removal of what the index has. A change is a new row under a
larger `ledger_key`, so that the key is the vector's version as well. `mutation_key` is NULL until
the change was sent; `is_settled` says that the index has taken it in.

No row says whose it is: that stands in the chunk, and of a deleted chunk an id is all that stays
until the index has dropped it.
"""

NAME = "0004_vector_ledger.sql"
STATEMENTS = (
    """
    CREATE TABLE vector_ledger (
      ledger_key INTEGER PRIMARY KEY AUTOINCREMENT,
      chunk_id TEXT NOT NULL UNIQUE,
      embedding TEXT,
      mutation_key INTEGER,
      is_settled INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX vector_ledger_unsettled ON vector_ledger (ledger_key) WHERE is_settled = 0",
    # sent_after: the last mutation_key there was when this one was about to be sent.
    """
    CREATE TABLE vector_mutations (
      mutation_key INTEGER PRIMARY KEY AUTOINCREMENT,
      mutation_id TEXT NOT NULL UNIQUE,
      sent_after INTEGER NOT NULL
    )""",
    # Whoever deletes a chunk; what is not in the ledger is in no index elsewhere.
    """
    CREATE TRIGGER vector_ledger_chunk_deleted AFTER DELETE ON chunks BEGIN
      INSERT OR REPLACE INTO vector_ledger (chunk_id)
      SELECT l.chunk_id FROM vector_ledger l WHERE l.chunk_id = OLD.chunk_id;
    END""",
    # The index filters by these two, which stand beside each vector there.
    """
    CREATE TRIGGER vector_ledger_note_moved AFTER UPDATE OF context, created_at_ms ON notes
    WHEN (NEW.context, NEW.created_at_ms) <> (OLD.context, OLD.created_at_ms) BEGIN
      INSERT OR REPLACE INTO vector_ledger (chunk_id, embedding)
      SELECT l.chunk_id, l.embedding
      FROM chunks c JOIN vector_ledger l ON l.chunk_id = c.chunk_id
      WHERE c.note_key = NEW.note_key AND l.embedding IS NOT NULL;
    END""",
)
