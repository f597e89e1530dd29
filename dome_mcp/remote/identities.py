"""Whom a token speaks for: what the gate asks of an issuer of tokens, whoever that is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dome_mcp.core.access import Scope
from dome_mcp.core.errors import DomeError

LEEWAY_SECONDS = 30
"""By how much the issuer's clock and ours may differ."""


class InvalidToken(DomeError):
    """The token lets nobody in; the message says as much of why as helps its owner."""


class ExpiredToken(InvalidToken):
    """The token was good: whoever has it gets a new one, and guesses nothing."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token speaks for, as the issuer calls them, and what it permits here until when."""

    name: str
    scopes: frozenset[Scope]
    credential: str
    expires_at: datetime


class Issuer(Protocol):
    """Whose tokens are believed besides ours."""

    async def identity(self, token: str) -> Identity:
        """Whom the token speaks for.

        Raises:
            InvalidToken: for nobody, here and now.
            BackendUnavailable: it cannot be found out now.
        """
        ...
