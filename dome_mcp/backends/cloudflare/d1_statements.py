"""Statements as D1 takes them, and values as it gives them: over REST and by a binding alike.

What cannot fit is refused here, before anything is sent.

Source: https://developers.cloudflare.com/d1/platform/limits/ (2026-09-18).
"""

import math
from typing import Any

from dome_mcp.backends.cloudflare.d1_errors import BACKEND
from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Statement, Value

MAX_PARAMS = 100
MAX_SQL_BYTES = 100_000
MAX_VALUE_BYTES = 2_000_000

_MAX_INTEGER = 2**53 - 1


def encoded(statement: Statement, operation: str) -> Statement:
    """The statement with values that D1 can be given: numbers, texts, bytes and None.

    Raises:
        BackendRejected: it is more than D1 takes, or holds a value that D1 would change.
    """
    if len(_utf8(statement.sql, operation)) > MAX_SQL_BYTES:
        raise too_large("A statement's SQL", MAX_SQL_BYTES, operation)
    if len(statement.params) > MAX_PARAMS:
        raise BackendRejected(
            BACKEND,
            operation,
            f"A statement has more than {MAX_PARAMS} parameters.",
            "Give a list as one JSON parameter.",
        )
    return Statement(statement.sql, tuple(_encoded(each, operation) for each in statement.params))


def decoded(value: Any) -> Value:
    """A value of a row: D1 gives a BLOB as an array of numbers."""
    return bytes(value) if isinstance(value, list) else value


def too_large(what: str, max_bytes: int, operation: str) -> BackendRejected:
    """The refusal of what is longer than D1 takes."""
    return BackendRejected(
        BACKEND,
        operation,
        f"{what} has more than the {max_bytes:,} bytes that D1 takes; nothing was written.",
        "A batch is one transaction and cannot be split: write less at once.",
    )


def _encoded(value: Value, operation: str) -> Value:
    """A parameter; numbers that JavaScript would change are refused."""
    match value:
        case int() if abs(value) > _MAX_INTEGER:
            raise BackendRejected(
                BACKEND,
                operation,
                "A whole number is beyond 2**53, and D1 would round it.",
                "Store it as text.",
            )
        case float() if not math.isfinite(value):
            raise BackendRejected(BACKEND, operation, "A number is infinite, or none at all.")
        case str():
            if len(_utf8(value, operation)) > MAX_VALUE_BYTES:
                raise too_large("A text", MAX_VALUE_BYTES, operation)
            return value
        case bytes():
            if len(value) > MAX_VALUE_BYTES:
                raise too_large("A value", MAX_VALUE_BYTES, operation)
            return value
        case _:
            return int(value) if isinstance(value, bool) else value


def _utf8(text: str, operation: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BackendRejected(
            BACKEND, operation, "A text is broken and cannot be stored."
        ) from error
