"""What the routes ask of whatever the API runs on, a machine or a Worker."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends, Request

from dome_mcp.app import Dome
from dome_mcp.core.agenda import Channel
from dome_mcp.core.ports import Notifier
from dome_mcp.settings import Settings


class Surroundings(Protocol):
    """The part of the API that differs by where it runs, besides the ports."""

    async def describe(self, dome: Dome) -> dict[str, Any]:
        """What an admin is told of it: `bytes` where something is on its disk, and `versions`."""
        ...

    async def push_key(self, settings: Settings) -> str:
        """The key that a browser needs to subscribe to Web Push, as base64url.

        Raises:
            DeliveryFailed: there is no Web Push here.
        """
        ...

    async def require_reachable(self, draft: Channel, *, allow_private: bool) -> None:
        """Refuses an address now that every notice to it would be refused for.

        Raises:
            InvalidInput: it is none of its kind, or there is no such host.
            Forbidden: it is in a private network and may not be.
        """
        ...

    def open_notifiers(
        self, settings: Settings
    ) -> AbstractAsyncContextManager[Mapping[str, Notifier]]:
        """What sends the notices that are sent from here, by the kind of channel."""
        ...


def _surroundings_of(request: Request) -> Surroundings:
    return cast("Surroundings", request.app.state.surroundings)


Here = Annotated[Surroundings, Depends(_surroundings_of)]
"""What a route takes that differs by where it runs."""
