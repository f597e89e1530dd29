"""The notifiers of this machine, made from the settings."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from dome_mcp.backends.embedded.notify.registry import NotifyOptions, notifiers
from dome_mcp.core.ports import Notifier
from dome_mcp.settings import Settings, environment
from dome_mcp.sources.addresses import resolve
from dome_mcp.sources.pinned import PinnedTransport, direct_transport


def notifiers_of(settings: Settings) -> Mapping[str, Notifier]:
    """A notifier for each kind of channel; `desktop` is missing where there is no desktop.

    Light enough for a companion: Apprise and pywebpush are imported at the first notice.
    """
    return notifiers(
        NotifyOptions(
            home=settings.home,
            clock=lambda: datetime.now(UTC),
            connect=checked_transport,
            platform=sys.platform,
            variables=environment(),
            allow_private=settings.allow_private_urls,
        )
    )


def checked_transport(allow_private: bool) -> httpx.AsyncBaseTransport:
    """A transport whose every request goes to an address that was checked first."""
    return PinnedTransport(direct_transport(), resolve, allow_private=allow_private)
