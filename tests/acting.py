"""Callers that a test makes up, and clients that send their messages on behalf of them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import combinations

from mcp import Client

from dome_mcp.core.access import SCOPES, Principal, Scope
from dome_mcp.core.audit import Outcome
from dome_mcp.server import build_server
from tests.serving import OFFERED, Serving


def caller(user_id: str, *scopes: Scope) -> Principal:
    """A principal with these scopes, with all of them where none is named."""
    return Principal(user_id, frozenset(scopes or SCOPES), credential=f"token of {user_id}")


ANNA, BEN = caller("anna"), caller("ben")


@dataclass
class Actor:
    """Whoever the test says sends the next message."""

    principal: Principal = ANNA
    observed: list[tuple[str, str, str, Outcome]] = field(default_factory=list)

    def identify(self, request: object) -> Principal:
        del request
        return self.principal

    def observe(
        self, principal: Principal, action: str, target: str, outcome: Outcome, seconds: float
    ) -> None:
        assert seconds >= 0
        self.observed.append((principal.user_id, action, target, outcome))


@asynccontextmanager
async def client_of(
    served: Serving, actor: Actor | Principal, era: str = "auto"
) -> AsyncIterator[Client]:
    """A client whose every message is the actor's, of a server at the same door as the others'.

    It keeps no list, so that it shows what the server gives to whoever asks now.
    """
    who = Actor(actor) if isinstance(actor, Principal) else actor
    server = build_server(served.door, identify=who.identify, observe=who.observe, offer=OFFERED)
    async with Client(server, mode=era, cache=None) as client:
        yield client


def scope_sets_without(needed: Scope) -> Iterator[frozenset[Scope]]:
    """Every set of scopes that lacks this one."""
    others: list[Scope] = [scope for scope in SCOPES if scope != needed]
    for size in range(len(others) + 1):
        yield from map(frozenset, combinations(others, size))
