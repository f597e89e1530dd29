"""Who somebody is, by a token of ours or by what an OAuth server calls them.

The shells mint the tokens' randomness, and ask here with what a request carries. None is the whole
answer to a caller who is not let in: why is nobody's business but the operator's.
"""

from collections.abc import Sequence
from datetime import datetime

from dome_mcp.core.access import Principal, Scope
from dome_mcp.core.errors import InvalidInput, NotFound
from dome_mcp.core.identifiers import content_hash
from dome_mcp.core.ports import Ports
from dome_mcp.core.tokens import Token, hash_secret, is_secret, parse_token
from dome_mcp.core.zones import zone_or_none
from dome_mcp.services.users import MAX_IDENTITY, cleaned_user_id, leaving
from dome_mcp.store import tokens, users
from dome_mcp.store.tokens import USE_PRECISION

MAX_NAME = 60

_NO_SECRET = hash_secret("")
"""What the secret of an unknown token is compared with, so that the answer takes as long."""

_SIGN_UP_DIGITS = (12, 24, 64)


async def create_token(
    text: str,
    ports: Ports,
    *,
    user_id: str,
    name: str,
    scopes: frozenset[Scope],
    now: datetime,
    expires_at: datetime | None,
) -> Token:
    """Stores what is to be known of a new token and returns it; a user who is not there is added.

    `text` is from `core.tokens.token_text`; the same call again is harmless.

    Raises:
        InvalidInput: no scope, no user id, a name too long, or a time to expire that has passed.
        Conflict: the user is being deleted.
    """
    token = _new_token(
        text, user_id=user_id, name=name, scopes=scopes, now=now, expires_at=expires_at
    )
    *_, rows = await ports.database.batch(
        [
            users.add_user(users.User(token.user_id), now=now),
            tokens.insert_token(token),
            tokens.token_by_id(token.token_id),
        ]
    )
    if not rows:
        raise leaving(token.user_id)
    return tokens.to_token(rows[0])


async def list_tokens(ports: Ports, *, user_id: str | None) -> tuple[Token, ...]:
    """The tokens of a user, or of everybody for None; those revoked and expired too."""
    statement = tokens.all_tokens() if user_id is None else tokens.tokens_of(user_id)
    return tuple(map(tokens.to_token, await ports.database.query(statement)))


async def revoke_tokens(token_ids: Sequence[str], ports: Ports, *, now: datetime) -> None:
    """Makes tokens of any user useless from now on, all or none; the rows stay for the audit log.

    Raises:
        NotFound: there is no such token; then none was revoked.
    """
    wanted = [token_id.strip().lower() for token_id in token_ids]
    found = await ports.database.batch([tokens.token_by_id(token_id) for token_id in wanted])
    for token_id, rows in zip(wanted, found, strict=True):
        if not rows:
            raise NotFound("token", token_id[:60], "See `dome-mcp token list` for the ids.")
    await ports.database.batch([tokens.revoke_token(token_id, now=now) for token_id in wanted])


async def authenticate(text: str, ports: Ports, *, now: datetime) -> tuple[Token, Principal] | None:
    """The token with this text and on whose behalf it is used; None where it lets nobody in.

    That is one that is no token of ours, unknown, expired or revoked, or whose user is being
    deleted.
    """
    parts = parse_token(text)
    if parts is None:
        return None
    token_id, secret = parts
    rows = await ports.database.query(tokens.token_by_id(token_id))
    credential = tokens.to_credential(rows[0]) if rows else None
    is_right = is_secret(secret, credential.token.secret_hash if credential else _NO_SECRET)
    if credential is None or not is_right or credential.user_is_leaving:
        return None
    token = credential.token
    if not token.is_live(now):
        return None
    zone = zone_or_none(credential.zone) if credential.zone else None
    return token, Principal(token.user_id, token.scopes, credential=token.token_id, zone=zone)


async def record_use(token: Token, ports: Ports, *, now: datetime) -> None:
    """Notes when the token was last used, at most once a minute.

    `token` is as `authenticate` read it: most requests are not even worth a look at the database,
    whose writers queue for one lock.
    """
    last = token.last_used_at
    if last is None or not last <= now < last + USE_PRECISION:
        await ports.database.query(tokens.use_token(token.token_id, now=now))


async def principal_for_identity(
    identity: str,
    ports: Ports,
    *,
    scopes: frozenset[Scope],
    credential: str,
    now: datetime,
    owner_id: str,
    signup: bool = False,
) -> Principal | None:
    """On whose behalf a caller acts whom an OAuth server calls `identity`.

    None where nobody was added with this identity. With `signup` such a caller becomes a user of
    their own, whose id nobody has or had anything under; `owner_id`, who may have nothing yet, is
    taken as well.
    """
    if not identity.strip() or len(identity) > MAX_IDENTITY:
        return None
    user = await _identified(identity, ports)
    for digits in _SIGN_UP_DIGITS if signup else ():
        if user is not None:
            break
        user_id = f"u-{content_hash(identity)[:digits]}"
        await ports.database.query(
            users.sign_up(user_id, identity=identity, owner_id=owner_id, now=now)
        )
        user = await _identified(identity, ports)
    if user is None or user.is_leaving:
        return None
    zone = zone_or_none(user.zone) if user.zone else None
    return Principal(user.user_id, scopes, credential=credential, zone=zone)


async def _identified(identity: str, ports: Ports) -> users.User | None:
    rows = await ports.database.query(users.user_by_identity(identity))
    return users.to_user(rows[0]) if rows else None


def _new_token(
    text: str,
    *,
    user_id: str,
    name: str,
    scopes: frozenset[Scope],
    now: datetime,
    expires_at: datetime | None,
) -> Token:
    parts = parse_token(text)
    if parts is None:
        raise InvalidInput("This is not the text of a token.", "Make one with token_text.")
    if not scopes:
        raise InvalidInput("The token has no scope.", "Name what it may do.")
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("The token would have expired already.", "Send a time to come.")
    label = " ".join(name.split())
    if not label or len(label) > MAX_NAME:
        raise InvalidInput(
            f"A token's name has 1 to {MAX_NAME} characters.", "Name the device or the program."
        )
    token_id, secret = parts
    return Token(
        token_id=token_id,
        user_id=cleaned_user_id(user_id),
        name=label,
        scopes=scopes,
        secret_hash=hash_secret(secret),
        created_at=now,
        expires_at=expires_at,
    )
