"""`dome-mcp token`: the keys by which programs come in over the network."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dome_mcp.app import opened
from dome_mcp.commands.shell import Invocation
from dome_mcp.core.access import EVERYTHING, SCOPES, Scope, parse_scopes
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.timestamps import local_iso, parse_instant
from dome_mcp.core.tokens import ID_BYTES, SECRET_BYTES, Token, parse_token, token_text
from dome_mcp.services import access

_ALL = "all"
_NEVER = "never"
_SPAN = re.compile(r"(\d{1,5})([hdwy])")
_UNITS = {
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}


async def create(invocation: Invocation) -> int:
    """Makes a token and prints it, the only time: what is stored cannot be turned back into it."""
    arguments, output, settings = invocation.arguments, invocation.output, invocation.settings()
    now, zone = datetime.now(UTC), settings.timezone
    scopes = _scopes(arguments.scope)
    expires_at = _expiry(arguments.expires, now=now, zone=zone)
    text = token_text(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
    async with opened(settings) as dome:
        token = await access.create_token(
            text,
            dome.ports,
            user_id=arguments.user or settings.user,
            name=arguments.name,
            scopes=scopes,
            now=now,
            expires_at=expires_at,
        )
    output.value({"token": text, **_shape(token, now=now, zone=zone)})
    if not output.is_json:
        until = local_iso(token.expires_at, zone) if token.expires_at else "it is revoked"
        output.remark(
            f"Token {token.token_id} for {token.user_id}: {_names(token)}, until {until}.\n"
            "It is shown this once. Send it as `Authorization: Bearer …`."
        )
    output.line(text)
    return 0


async def list_tokens(invocation: Invocation) -> int:
    """Prints the tokens of one user, or of all, and whether they may still be used."""
    output, settings = invocation.output, invocation.settings()
    now, zone = datetime.now(UTC), settings.timezone
    async with opened(settings) as dome:
        tokens = await access.list_tokens(dome.ports, user_id=invocation.arguments.user)
    output.value({"tokens": [_shape(token, now=now, zone=zone) for token in tokens]})
    output.table(
        ("id", "user", "name", "scopes", "created", "expires", "last used", "state"),
        [
            (
                token.token_id,
                token.user_id,
                token.name,
                _names(token),
                _day(token.created_at, zone),
                _day(token.expires_at, zone) if token.expires_at else _NEVER,
                _day(token.last_used_at, zone) if token.last_used_at else _NEVER,
                _state(token, now),
            )
            for token in tokens
        ],
    )
    return 0


async def revoke(invocation: Invocation) -> int:
    """Makes tokens useless from the next request on; all of them, or none where one is unknown."""
    # Whoever finds a token lying about has its whole text, and may paste that.
    named = [parse_token(text.strip()) or (text, "") for text in invocation.arguments.token_ids]
    token_ids = list(dict.fromkeys(token_id for token_id, _ in named))
    async with opened(invocation.settings()) as dome:
        await access.revoke_tokens(token_ids, dome.ports, now=datetime.now(UTC))
    invocation.output.value({"revoked": token_ids})
    for token_id in token_ids:
        invocation.output.line(f"Revoked {token_id}.")
    return 0


def _scopes(text: str) -> frozenset[Scope]:
    """The scopes named; `all` are those that keep to the user's own data."""
    words = text.replace(",", " ").split()
    if _ALL not in words:
        return parse_scopes(text)
    rest = " ".join(word for word in words if word != _ALL)
    return (EVERYTHING - {"admin"}) | (parse_scopes(rest) if rest else frozenset())


def _expiry(text: str, *, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When a token expires by `90d`, `2027-01-01` or `never`."""
    if text == _NEVER:
        return None
    span = _SPAN.fullmatch(text)
    if span is None:
        try:
            return parse_instant(text, zone, name="--expires")
        except InvalidInput as error:
            raise InvalidInput(
                error.message, "Send 90d, 12h, 2w, 1y, a date such as 2027-01-01, or never."
            ) from error
    return now + int(span[1]) * _UNITS[span[2]]


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "active" if token.is_live(now) else "expired"


def _names(token: Token) -> str:
    return ",".join(scope for scope in SCOPES if scope in token.scopes)


def _day(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"


def _shape(token: Token, *, now: datetime, zone: ZoneInfo) -> dict[str, object]:
    instants = {
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
    }
    return {
        "token_id": token.token_id,
        "user_id": token.user_id,
        "name": token.name,
        "scopes": [scope for scope in SCOPES if scope in token.scopes],
        **{name: at and local_iso(at, zone) for name, at in instants.items()},
        "state": _state(token, now),
    }
