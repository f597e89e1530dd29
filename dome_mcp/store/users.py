"""Users who were added, and everybody who has something: the statements, and rows to values."""

from dataclasses import dataclass
from datetime import datetime

from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.store.notes import optional, to_int

_ADD = """
INSERT INTO users (user_id, zone, identity, created_at_ms) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO NOTHING
RETURNING user_id"""

_BY_ID = """
SELECT user_id, zone, identity, created_at_ms, deleting_at_ms FROM users WHERE user_id = ?1"""

_BY_IDENTITY = """
SELECT user_id, zone, identity, created_at_ms, deleting_at_ms FROM users WHERE identity = ?1"""

# An empty text takes a value away, NULL leaves it.
_SET = """
UPDATE users SET
  zone = CASE WHEN ?2 IS NULL THEN zone ELSE nullif(?2, '') END,
  identity = CASE WHEN ?3 IS NULL THEN identity ELSE nullif(?3, '') END
WHERE user_id = ?1 AND deleting_at_ms IS NULL
RETURNING user_id"""

# Whoever has no row may still have something: the owner, and users of a DOME_USER of another time.
_SIGN_UP = """
INSERT INTO users (user_id, zone, identity, created_at_ms)
SELECT ?1, NULL, ?2, CAST(?3 AS INTEGER)
WHERE ?1 <> ?4
  AND NOT EXISTS (SELECT 1 FROM notes WHERE user_id = ?1)
  AND NOT EXISTS (SELECT 1 FROM tasks WHERE user_id = ?1)
  AND NOT EXISTS (SELECT 1 FROM reminders WHERE user_id = ?1)
  AND NOT EXISTS (SELECT 1 FROM channels WHERE user_id = ?1)
  AND NOT EXISTS (SELECT 1 FROM tokens WHERE user_id = ?1)
ON CONFLICT DO NOTHING"""

# In two steps, because D1 takes no more than five SELECTs in one UNION.
_EVERYBODY = """
WITH owners AS (
  SELECT user_id FROM notes WHERE deleted_at_ms IS NULL
  UNION SELECT user_id FROM tasks UNION SELECT user_id FROM reminders
  UNION SELECT user_id FROM channels),
everybody AS (
  SELECT user_id FROM users UNION SELECT user_id FROM tokens UNION SELECT user_id FROM owners)
SELECT e.user_id, u.zone, u.identity, u.created_at_ms, u.deleting_at_ms,
  (SELECT count(*) FROM notes n WHERE n.user_id = e.user_id AND n.deleted_at_ms IS NULL) AS notes,
  (SELECT count(*) FROM tasks t WHERE t.user_id = e.user_id) AS tasks,
  (SELECT count(*) FROM reminders r WHERE r.user_id = e.user_id) AS reminders,
  (SELECT count(*) FROM channels c WHERE c.user_id = e.user_id) AS channels,
  (SELECT count(*) FROM tokens t WHERE t.user_id = e.user_id AND t.revoked_at_ms IS NULL
    AND (t.expires_at_ms IS NULL OR t.expires_at_ms > CAST(?1 AS INTEGER))) AS tokens
FROM everybody e LEFT JOIN users u ON u.user_id = e.user_id
ORDER BY e.user_id"""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has data here.

    `zone` is the name of their time zone, None for the one of the settings; `identity` what an
    OAuth server calls them. `created_at` is None for a user who was never added. A user who
    `is_leaving` is being deleted: nobody may act for them any more.
    """

    user_id: str
    zone: str | None = None
    identity: str | None = None
    created_at: datetime | None = None
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class UserCounts:
    """A user and how much they have; `tokens` are those that may be used."""

    user: User
    notes: int
    tasks: int
    reminders: int
    channels: int
    tokens: int


def add_user(user: User, *, now: datetime) -> Statement:
    """One row when the user was added; none where the id, or the identity, is taken."""
    return Statement(_ADD, (user.user_id, user.zone, user.identity, to_ms(now)))


def sign_up(user_id: str, *, identity: str, owner_id: str, now: datetime) -> Statement:
    """Adds a user of this identity, unless somebody has the id or anything under it."""
    return Statement(_SIGN_UP, (user_id, identity, to_ms(now), owner_id))


def set_user(user_id: str, *, zone: str | None, identity: str | None) -> Statement:
    """One row when there is such a user. None leaves a value, an empty text takes it away.

    A constraint fails where another user has the identity.
    """
    return Statement(_SET, (user_id, zone, identity))


def user_by_id(user_id: str) -> Statement:
    return Statement(_BY_ID, (user_id,))


def user_by_identity(identity: str) -> Statement:
    return Statement(_BY_IDENTITY, (identity,))


def everybody(now: datetime) -> Statement:
    """A row for each user who was added or has something, by id."""
    return Statement(_EVERYBODY, (to_ms(now),))


def to_user(row: Row) -> User:
    created_at_ms = row["created_at_ms"]
    return User(
        user_id=str(row["user_id"]),
        zone=optional(row["zone"]),
        identity=optional(row["identity"]),
        created_at=None if created_at_ms is None else from_ms(to_int(created_at_ms)),
        is_leaving=row["deleting_at_ms"] is not None,
    )


def to_counts(row: Row) -> UserCounts:
    """The user and the counts of a row of `everybody`."""
    return UserCounts(
        to_user(row),
        notes=to_int(row["notes"]),
        tasks=to_int(row["tasks"]),
        reminders=to_int(row["reminders"]),
        channels=to_int(row["channels"]),
        tokens=to_int(row["tokens"]),
    )
