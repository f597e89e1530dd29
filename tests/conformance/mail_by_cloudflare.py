"""The e-mail driver before Cloudflare's Email Service, as a bench of the notifier suite."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx

from dome_mcp.backends.cloudflare.email import CloudflareEmail
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.mails import KEY_HEADER
from dome_mcp.backends.embedded.notify.registry import notifiers
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.ports import Notifier
from tests.conformance.notifier_benches import BRIEF_SECONDS, options_for
from tests.conformance.notifier_suite import Bench, Failure, Received
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.account import failure as envelope
from tests.simulators.cloudflare.email import SENDING_DISABLED, EmailSimulator

ADDRESS = "cloudflare:me@example.org?from=dome@example.com"
_ALWAYS = 99


class Silent:
    """A service that takes a request and never answers."""

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        del request, path
        await anyio.sleep_forever()
        raise AssertionError


async def at_once(seconds: float) -> None:
    """Waits for no pause between two tries."""
    del seconds
    await anyio.lowlevel.checkpoint()


@dataclass
class Opened:
    """The driver over a connection of its own for each notice."""

    account: SimulatedAccount
    timeout_seconds: float = 15.0
    sender: str | None = None
    kind: str = "email"

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        account = self.account
        async with CloudflareApi.open(
            account.account, transport=account.transport, sleep=at_once
        ) as api:
            mail = CloudflareEmail(api, sender=self.sender, timeout_seconds=self.timeout_seconds)
            return await mail.notify(notice, channel, idempotency_key=idempotency_key)


@dataclass
class CloudflareMailBench:
    """The driver as the registry gives it, with the account that it sends on."""

    home: Path
    service: EmailSimulator = field(default_factory=EmailSimulator)
    account: SimulatedAccount = field(default_factory=SimulatedAccount)
    timeout_seconds: float = 15.0
    channel: Channel = field(default_factory=lambda: Channel("mail", "me", "email", ADDRESS))

    def __post_init__(self) -> None:
        self.account.register("email", self.service)

    @property
    def secret(self) -> str:
        return self.account.token

    @property
    def notifier(self) -> Notifier:
        opened = Opened(self.account, self.timeout_seconds)
        return notifiers(options_for(self.home, by_cloudflare=opened))["email"]

    def received(self) -> Sequence[Received]:
        return [_read(mail) for mail in self.service.sent]

    def will_be(self, failure: Failure) -> None:
        if failure == "busy":
            self.account.fail_next("/email/", 503, "later", _ALWAYS)
        if failure == "refusing":
            body = envelope(SENDING_DISABLED, "email.sending.error.email.sending_disabled")
            self.account.fail_next("/email/", 403, body, _ALWAYS)
        if failure == "gone":
            self.account.break_next("/email/", httpx.ConnectError("refused"), _ALWAYS)
        if failure == "silent":
            self.account.register("email", Silent())
            self.timeout_seconds = BRIEF_SECONDS


@contextmanager
def cloudflare_mail_bench(home: Path) -> Iterator[Bench]:
    yield CloudflareMailBench(home)


def _read(mail: Mapping[str, Any]) -> Received:
    urls = re.findall(r'href="([^"]+)"', mail.get("html", ""))
    return Received(
        mail["text"], mail["headers"][KEY_HEADER], tuple(html.unescape(url) for url in urls)
    )
