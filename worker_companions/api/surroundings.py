"""The surroundings of an API that a Worker serves: no disk, and no name server."""

import binascii
import platform
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import workers
from pyodide.ffi import JsException  # pyright: ignore[reportMissingImports] - only in a Worker

from dome_mcp import __version__
from dome_mcp.app import Dome
from dome_mcp.channel_trials import admissible, host_to_check
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import may_be_private
from dome_mcp.core.errors import DeliveryFailed, Forbidden
from dome_mcp.core.ports import Notifier
from dome_mcp.settings import Settings
from dome_mcp.sources.addresses import is_public, literal
from worker_companions.channels import worker_notifiers
from worker_companions.fetching import is_private
from worker_companions.pushing import public_key


class InWorker:
    """`Surroundings` of a Worker."""

    async def describe(self, dome: Dome) -> dict[str, Any]:
        """See `Surroundings.describe`."""
        return {"versions": {"dome": __version__, "python": platform.python_version()}}

    async def push_key(self, settings: Settings) -> str:
        """See `Surroundings.push_key`."""
        try:
            return await public_key(getattr(workers.env, "DOME_VAPID_KEY", ""))
        except (JsException, binascii.Error) as error:
            raise DeliveryFailed(
                "Web Push is not set up here.",
                "Run `dome-mcp cloud deploy` on the machine that has vapid.pem.",
                retryable=False,
            ) from error

    async def require_reachable(self, draft: Channel, *, allow_private: bool) -> None:
        """See `Surroundings.require_reachable`; a host is judged by its name."""
        channel = admissible(draft, allow_private=allow_private)
        host = host_to_check(channel)
        if host is not None and _is_private(host) and not may_be_private(channel):
            raise Forbidden(
                "The address is in a private network.",
                "If it is yours, send allow_private, with a token that has the scope admin.",
            )

    @asynccontextmanager
    async def open_notifiers(self, settings: Settings) -> AsyncIterator[Mapping[str, Notifier]]:
        """See `Surroundings.open_notifiers`."""
        yield worker_notifiers(workers.env, lambda: datetime.now(UTC))


def _is_private(host: str) -> bool:
    """Whether a host is spelt as an address that is not public, or is this machine."""
    spelt = literal(host)
    return is_private(f"https://{host}") if spelt is None else not is_public(spelt)
