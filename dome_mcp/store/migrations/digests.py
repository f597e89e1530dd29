"""Migration 0007: reminders whose notice is made of the day when it is sent."""

NAME = "0007_digests.sql"
STATEMENTS = (
    "ALTER TABLE reminders ADD COLUMN kind TEXT NOT NULL DEFAULT 'reminder'",
    "CREATE INDEX reminders_digests ON reminders (user_id, reminder_id) WHERE kind = 'digest'",
)
