"""Who sends a request: the gate writes it down, everything behind the gate reads it here."""

from typing import cast

from starlette.requests import HTTPConnection
from starlette.types import Scope

from dome_mcp.app import Caller
from dome_mcp.core.access import Principal

_KEY = "dome.caller"


def admit(scope: Scope, caller: Caller) -> None:
    """Writes down who sends the request; for the gate alone."""
    scope[_KEY] = caller


def caller_in(scope: Scope) -> Caller | None:
    """Who sent a request; None where the gate let it in without asking, or not at all."""
    return cast("Caller | None", scope.get(_KEY))


def caller_of(connection: HTTPConnection) -> Caller:
    """Who sends the request.

    Raises:
        RuntimeError: it did not come through the gate, or by one of its open doors.
    """
    caller = caller_in(connection.scope)
    if caller is None:
        raise RuntimeError("a request without a caller")
    return caller


def identify(connection: HTTPConnection | None) -> Principal:
    """On whose behalf an MCP message is sent, by the request that carried it.

    Raises:
        RuntimeError: no request carried it, or it did not come through the gate.
    """
    if connection is None:
        raise RuntimeError("a message without a request")
    return caller_of(connection).principal
