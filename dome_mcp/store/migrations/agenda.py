"""Migration 0002: tasks, reminders, firings, deliveries, channels, heartbeats, used links."""

NAME = "0002_agenda.sql"
STATEMENTS = (
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
