"""Migration 0003: users, tokens, the audit log, and what makes requests over HTTP repeatable."""

NAME = "0003_access.sql"
STATEMENTS = (
    # A user who was never added (the owner of the data folder) has no row, and needs none.
    # deleting_at_ms: the user is being deleted, may not come in, and this row goes last.
    """
    CREATE TABLE users (
      user_id TEXT PRIMARY KEY,
      zone TEXT,
      identity TEXT UNIQUE,
      created_at_ms INTEGER NOT NULL,
      deleting_at_ms INTEGER
    ) WITHOUT ROWID""",
    """
    CREATE TABLE tokens (
      token_id TEXT PRIMARY KEY,
      user_id TEXT NOT NULL,
      name TEXT NOT NULL,
      scopes TEXT NOT NULL,
      secret_hash TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      expires_at_ms INTEGER,
      revoked_at_ms INTEGER,
      last_used_at_ms INTEGER
    ) WITHOUT ROWID""",
    "CREATE INDEX tokens_by_user ON tokens (user_id, created_at_ms, token_id)",
    # user_id is empty where nobody proved who they are.
    """
    CREATE TABLE audit (
      audit_key INTEGER PRIMARY KEY AUTOINCREMENT,
      at_ms INTEGER NOT NULL,
      user_id TEXT NOT NULL,
      credential TEXT NOT NULL,
      source TEXT NOT NULL,
      action TEXT NOT NULL,
      target TEXT NOT NULL,
      outcome TEXT NOT NULL,
      times INTEGER NOT NULL
    )""",
    "CREATE INDEX audit_by_user ON audit (user_id, audit_key)",
    "CREATE INDEX audit_by_time ON audit (at_ms)",
    """
    CREATE TABLE idempotency (
      user_id TEXT NOT NULL,
      idempotency_key TEXT NOT NULL,
      fingerprint TEXT NOT NULL,
      started_at_ms INTEGER NOT NULL,
      status INTEGER,
      headers TEXT,
      body TEXT,
      PRIMARY KEY (user_id, idempotency_key)
    ) WITHOUT ROWID""",
    "CREATE INDEX idempotency_by_time ON idempotency (started_at_ms)",
    """
    CREATE TABLE uploads (
      upload_id TEXT PRIMARY KEY,
      user_id TEXT NOT NULL,
      filename TEXT NOT NULL,
      content_type TEXT,
      bytes INTEGER,
      max_bytes INTEGER NOT NULL,
      sha256 TEXT,
      state TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      expires_at_ms INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX uploads_by_user ON uploads (user_id, upload_id)",
    "CREATE INDEX uploads_by_expiry ON uploads (expires_at_ms)",
    """
    CREATE TABLE jobs (
      job_id TEXT PRIMARY KEY,
      user_id TEXT NOT NULL,
      kind TEXT NOT NULL,
      request TEXT NOT NULL,
      state TEXT NOT NULL,
      attempt INTEGER NOT NULL,
      failures INTEGER NOT NULL DEFAULT 0,
      not_before_ms INTEGER NOT NULL,
      lease_until_ms INTEGER,
      result TEXT,
      problem TEXT,
      created_at_ms INTEGER NOT NULL,
      updated_at_ms INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX jobs_by_user ON jobs (user_id, created_at_ms, job_id)",
    "CREATE INDEX jobs_queued ON jobs (not_before_ms, job_id) WHERE state = 'queued'",
    "CREATE INDEX jobs_running ON jobs (lease_until_ms, job_id) WHERE state = 'running'",
    "CREATE INDEX jobs_by_end ON jobs (updated_at_ms) WHERE state IN ('done', 'failed')",
)
