"""Whose token it is and what it may do, as the server says; until it does, nothing is held back."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from dome_mcp.api_client.connection import Api
from dome_mcp.core.access import Principal, known_scopes
from dome_mcp.core.errors import DomeError
from dome_mcp.core.zones import parse_zone

_PATIENCE_SECONDS = 5.0
"""A client waits for its list, and not for a network that leads nowhere."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Standing:
    """What this process may do by its token, asked for once.

    What may not be done is refused by the server, whatever is known here. So a server that does
    not answer leaves every tool in the list: what is called then says what is the matter.
    """

    api: Api
    principal: Principal
    _is_known: bool = False
    _asking: anyio.Lock = field(default_factory=anyio.Lock)

    async def learn(self) -> Principal:
        """Who the token stands for; as long as the server does not say, whoever may do all."""
        async with self._asking:
            if not self._is_known:
                with anyio.move_on_after(_PATIENCE_SECONDS):
                    await self._ask()
        return self.principal

    async def _ask(self) -> None:
        try:
            me: dict[str, Any] = await self.api.get("me")
        except DomeError as error:
            _log.warning("what the token may do is not known yet: %s", error)
            return
        scopes, zone = known_scopes(me["scopes"]), parse_zone(me["timezone"])
        self.principal = replace(self.principal, scopes=scopes, zone=zone)
        self._is_known = True
