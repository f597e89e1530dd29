"""Tokens: the statements, and the way between rows and values."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dome_mcp.core.access import known_scopes
from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.core.tokens import Token
from dome_mcp.store.notes import optional, to_int
from dome_mcp.store.schedules import to_instant, to_optional_ms

USE_PRECISION = timedelta(minutes=1)
"""How exactly it is known when a token was last used: a use costs a write this often."""

_COLUMNS = """
  t.token_id, t.user_id, t.name, t.scopes, t.secret_hash, t.created_at_ms, t.expires_at_ms,
  t.revoked_at_ms, t.last_used_at_ms"""

# A user who is being deleted gets no new way in.
_INSERT = """
INSERT INTO tokens (
  token_id, user_id, name, scopes, secret_hash, created_at_ms, expires_at_ms)
SELECT ?1, ?2, ?3, ?4, ?5, CAST(?6 AS INTEGER), CAST(?7 AS INTEGER)
WHERE NOT EXISTS (SELECT 1 FROM users WHERE user_id = ?2 AND deleting_at_ms IS NOT NULL)
ON CONFLICT (token_id) DO NOTHING"""

_BY_ID = f"""
SELECT {_COLUMNS}, u.zone, u.deleting_at_ms
FROM tokens t LEFT JOIN users u ON u.user_id = t.user_id
WHERE t.token_id = ?1"""

_ALL = f"SELECT {_COLUMNS} FROM tokens t ORDER BY t.user_id, t.created_at_ms, t.token_id"

_OF_USER = f"""
SELECT {_COLUMNS} FROM tokens t WHERE t.user_id = ?1 ORDER BY t.created_at_ms, t.token_id"""

# A clock that was set back would otherwise keep the time of a use in the future for good.
_USE = """
UPDATE tokens SET last_used_at_ms = CAST(?2 AS INTEGER)
WHERE token_id = ?1 AND (last_used_at_ms IS NULL
  OR last_used_at_ms <= CAST(?3 AS INTEGER) OR last_used_at_ms > CAST(?2 AS INTEGER))"""

_REVOKE = """
UPDATE tokens SET revoked_at_ms = coalesce(revoked_at_ms, CAST(?2 AS INTEGER))
WHERE token_id = ?1 RETURNING token_id"""


@dataclass(frozen=True, slots=True)
class Credential:
    """A token with what of its user decides whether it lets them in, and in which time zone."""

    token: Token
    zone: str | None
    user_is_leaving: bool


def insert_token(token: Token) -> Statement:
    """Writes a new token, unless its user is being deleted; one that is there stays as it is."""
    row = (
        token.token_id, token.user_id, token.name, ",".join(sorted(token.scopes)),
        token.secret_hash, to_ms(token.created_at), to_optional_ms(token.expires_at),
    )  # fmt: skip
    return Statement(_INSERT, row)


def token_by_id(token_id: str) -> Statement:
    """One row, to be read with `to_credential`, of whichever user."""
    return Statement(_BY_ID, (token_id,))


def all_tokens() -> Statement:
    """The tokens of all users, the oldest of each first."""
    return Statement(_ALL)


def tokens_of(user_id: str) -> Statement:
    """The user's tokens, the oldest first."""
    return Statement(_OF_USER, (user_id,))


def use_token(token_id: str, *, now: datetime) -> Statement:
    """Notes that the token was used, unless that was noted within the last minute."""
    return Statement(_USE, (token_id, to_ms(now), to_ms(now - USE_PRECISION)))


def revoke_token(token_id: str, *, now: datetime) -> Statement:
    """One row where there is such a token; one that was revoked before keeps its time."""
    return Statement(_REVOKE, (token_id, to_ms(now)))


def to_token(row: Row) -> Token:
    return Token(
        token_id=str(row["token_id"]),
        user_id=str(row["user_id"]),
        name=str(row["name"]),
        scopes=known_scopes(str(row["scopes"]).split(",")),
        secret_hash=str(row["secret_hash"]),
        created_at=from_ms(to_int(row["created_at_ms"])),
        expires_at=to_instant(row["expires_at_ms"]),
        revoked_at=to_instant(row["revoked_at_ms"]),
        last_used_at=to_instant(row["last_used_at_ms"]),
    )


def to_credential(row: Row) -> Credential:
    """The token of a row of `token_by_id`, with its user's part."""
    return Credential(to_token(row), optional(row["zone"]), row["deleting_at_ms"] is not None)
