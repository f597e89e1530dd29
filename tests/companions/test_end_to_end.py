"""The promise: an assistant sets a reminder and leaves, and the user is reminded all the same."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from dome_mcp.core.agenda import Channel
from dome_mcp.services.channels import add_channel
from tests.companions.conftest import Stage, until
from tests.companions.processes import end_all, is_over, pids
from tests.server.processes import started
from tests.simulators.push_service import PushService, running_push_service
from tests.simulators.smtp_sink import SmtpSink, running_smtp_sink
from tests.simulators.webhook_sink import WebhookSink, running_webhook_sink

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.name == "nt", reason="the companion is ended by a signal"),
]

SOON = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where notices go: a mail server, a web hook and a browser's push service."""

    mail: SmtpSink
    hook: WebhookSink
    push: PushService

    def counts(self) -> tuple[int, int, int]:
        return len(self.mail.taken), len(self.hook.posted), len(self.push.pushes)

    def have(self, count: int) -> Callable[[], Awaitable[bool]]:
        """Asks whether each has so many notices."""

        async def have_arrived() -> bool:
            return min(self.counts()) >= count

        return have_arrived

    def texts(self) -> list[list[str]]:
        """What each was told, in alphabetical order."""
        mails = [str(message["Subject"]) for message in self.mail.taken]
        hooks = [posted.json["text"] for posted in self.hook.posted]
        return [sorted(mails), sorted(hooks), sorted(push["title"] for push in self.push.pushes)]

    def hook_links(self, text: str) -> Mapping[str, str]:
        """The links in what the web hook was sent, by their labels."""
        (content,) = (each.json for each in self.hook.posted if each.json["text"] == text)
        return {action["label"]: action["url"] for action in content["actions"]}

    def pushed_links(self, text: str) -> Mapping[str, str]:
        """The links in what the browser got, by their labels."""
        (content,) = (push for push in self.push.pushes if push["title"] == text)
        return {action["title"]: action["url"] for action in content["actions"]}

    def mail_links(self, text: str) -> Mapping[str, str]:
        """The links in the plain text of a mail, by their labels."""
        (message,) = (each for each in self.mail.taken if each["Subject"] == text)
        part = message.get_body(("plain",))
        assert part is not None
        lines = part.get_content().splitlines()
        return dict(line.split(": ") for line in lines if ": http" in line)


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with ExitStack() as stack:
        yield Receivers(
            stack.enter_context(running_smtp_sink()),
            stack.enter_context(running_webhook_sink()),
            stack.enter_context(running_push_service(datetime.now(UTC))),
        )


@pytest.fixture
async def home(stage: Stage, receivers: Receivers) -> AsyncIterator[Path]:
    """A data folder with a channel to each receiver; no companion is left on it afterwards."""
    mail = (
        f"smtp://localhost:{receivers.mail.port}?from=dome@example.com&to=me@example.com&tls=none"
    )
    channels = [
        Channel("hook", "me", "webhook", receivers.hook.url("/hook")),
        Channel("mail", "me", "email", mail),
        Channel("phone", "me", "webpush", receivers.push.subscription),
    ]
    for channel in channels:
        await add_channel(
            channel, stage.ports, user_id="me", now=stage.clock(), allow_private=True, replaces=True
        )
    yield stage.home
    await end_all(stage.database)


async def test_an_assistant_sets_reminders_and_leaves_and_the_user_is_reminded(
    home: Path, receivers: Receivers, stage: Stage
) -> None:
    async with started(home, DOME_COMPANION="auto") as server:
        await server.shake_hands()
        # The application is open from here on, so a few seconds are enough to set both.
        assert (await server.call("list_reminders"))["reminders"] == []
        at = (datetime.now(UTC) + SOON).isoformat(timespec="seconds")
        for text in ("Call Anna", "Water the plants"):
            await server.call("create_reminder", text=text, at=at)
        assert await server.hang_up() == 0
    await until(receivers.have(2))
    (pid,) = await pids(stage.database)
    assert not is_over(pid)
    assert receivers.texts() == [["Call Anna", "Water the plants"]] * 3
    assert receivers.push.refused == []

    hooked, mailed = receivers.hook_links("Call Anna"), receivers.mail_links("Water the plants")
    assert receivers.pushed_links("Call Anna") == hooked
    assert [await press(hooked["Done"]) for _ in range(2)] == [200, 403]
    assert [await press(mailed["Snooze 1 h"]) for _ in range(2)] == [200, 403]

    async with started(home) as later:
        await later.shake_hands()
        upcoming = await later.call("list_reminders", state="upcoming")
        assert "inbox" not in upcoming
    (snoozed,) = upcoming["reminders"]
    assert snoozed["text"] == "Water the plants"
    wait = datetime.fromisoformat(snoozed["next_fires"][0]) - datetime.now(UTC)
    assert timedelta(minutes=59) < wait <= timedelta(hours=1)
    assert receivers.counts() == (2, 2, 2)


async def press(url: str) -> int:
    """The answer to the button of a link's page, which was looked at before."""
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(url)
        return (await client.post(url)).status_code
