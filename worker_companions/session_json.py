"""Sessions as JSON, to a Durable Object and back; times in milliseconds."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from dome_mcp.core.sessions import Exchange, Session
from dome_mcp.core.timestamps import from_ms, to_ms

Json = dict[str, Any]


def to_json(value: Exchange | Session) -> Json:
    """The fields by name, to be read by the other two."""
    fields = asdict(value).items()
    return {name: _plain(each) for name, each in fields}


def to_exchange(fields: Mapping[str, Any]) -> Exchange:
    note_ids, asked_at = tuple(fields["note_ids"]), from_ms(int(fields["asked_at"]))
    return Exchange(**{**fields, "note_ids": note_ids, "asked_at": asked_at})


def to_session(fields: Mapping[str, Any]) -> Session:
    times = {name: from_ms(int(fields[name])) for name in ("began_at", "last_at")}
    return Session(**{**fields, **times, "exchanges": int(fields["exchanges"])})


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return to_ms(value)
    return list(value) if isinstance(value, tuple) else value
