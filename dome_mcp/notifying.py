"""The notifiers of this machine, and what is asked of them when a channel is added or tried."""

import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import anyio.to_thread
import httpx

from dome_mcp.backends.cloudflare.email import CloudflareEmail
from dome_mcp.backends.embedded.notify.apprise import require_apprise_url
from dome_mcp.backends.embedded.notify.registry import NotifyOptions, notifiers
from dome_mcp.backends.embedded.notify.webpush import load_vapid
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.channels import (
    PUBLIC_ONLY,
    SECRET,
    checked,
    may_be_private,
    option,
    web_address,
)
from dome_mcp.core.errors import DeliveryFailed, Forbidden, InvalidInput
from dome_mcp.core.mail_routes import is_by_cloudflare, mail_route
from dome_mcp.core.notices import moment_words
from dome_mcp.core.ports import Notifier
from dome_mcp.settings import Settings, environment
from dome_mcp.sources.addresses import permitted, resolve
from dome_mcp.sources.pinned import PinnedTransport, direct_transport
from dome_mcp.stores import open_cloud

_SECRET_BYTES = 32
_TEST_TEXT = "This is a test notice from DOME."


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test notice fared: a receipt, or why there is none."""

    name: str
    receipt: str | None = None
    failure: DeliveryFailed | None = None


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


def with_secret(channel: Channel) -> Channel:
    """The channel with what its notices are signed with, where its kind has that: a new one."""
    if channel.kind != "webhook":
        return channel
    secret = (SECRET, secrets.token_urlsafe(_SECRET_BYTES))
    return replace(channel, options=(*channel.options, secret))


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
    channel = checked(draft, allow_private=allow_private)
    if is_by_cloudflare(channel.address) and option(channel, PUBLIC_ONLY):
        raise Forbidden(
            "Mail by Cloudflare is for this machine's owner.",
            "Send the smtp:// address of a mail server of your own.",
        )
    if channel.kind == "apprise":
        try:
            await anyio.to_thread.run_sync(require_apprise_url, channel.address)
        except DeliveryFailed as error:
            raise InvalidInput(error.message, error.hint) from error
    host = _host(channel)
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


async def try_channel(
    channel: Channel, served: Mapping[str, Notifier], *, now: datetime, zone: str
) -> Trial:
    """Sends a notice by the channel, and says how it went; `zone` is the user's."""
    notice = Notice(
        reminder_id="test",
        user_id=channel.user_id,
        text=_TEST_TEXT,
        when=moment_words(now, zone),
    )
    notifier = served.get(channel.kind)
    try:
        if notifier is None:
            raise DeliveryFailed(
                "There is no desktop here to show a notice on.",
                "Add another channel with `dome-mcp channel add`.",
                retryable=False,
            )
        key = f"test:{now.isoformat()}:{channel.name}"
        return Trial(channel.name, await notifier.notify(notice, channel, idempotency_key=key))
    except DeliveryFailed as error:
        return Trial(channel.name, failure=error)


def _host(channel: Channel) -> str | None:
    """The host to look up when the channel is added: a mail server's only where it matters."""
    if channel.kind == "email":
        is_looked_up = option(channel, PUBLIC_ONLY) and not is_by_cloudflare(channel.address)
        return mail_route(channel.address).host if is_looked_up else None
    url = web_address(channel)
    return None if url is None else urlsplit(url).hostname or ""
