"""`dome-mcp channel`: the ways by which reminders reach the user."""

import argparse
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from dome_mcp.backends.embedded.notify.apprise import require_apprise_url
from dome_mcp.backends.embedded.notify.subscribing import subscribe_page
from dome_mcp.backends.embedded.notify.webpush import load_vapid
from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, Invocation, described
from dome_mcp.commands.typed import STANDARD_INPUT, read_text
from dome_mcp.companion_wiring import Agenda, open_agenda
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.channels import (
    CONTACT,
    DESKTOP,
    KINDS,
    SECRET,
    TOKEN,
    checked,
    desktop_channel,
    masked,
    may_be_private,
    web_address,
)
from dome_mcp.core.errors import DeliveryFailed, Forbidden, InvalidInput
from dome_mcp.core.notices import moment_words
from dome_mcp.services import channels as service
from dome_mcp.settings import Settings
from dome_mcp.sources.addresses import permitted, resolve

_SECRET_BYTES = 32
_TEST_TEXT = "This is a test notice from DOME."


async def add(invocation: Invocation) -> int:
    """Adds a channel; for a browser, waits until one has subscribed on a page of its own."""
    arguments, output, settings = invocation.arguments, invocation.output, invocation.settings()
    allow_private: bool = arguments.allow_private or settings.allow_private_urls
    kind = _kind(arguments)
    draft = Channel(
        arguments.name,
        settings.user,
        kind,
        await _address(arguments, kind),
        options=_options(arguments, kind),
        is_default=not arguments.only_when_named,
    )
    async with open_agenda(settings) as agenda:
        if kind == "webpush":
            address = await _subscribe(settings, output, port=arguments.port)
            draft = replace(draft, address=address)
        await _require_reachable(draft, allow_private=allow_private)
        stored = await service.add_channel(
            draft,
            agenda.ports,
            user_id=settings.user,
            now=datetime.now(UTC),
            allow_private=allow_private,
            replaces=arguments.replace,
        )
    secret = dict(stored.options).get(SECRET)
    output.value({**_shape(stored), **({"secret": secret} if secret else {})})
    output.line(f"Added {stored.name}: {stored.kind}, {masked(stored)}.")
    if secret:
        output.line(f"Its notices are signed with this secret, which is not shown again: {secret}")
    output.line(f"Try it with `dome-mcp channel test {stored.name}`.")
    return 0


async def list_channels(invocation: Invocation) -> int:
    """Prints the channels, addresses masked, and why the last notice of one failed."""
    output, settings = invocation.output, invocation.settings()
    async with open_agenda(settings) as agenda:
        found = await service.list_channels(agenda.ports, user_id=settings.user)
        has_desktop = DESKTOP in agenda.notifiers
    shapes = [{**_shape(each.channel), "last_error": each.last_error} for each in found]
    output.value({"channels": shapes, "desktop_available": has_desktop})
    output.table(
        ("name", "kind", "reaches", "used", "last failure"),
        [
            (
                each.channel.name,
                each.channel.kind,
                masked(each.channel),
                "by default" if each.channel.is_default else "when named",
                each.last_error or "",
            )
            for each in found
        ],
    )
    if not any(each.channel.is_default for each in found) and not output.is_json:
        output.remark(_fallback(has_desktop=has_desktop))
    return 0


async def test(invocation: Invocation) -> int:
    """Sends a notice by the named channels, or else by the default ones, and says how it went."""
    output, settings = invocation.output, invocation.settings()
    async with open_agenda(settings) as agenda:
        channels = await _channels_to_test(invocation.arguments.names, agenda, user=settings.user)
        results = [await _try(channel, agenda) for channel in channels]
    output.value({"results": results})
    for result in results:
        error = result["error"]
        if isinstance(error, dict):
            output.line(f"{result['name']}: {error['message']} {error['hint']}".rstrip(), "yellow")
        else:
            output.line(f"{result['name']}: sent ({result['receipt']}).")
    return FAILED if any(result["error"] for result in results) else 0


async def remove(invocation: Invocation) -> int:
    """Removes a channel; reminders that name it say so when they fire."""
    output, settings = invocation.output, invocation.settings()
    name: str = invocation.arguments.name
    async with open_agenda(settings) as agenda:
        reminders = await service.remove_channel(name, agenda.ports, user_id=settings.user)
    output.value({"name": name, "removed": True, "reminders": reminders})
    output.line(f"Removed {name}.")
    if reminders and not output.is_json:
        output.remark(f"{reminders} active reminders name it and will not be sent by it.")
    return 0


def _kind(arguments: argparse.Namespace) -> str:
    """The kind whose option was given: argparse allows one, and requires it."""
    return next(kind for kind in KINDS if getattr(arguments, kind))


async def _address(arguments: argparse.Namespace, kind: str) -> str:
    """What was given as address; `-` reads it from standard input, out of the shell's history."""
    given: str | bool = getattr(arguments, kind)
    if given is True:
        return ""
    return (await read_text(STANDARD_INPUT)).strip() if given == STANDARD_INPUT else str(given)


def _options(arguments: argparse.Namespace, kind: str) -> tuple[tuple[str, str], ...]:
    for name, only in ((TOKEN, "ntfy"), (CONTACT, "webpush")):
        if getattr(arguments, name) and kind != only:
            raise InvalidInput(f"--{name} is for {only} channels.", "Leave it out.")
    options: dict[str, str | None] = {TOKEN: arguments.token, CONTACT: arguments.contact}
    if kind == "webhook":
        options[SECRET] = secrets.token_urlsafe(_SECRET_BYTES)
    return tuple((name, value) for name, value in options.items() if value)


async def _subscribe(settings: Settings, output: Output, *, port: int) -> str:
    """The subscription of a browser that opens the page served here."""
    vapid = load_vapid()
    key = vapid.public_key(vapid.load_keys(settings.home))
    async with subscribe_page(key, port=port) as page:
        output.remark(f"Open this in the browser that is to show reminders:\n{page.url}")
        output.remark("Waiting for it; Ctrl-C gives up.")
        return await page.subscription()


async def _require_reachable(draft: Channel, *, allow_private: bool) -> None:
    """Refuses an address now that every notice to it would be refused for."""
    channel = checked(draft, allow_private=allow_private)
    if channel.kind == "apprise":
        require_apprise_url(channel.address)
    url = web_address(channel)
    if url is None:
        return
    try:
        await permitted(
            urlsplit(url).hostname or "", resolve, allow_private=may_be_private(channel)
        )
    except Forbidden as error:
        raise Forbidden(error.message, "If it is yours, add --allow-private.") from error


async def _channels_to_test(names: Sequence[str], agenda: Agenda, *, user: str) -> list[Channel]:
    if names:
        return [await service.channel_named(name, agenda.ports, user_id=user) for name in names]
    defaults = await service.default_channels(agenda.ports, user_id=user)
    return list(defaults) or [desktop_channel(user)]


async def _try(channel: Channel, agenda: Agenda) -> dict[str, object]:
    now = datetime.now(UTC)
    notice = Notice(
        reminder_id="test",
        user_id=channel.user_id,
        text=_TEST_TEXT,
        when=moment_words(now, agenda.settings.timezone.key),
    )
    result: dict[str, object] = {"name": channel.name, "receipt": None, "error": None}
    notifier = agenda.notifiers.get(channel.kind)
    try:
        if notifier is None:
            raise DeliveryFailed(
                "There is no desktop here to show a notice on.",
                "Add another channel with `dome-mcp channel add`.",
                retryable=False,
            )
        key = f"test:{now.isoformat()}:{channel.name}"
        result["receipt"] = await notifier.notify(notice, channel, idempotency_key=key)
    except DeliveryFailed as error:
        result["error"] = described(error)
    return result


def _fallback(*, has_desktop: bool) -> str:
    where = "on this machine's desktop" if has_desktop else "only in the assistant's inbox"
    return f"Reminders that name no channel are shown {where}."


def _shape(channel: Channel) -> dict[str, object]:
    return {
        "name": channel.name,
        "kind": channel.kind,
        "reaches": masked(channel),
        "is_default": channel.is_default,
        "allow_private": may_be_private(channel),
    }
