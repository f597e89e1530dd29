"""`dome-mcp channel`: the ways by which reminders reach the user."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dome_mcp.backends.embedded.notify.subscribing import subscribe_page
from dome_mcp.channel_trials import Trial, try_channel, with_secret
from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, Invocation, described
from dome_mcp.commands.typed import STANDARD_INPUT, read_text
from dome_mcp.companion_wiring import Agenda, open_agenda
from dome_mcp.core.agenda import Channel, Reminder
from dome_mcp.core.channels import (
    CONTACT,
    DESKTOP,
    EVENTS,
    KINDS,
    SECRET,
    TOKEN,
    desktop_channel,
    masked,
)
from dome_mcp.core.digest import time_of_day
from dome_mcp.core.errors import InvalidInput
from dome_mcp.notifying import push_key, require_reachable
from dome_mcp.services import channels as service
from dome_mcp.services.digest import end_digest, set_digest
from dome_mcp.settings import Settings
from dome_mcp.tools.channels import channel_result, health_result

_OFF = "off"


async def add(invocation: Invocation) -> int:
    """Adds a channel; for a browser, waits until one has subscribed on a page of its own."""
    arguments, output, settings = invocation.arguments, invocation.output, invocation.settings()
    allow_private: bool = arguments.allow_private or settings.allow_private_urls
    kind = _kind(arguments)
    if arguments.digest:
        time_of_day(arguments.digest)  # before a channel is added that was not asked for like this
    draft = with_secret(
        Channel(
            arguments.name,
            settings.user,
            kind,
            await _address(arguments, kind),
            options=_options(arguments, kind),
            is_default=not arguments.only_when_named,
        )
    )
    async with open_agenda(settings) as agenda:
        if kind == "webpush":
            address = await _subscribe(settings, output, port=arguments.port)
            draft = replace(draft, address=address)
        await require_reachable(draft, allow_private=allow_private)
        stored = await service.add_channel(
            draft,
            agenda.ports,
            user_id=settings.user,
            now=datetime.now(UTC),
            allow_private=allow_private,
            replaces=arguments.replace,
        )
        if arguments.digest:
            await _set_digest(stored.name, arguments.digest, agenda, output)
    secret = dict(stored.options).get(SECRET)
    output.value({**channel_result(stored), **({"secret": secret} if secret else {})})
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
    shapes = list(map(health_result, found))
    output.value({"channels": shapes, "desktop_available": has_desktop})
    output.table(
        ("name", "kind", "reaches", "used", "digest", "last failure"),
        [
            (
                each.channel.name,
                each.channel.kind,
                masked(each.channel),
                "by default" if each.channel.is_default else "when named",
                each.digest.isoformat("minutes") if each.digest else "",
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
        now, zone = datetime.now(UTC), settings.timezone.key
        trials = [
            await try_channel(channel, agenda.notifiers, now=now, zone=zone) for channel in channels
        ]
    output.value({"results": list(map(_result, trials))})
    for trial in trials:
        if trial.failure:
            output.line(f"{trial.name}: {trial.failure}", "yellow")
        else:
            output.line(f"{trial.name}: sent ({trial.receipt}).")
    return FAILED if any(trial.failure for trial in trials) else 0


async def digest(invocation: Invocation) -> int:
    """Has a digest sent by a channel every day at a time, or at none any more."""
    arguments, output, settings = invocation.arguments, invocation.output, invocation.settings()
    async with open_agenda(settings) as agenda:
        if arguments.at != _OFF:
            digest = await _set_digest(arguments.name, arguments.at, agenda, output)
            at = digest.schedule.start.time().isoformat("minutes")
            output.value({"name": digest.channels[0], "digest": at})
            return 0
        name = await end_digest(
            arguments.name, agenda.ports, user_id=settings.user, now=datetime.now(UTC)
        )
    output.value({"name": name, "digest": None})
    output.line(f"No digest is sent by {name}.")
    return 0


async def remove(invocation: Invocation) -> int:
    """Removes a channel; reminders that name it say so when they fire."""
    output, settings = invocation.output, invocation.settings()
    name: str = invocation.arguments.name
    async with open_agenda(settings) as agenda:
        reminders = await service.remove_channel(
            name, agenda.ports, user_id=settings.user, now=datetime.now(UTC)
        )
    output.value({"name": name, "removed": True, "reminders": reminders})
    output.line(f"Removed {name}.")
    if reminders and not output.is_json:
        output.remark(f"{reminders} active reminders name it and will not be sent by it.")
    return 0


async def _set_digest(name: str, at: str, agenda: Agenda, output: Output) -> Reminder:
    settings = agenda.settings
    digest = await set_digest(
        name,
        at,
        agenda.ports,
        user_id=settings.user,
        now=datetime.now(UTC),
        zone=settings.timezone.key,
    )
    schedule = digest.schedule
    output.line(f"Sends a digest every day at {schedule.start:%H:%M} ({schedule.zone}).")
    return digest


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
    for name, only in ((TOKEN, "ntfy"), (EVENTS, "webhook"), (CONTACT, "webpush")):
        if getattr(arguments, name) and kind != only:
            raise InvalidInput(f"--{name} is for {only} channels.", "Leave it out.")
    options: dict[str, str | None] = {
        name: getattr(arguments, name) for name in (TOKEN, EVENTS, CONTACT)
    }
    return tuple((name, value) for name, value in options.items() if value)


async def _subscribe(settings: Settings, output: Output, *, port: int) -> str:
    """The subscription of a browser that opens the page served here."""
    key = await push_key(settings)
    async with subscribe_page(key, port=port) as page:
        output.remark(f"Open this in the browser that is to show reminders:\n{page.url}")
        output.remark("Waiting for it; Ctrl-C gives up.")
        return await page.subscription()


async def _channels_to_test(names: Sequence[str], agenda: Agenda, *, user: str) -> list[Channel]:
    if names:
        return [await service.channel_named(name, agenda.ports, user_id=user) for name in names]
    defaults = await service.default_channels(agenda.ports, user_id=user)
    return list(defaults) or [desktop_channel(user)]


def _result(trial: Trial) -> dict[str, object]:
    return {
        "name": trial.name,
        "receipt": trial.receipt,
        "error": trial.failure and described(trial.failure),
    }


def _fallback(*, has_desktop: bool) -> str:
    where = "on this machine's desktop" if has_desktop else "only in the assistant's inbox"
    return f"Reminders that name no channel are shown {where}."
