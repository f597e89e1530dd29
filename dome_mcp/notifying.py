"""The notifiers of this machine, and what is asked of them when a channel is added or tried."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio.to_thread
import httpx

from dome_mcp.backends.cloudflare.email import CloudflareEmail
from dome_mcp.backends.embedded.notify.apprise import require_apprise_url
from dome_mcp.backends.embedded.notify.registry import NotifyOptions, notifiers
from dome_mcp.backends.embedded.notify.webpush import load_vapid
from dome_mcp.channel_trials import admissible, host_to_check
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import (
    may_be_private,
)
from dome_mcp.core.errors import DeliveryFailed, Forbidden, InvalidInput
from dome_mcp.core.ports import Notifier
from dome_mcp.settings import Settings, environment
from dome_mcp.sources.addresses import permitted, resolve
from dome_mcp.sources.pinned import PinnedTransport, direct_transport
from dome_mcp.stores import open_cloud


def notifiers_of(
    settings: Settings, *, by_cloudflare: Notifier | None = None
) -> Mapping[str, Notifier]:
    """A notifier for each kind of channel; `desktop` is missing where there is no desktop.

    `by_cloudflare` takes the mail of channels with a `cloudflare:` address.
    Light enough for a companion: Apprise and pywebpush are imported at the first notice.
    """
    return notifiers(
        NotifyOptions(
            home=settings.home,
            clock=lambda: datetime.now(UTC),
            connect=checked_transport,
            look_up=public_addresses,
            platform=sys.platform,
            variables=environment(),
            allow_private=settings.allow_private_urls,
            by_cloudflare=by_cloudflare,
        )
    )


@asynccontextmanager
async def open_notifiers(settings: Settings) -> AsyncIterator[Mapping[str, Notifier]]:
    """The notifiers, with Cloudflare's mail where the settings name an account, for a block."""
    async with open_cloud(settings) as cloud:
        sender = settings.cloudflare.email_sender
        mail = cloud and CloudflareEmail(cloud.api, sender=sender)
        yield notifiers_of(settings, by_cloudflare=mail)


def checked_transport(allow_private: bool) -> httpx.AsyncBaseTransport:
    """A transport whose every request goes to an address that was checked first."""
    return PinnedTransport(direct_transport(), resolve, allow_private=allow_private)


async def public_addresses(host: str) -> list[str]:
    """The addresses of a host, looked up once, every one of them public.

    Raises:
        Forbidden: one of them is not.
        InvalidInput, BackendUnavailable: there is no such host, or it cannot be looked up.
    """
    return [str(each) for each in await permitted(host, resolve, allow_private=False)]


async def push_key(settings: Settings) -> str:
    """The key that a browser needs to subscribe to this installation's pushes, as base64url.

    Raises:
        DeliveryFailed: Web Push is not installed, or its keys cannot be used.
    """

    def read() -> str:
        vapid = load_vapid()
        return str(vapid.public_key(vapid.load_keys(settings.home)))

    return await anyio.to_thread.run_sync(read)


async def require_reachable(draft: Channel, *, allow_private: bool) -> None:
    """Refuses an address now that every notice to it would be refused for.

    Raises:
        InvalidInput: it is none of its kind, there is no such host, or Apprise is not installed.
        Forbidden: it is in a private network and may not be, or is by an account of another.
    """
    channel = admissible(draft, allow_private=allow_private)
    if channel.kind == "apprise":
        try:
            await anyio.to_thread.run_sync(require_apprise_url, channel.address)
        except DeliveryFailed as error:
            raise InvalidInput(error.message, error.hint) from error
    host = host_to_check(channel)
    if host is None:
        return
    try:
        await permitted(host, resolve, allow_private=may_be_private(channel))
    except Forbidden as error:
        raise Forbidden(
            error.message,
            "If it is yours, add --allow-private; over HTTP send allow_private, with a token that "
            "has the scope admin.",
        ) from error
