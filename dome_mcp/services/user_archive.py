"""What an export of a user has besides notes, tasks and reminders, as JSON, times in milliseconds.

It is there for the user to read and to take along; nothing of it is ever restored. What lets
somebody in is left out: of a token the hash, of a channel whatever is secret in it, unless asked
for.
"""

from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime

from dome_mcp.core.access import SCOPES
from dome_mcp.core.agenda import Delivery, Firing
from dome_mcp.core.audit import AuditEntry
from dome_mcp.core.channels import SECRET, TOKEN, masked
from dome_mcp.core.ports import Ports
from dome_mcp.core.sessions import Exchange
from dome_mcp.core.timestamps import to_ms
from dome_mcp.core.tokens import Token
from dome_mcp.services.access import list_tokens
from dome_mcp.services.audit import MAX_PAGE, list_entries
from dome_mcp.services.channels import list_channels
from dome_mcp.store import history, sessions
from dome_mcp.store.firings import to_delivery, to_firing
from dome_mcp.store.notes import to_int
from dome_mcp.store.sessions import to_exchange

Record = dict[str, object]

_PAGE = 500
_SECRET_OPTIONS = frozenset({SECRET, TOKEN})


async def firing_records(ports: Ports, *, user_id: str) -> AsyncIterator[Record]:
    """What fired, by reminder and time."""
    rows = await ports.database.query(history.firings_by_reminder(user_id, limit=_PAGE))
    while rows:
        for row in rows:
            yield {"kind": "firing", **_record(to_firing(row))}
        after = (str(rows[-1]["reminder_id"]), to_int(rows[-1]["fired_due_at_ms"]))
        rows = await ports.database.query(
            history.firings_by_reminder(user_id, after=after, limit=_PAGE)
        )


async def delivery_records(ports: Ports, *, user_id: str) -> AsyncIterator[Record]:
    """How each firing went out, and what became of it."""
    rows = await ports.database.query(history.deliveries_by_key(user_id, limit=_PAGE))
    while rows:
        for row in rows:
            yield {"kind": "delivery", **_record(to_delivery(row))}
        after = str(rows[-1]["delivery_key"])
        rows = await ports.database.query(
            history.deliveries_by_key(user_id, after=after, limit=_PAGE)
        )


async def channel_records(
    ports: Ports, *, user_id: str, with_secrets: bool
) -> AsyncIterator[Record]:
    """The user's channels, by name; their addresses whole only with their secrets."""
    for each in await list_channels(ports, user_id=user_id):
        channel = each.channel
        options = dict(channel.options)
        shown = {name for name in options if with_secrets or name not in _SECRET_OPTIONS}
        yield {
            "name": channel.name,
            "kind": channel.kind,
            "address": channel.address if with_secrets else masked(channel),
            "options": {name: options[name] for name in sorted(shown)},
            "is_default": channel.is_default,
        }


async def token_records(ports: Ports, *, user_id: str) -> AsyncIterator[Record]:
    """The user's tokens, the oldest first."""
    for token in await list_tokens(ports, user_id=user_id):
        record = _record(token)
        del record["secret_hash"]
        yield {**record, "scopes": [scope for scope in SCOPES if scope in token.scopes]}


async def audit_records(ports: Ports, *, user_id: str) -> AsyncIterator[Record]:
    """The user's entries of the audit log, the last first."""
    cursor: str | None = None
    while True:
        page = await list_entries(ports, user_id=user_id, limit=MAX_PAGE, cursor=cursor)
        for entry in page.entries:
            yield _record(entry)
        cursor = page.next_cursor
        if cursor is None:
            return


async def exchange_records(ports: Ports, *, user_id: str) -> AsyncIterator[Record]:
    """What the user asked of the notes and was answered, the first first."""
    after = ""
    while rows := await ports.database.query(
        sessions.exchanges_by_id(user_id, after=after, limit=_PAGE)
    ):
        for row in rows:
            yield _record(to_exchange(row))
        after = str(rows[-1]["exchange_id"])


def _record(value: Firing | Delivery | Token | AuditEntry | Exchange) -> Record:
    """The value as JSON, without the user's id: the whole export is of one user."""
    return {name: _to_json(field) for name, field in asdict(value).items() if name != "user_id"}


def _to_json(value: object) -> object:
    return to_ms(value) if isinstance(value, datetime) else value
