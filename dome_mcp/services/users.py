"""The users of one DOME: adding them, changing them, and who there is."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dome_mcp.core.errors import BackendRejected, Conflict, InvalidInput, NotFound
from dome_mcp.core.ports import Ports
from dome_mcp.store import users
from dome_mcp.store.users import User, UserCounts

MAX_IDENTITY = 255
"""The most that an OpenID Connect `sub` may have.
Source: https://openid.net/specs/openid-connect-core-1_0.html#IDToken (2026-11)."""

_USER_ID = re.compile(r"[A-Za-z0-9._@-]{1,64}")


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What is to change of a user; None leaves it, an empty text takes it away."""

    zone: str | None = None
    """The name of a time zone, already checked."""
    identity: str | None = None


def cleaned_user_id(text: str) -> str:
    """The id, where it can be one.

    Raises:
        InvalidInput: it has other characters than letters, digits and `. _ @ -`, or too many.
    """
    if not _USER_ID.fullmatch(text):
        raise InvalidInput(
            f"{text[:70]!r} cannot be a user's id.", "Send 1 to 64 letters, digits, . _ @ or -."
        )
    return text


async def add_user(
    user_id: str,
    ports: Ports,
    *,
    now: datetime,
    zone: ZoneInfo | None = None,
    identity: str | None = None,
) -> User:
    """Adds a user.

    Raises:
        InvalidInput: the id or the identity cannot be one.
        Conflict: the id or the identity is taken.
    """
    user = User(
        cleaned_user_id(user_id),
        zone=zone.key if zone else None,
        identity=_cleaned_identity(identity or "") or None,
    )
    added = await ports.database.query(users.add_user(user, now=now))
    if not added:
        raise await _taken(user, ports)
    return await stored_user(user_id, ports)


async def set_user(
    user_id: str, changes: UserChanges, ports: Ports, *, now: datetime, adds: bool = False
) -> User:
    """Changes a user; with `adds` one who was never added is, as the owner need not be.

    Raises:
        NotFound: there is none with this id.
        InvalidInput: the id or the identity cannot be one.
        Conflict: another user has the identity, or the user is being deleted.
    """
    identity = None if changes.identity is None else _cleaned_identity(changes.identity)
    user = User(cleaned_user_id(user_id), identity=identity or None)
    statements = [users.set_user(user_id, zone=changes.zone, identity=identity)]
    if adds:
        statements.insert(0, users.add_user(User(user_id), now=now))
    try:
        *_, changed = await ports.database.batch(statements)
    except BackendRejected as error:
        raise await _taken(user, ports) from error
    stored = await stored_user(user_id, ports)
    if not changed:
        raise leaving(user_id)
    return stored


async def stored_user(user_id: str, ports: Ports) -> User:
    """The user as added.

    Raises:
        NotFound: there is none with this id.
    """
    rows = await ports.database.query(users.user_by_id(user_id))
    if not rows:
        raise NotFound("user", user_id[:70], "See `dome-mcp user list` for those there are.")
    return users.to_user(rows[0])


async def list_users(ports: Ports, *, now: datetime) -> tuple[UserCounts, ...]:
    """Everybody who was added or has something, by id, and how much they have."""
    return tuple(map(users.to_counts, await ports.database.query(users.everybody(now))))


def leaving(user_id: str) -> Conflict:
    """The refusal of what would give something to a user who is being deleted."""
    return Conflict(
        f"The user {user_id!r} is being deleted.",
        f"Finish that with `dome-mcp user delete {user_id}`, then try again.",
    )


async def _taken(user: User, ports: Ports) -> Conflict:
    """What a refusal to add or change a user means."""
    holder = None
    if user.identity is not None:
        rows = await ports.database.query(users.user_by_identity(user.identity))
        holder = users.to_user(rows[0]) if rows else None
    if holder is not None and holder.user_id != user.user_id:
        return Conflict(
            f"The user {holder.user_id!r} has this identity.",
            f"Take it away first: `dome-mcp user set {holder.user_id} --identity ''`.",
        )
    return Conflict(
        f"There is a user {user.user_id!r} already.", "Change it with `dome-mcp user set`."
    )


def _cleaned_identity(text: str) -> str:
    identity = text.strip()
    if len(identity) > MAX_IDENTITY or not identity.isprintable():
        raise InvalidInput(
            "The identity cannot be one.",
            f"Send what the OAuth server calls the user, at most {MAX_IDENTITY} characters.",
        )
    return identity
