"""What a new channel is given, and how it is tried, by whatever sends its notices."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.channels import DESKTOP, PUBLIC_ONLY, SECRET, checked, option, web_address
from dome_mcp.core.errors import DeliveryFailed, Forbidden
from dome_mcp.core.mail_routes import is_by_cloudflare, mail_route
from dome_mcp.core.notices import moment_words
from dome_mcp.core.ports import Notifier

_SECRET_BYTES = 32
_TEST_TEXT = "This is a test notice from DOME."


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test notice fared: a receipt, or why there is none."""

    name: str
    receipt: str | None = None
    failure: DeliveryFailed | None = None


def with_secret(channel: Channel) -> Channel:
    """The channel with what its notices are signed with, where its kind has that: a new one."""
    if channel.kind != "webhook":
        return channel
    secret = (SECRET, secrets.token_urlsafe(_SECRET_BYTES))
    return replace(channel, options=(*channel.options, secret))


def admissible(draft: Channel, *, allow_private: bool) -> Channel:
    """The channel as it is kept, if its user may have it as far as that shows without a network.

    Raises:
        InvalidInput: the address is none of its kind.
        Forbidden: it is in a private network and may not be, or is by an account of another.
    """
    channel = checked(draft, allow_private=allow_private)
    if is_by_cloudflare(channel.address) and option(channel, PUBLIC_ONLY):
        raise Forbidden(
            "Mail by Cloudflare is for this machine's owner.",
            "Send the smtp:// address of a mail server of your own.",
        )
    return channel


def host_to_check(channel: Channel) -> str | None:
    """The host to look up when the channel is added: a mail server's only where it matters."""
    if channel.kind == "email":
        is_looked_up = option(channel, PUBLIC_ONLY) and not is_by_cloudflare(channel.address)
        return mail_route(channel.address).host if is_looked_up else None
    url = web_address(channel)
    return None if url is None else urlsplit(url).hostname or ""


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
            raise _not_from_here(channel.kind)
        key = f"test:{now.isoformat()}:{channel.name}"
        return Trial(channel.name, await notifier.notify(notice, channel, idempotency_key=key))
    except DeliveryFailed as error:
        return Trial(channel.name, failure=error)


def _not_from_here(kind: str) -> DeliveryFailed:
    if kind == DESKTOP:
        return DeliveryFailed(
            "There is no desktop here to show a notice on.",
            "Add another channel with `dome-mcp channel add`.",
            retryable=False,
        )
    return DeliveryFailed(
        f"Nothing is sent by {kind} from here.",
        "The companion of a machine sends it; try the channel there: `dome-mcp channel test`.",
        retryable=False,
    )
