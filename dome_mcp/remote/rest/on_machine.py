"""The surroundings of an API that a process of its own serves: disk, keys, name servers."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from dome_mcp import notifying
from dome_mcp.app import Dome
from dome_mcp.core.agenda import Channel
from dome_mcp.core.ports import Notifier
from dome_mcp.resources.status import machine_of
from dome_mcp.settings import Settings


class OnMachine:
    """`Surroundings` of a machine."""

    async def describe(self, dome: Dome) -> dict[str, Any]:
        """See `Surroundings.describe`."""
        return await machine_of(dome)

    async def push_key(self, settings: Settings) -> str:
        """See `Surroundings.push_key`."""
        return await notifying.push_key(settings)

    async def require_reachable(self, draft: Channel, *, allow_private: bool) -> None:
        """See `Surroundings.require_reachable`; the host is looked up."""
        await notifying.require_reachable(draft, allow_private=allow_private)

    def open_notifiers(
        self, settings: Settings
    ) -> AbstractAsyncContextManager[Mapping[str, Notifier]]:
        """See `Surroundings.open_notifiers`."""
        return notifying.open_notifiers(settings)
