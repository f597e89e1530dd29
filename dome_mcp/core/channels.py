"""Channels: which kinds there are, what their addresses must hold, and what of them may be shown.

| kind | address | secret in it |
| --- | --- | --- |
| `desktop` | none | |
| `email` | see mail_routes.py | the password |
| `slack` | `https://hooks.slack.com/services/…` | the path |
| `ntfy` | `https://host/topic` | the topic |
| `webhook` | `https://host/path` | path and query |
| `webpush` | what the browser's PushManager gave, as JSON | all of it |
| `apprise` | any Apprise URL | all but the scheme |

No message here repeats an address.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import cast
from urllib.parse import SplitResult, urlsplit

from dome_mcp.core.agenda import Channel
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.mail_routes import check_mail_address, masked_mail

DESKTOP = "desktop"
KINDS = (DESKTOP, "email", "slack", "ntfy", "webhook", "webpush", "apprise")
WEB_KINDS = ("slack", "ntfy", "webhook", "webpush")
"""The kinds whose address is, or holds, a URL that DOME itself posts to."""

ALLOW_PRIVATE = "allow_private"
"""Option `true`: the address may be in a private network; the user said so when adding it."""
PUBLIC_ONLY = "public_only"
"""Option `true` of `email`: the mail server's address must be public, because whoever added the
channel may not reach into this machine's network."""
TOKEN = "token"  # noqa: S105  the option's name
"""Option of `ntfy`: the access token of its server."""
SECRET = "secret"  # noqa: S105  the option's name
"""Option of `webhook`: what its signatures are made with."""
EVENTS = "events"
"""Option of `webhook`: what it is told of besides reminders, separated by commas."""
INGESTION_COMPLETE = "ingestion_complete"
"""The event that a job's note is stored and found by all searches."""
EVENT_NAMES = frozenset({INGESTION_COMPLETE})
CONTACT = "contact"
"""Option of `webpush`: the mailto: or https: address that push services may complain to."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EXAMPLES = {
    "slack": "Send the URL of an incoming webhook: https://hooks.slack.com/services/…",
    "ntfy": "Send https://ntfy.sh/your-topic.",
    "webhook": "Send https://host/path.",
    "webpush": "Run `dome-mcp channel add NAME --webpush`, which subscribes a browser, or send the "
    "JSON of a browser's PushSubscription.",
    "apprise": "Send an Apprise URL, for example tgram://bot-token/chat-id.",
}


@dataclass(frozen=True, slots=True)
class PushSubscription:
    """A browser that agreed to take pushes; the keys are base64url."""

    endpoint: str
    p256dh: str
    auth: str


def desktop_channel(user_id: str) -> Channel:
    """The channel that every user has without adding it."""
    return Channel(DESKTOP, user_id, DESKTOP, "")


def clean_name(name: str) -> str:
    """The name as it is stored, in lower case.

    Raises:
        InvalidInput: not 1 to 40 letters, digits, `.`, `_` or `-`.
    """
    cleaned = name.strip().lower()
    if not _NAME.fullmatch(cleaned):
        raise InvalidInput(
            f"{name[:60]!r} cannot be the name of a channel.",
            "Send 1 to 40 letters, digits or any of . _ - beginning with a letter or digit.",
        )
    return cleaned


def checked(channel: Channel, *, allow_private: bool) -> Channel:
    """The channel with its name and address as they are stored.

    Plain http is for one's own network, so it takes `allow_private`, which is kept as an option.

    Raises:
        InvalidInput: an unknown kind, or an address that is none of this kind.
    """
    name = clean_name(channel.name)
    if channel.kind not in KINDS:
        raise InvalidInput(f"There is no channel kind {channel.kind!r}.", f"Send {_either(KINDS)}.")
    if (name == DESKTOP) != (channel.kind == DESKTOP):
        raise InvalidInput(
            "The name desktop belongs to the desktop notice.", "Send another name for the channel."
        )
    options = {key: value for key, value in channel.options if key != ALLOW_PRIVATE and value}
    if allow_private:
        options[ALLOW_PRIVATE] = "true"
    stored = replace(
        channel,
        name=name,
        address=channel.address.strip(),
        options=tuple(sorted(options.items())),
    )
    _check_address(stored, allow_private=allow_private)
    _check_events(stored)
    return stored


def option(channel: Channel, name: str) -> str | None:
    return dict(channel.options).get(name)


def hears_of(channel: Channel, event: str) -> bool:
    """Whether the user wants this channel told of such events."""
    return event in _events(channel)


def may_be_private(channel: Channel) -> bool:
    """Whether the user allowed this channel's address to be in a private network."""
    return option(channel, ALLOW_PRIVATE) == "true"


def web_address(channel: Channel) -> str | None:
    """The URL that DOME posts to for this channel; None for the kinds that have none.

    Raises:
        InvalidInput: the subscription of a webpush channel cannot be read.
    """
    if channel.kind == "webpush":
        return push_subscription(channel.address).endpoint
    return channel.address if channel.kind in WEB_KINDS else None


def masked(channel: Channel) -> str:
    """What may be shown of the address: who reaches whom, nothing that lets another in."""
    if channel.kind == DESKTOP:
        return "this machine"
    if channel.kind == "email":
        return masked_mail(channel.address)
    if channel.kind == "apprise":
        return f"{urlsplit(channel.address).scheme}://…"
    parts = urlsplit(web_address(channel) or "")
    return f"{parts.scheme}://{parts.netloc}/…"


def push_subscription(address: str) -> PushSubscription:
    """The parts of a subscription as PushManager gives it.

    Raises:
        InvalidInput: it is not such JSON, or lacks its keys.
    """
    try:
        content = cast("dict[str, object]", json.loads(address))
        keys = cast("dict[str, object]", content["keys"])
        found = PushSubscription(str(content["endpoint"]), str(keys["p256dh"]), str(keys["auth"]))
    except (ValueError, KeyError, TypeError) as error:
        raise _not_an_address("webpush") from error
    if not all(re.fullmatch(r"[A-Za-z0-9_=-]{16,200}", key) for key in (found.p256dh, found.auth)):
        raise _not_an_address("webpush")
    return found


def ntfy_topic(address: str) -> tuple[str, str]:
    """The server's own URL and the topic of an ntfy address.

    Raises:
        InvalidInput: it is not a host and one topic.
    """
    parts = _split(address, "ntfy")
    topic = parts.path.strip("/")
    if not _TOPIC.fullmatch(topic) or parts.query:
        raise _not_an_address("ntfy")
    return f"{parts.scheme}://{parts.netloc}/", topic


def _events(channel: Channel) -> set[str]:
    return {each.strip() for each in (option(channel, EVENTS) or "").split(",") if each.strip()}


def _check_events(channel: Channel) -> None:
    events = _events(channel)
    if events and channel.kind != "webhook":
        raise InvalidInput("Only a webhook is told of events.", "Leave the events out.")
    if events - EVENT_NAMES:
        raise InvalidInput(
            "There is no such event.", f"Send any of {', '.join(sorted(EVENT_NAMES))}."
        )


def _check_address(channel: Channel, *, allow_private: bool) -> None:
    if channel.kind == DESKTOP and channel.address:
        raise InvalidInput("A desktop channel has no address.", "Leave the address out.")
    if channel.kind == "email":
        check_mail_address(channel.address)
    if channel.kind == "apprise" and not re.match(r"[a-z][a-z0-9+.-]*://.", channel.address, re.I):
        raise _not_an_address("apprise")
    if channel.kind == "ntfy":
        ntfy_topic(channel.address)
    url = web_address(channel)
    if url is not None:
        _check_web_address(url, channel.kind, allow_private=allow_private)


def _check_web_address(url: str, kind: str, *, allow_private: bool) -> None:
    parts = _split(url, kind)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", url):
        raise _not_an_address(kind)
    if parts.username or parts.password:
        raise InvalidInput(
            "The URL holds a user name or password.",
            "Send it without; for ntfy, send an access token as the option token.",
        )
    if parts.scheme == "http" and not allow_private:
        raise InvalidInput(
            "The URL is not https, so others could read the notices.",
            "Send an https URL; for one in your own network, allow that (--allow-private).",
        )


def _split(address: str, kind: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port  # Read here, because this is what finds a port that is no number.
    except ValueError as error:
        raise _not_an_address(kind) from error
    return parts


def _not_an_address(kind: str) -> InvalidInput:
    article = "an" if kind in ("ntfy", "apprise") else "a"
    return InvalidInput(
        f"This is not the address of {article} {kind} channel.", _EXAMPLES.get(kind, "")
    )


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
