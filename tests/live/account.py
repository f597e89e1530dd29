"""The account that the live suite runs on, as the environment names it, and plain calls to it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from dome_mcp.backends.cloudflare.http import Account
from dome_mcp.backends.cloudflare.provisioning import Resource
from dome_mcp.cloudflare_account import account_of
from dome_mcp.cloudflare_settings import PORT_NAMES
from dome_mcp.settings import Settings, environment, load

NEEDED = ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN")
MAIL_TO = "DOME_LIVE_EMAIL"
MAIL_FROM = "DOME_EMAIL_SENDER"
READER_TOKEN = "DOME_LIVE_D1_READ_TOKEN"  # noqa: S105 - the name of a variable
WORKER_URL = "DOME_LIVE_WORKER_URL"

_PASSED_ON = (
    *NEEDED,
    MAIL_FROM,
    "DOME_CLOUDFLARE_BASE_URL",
    "DOME_R2_ENDPOINT",
    "DOME_R2_ACCESS_KEY_ID",
    "DOME_R2_SECRET_ACCESS_KEY",
)
"""The rest of the environment is left alone: it may name the resources of somebody's own DOME."""

CALLS_OF_A_TEST = 200
"""More than any one test makes."""

_ANSWER_SECONDS = 60
_SHOWN_CHARACTERS = 2_000
_LEFT = re.compile(r"r=(\d+);\s*t=(\d+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What Cloudflare answered; shown in a failed assertion without the account or a token."""

    status: int
    body: Any
    """The JSON, or the text where it is none."""
    ratelimit: str | None
    hidden: tuple[str, ...] = ()

    def __repr__(self) -> str:
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        shown = f"HTTP {self.status}, Ratelimit {self.ratelimit}: {text[:_SHOWN_CHARACTERS]}"
        for secret in self.hidden:
            shown = shown.replace(secret, "…")
        return shown

    @property
    def result(self) -> Any:
        """The envelope's result.

        Raises:
            AssertionError: it has none, because the call was refused.
        """
        assert httpx.codes.is_success(self.status), self
        assert isinstance(self.body, Mapping), self
        assert self.body["success"] is True, self
        return self.body.get("result")

    @property
    def code(self) -> int | None:
        """The code of the first error."""
        errors = self.body.get("errors") if isinstance(self.body, Mapping) else None
        return errors[0].get("code") if errors else None

    @property
    def is_refused(self) -> bool:
        """Whether it is a refusal of what was asked, and neither an outage nor a full window."""
        is_passing = self.status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS)
        return httpx.codes.is_client_error(self.status) and not is_passing

    @property
    def seconds_to_wait(self) -> float:
        """How long until the token has calls enough for any one test.

        A driver that runs short waits by itself, but then a test's own patience ends first.
        """
        left = self.calls_left
        return left[1] + 1.0 if left and left[0] < CALLS_OF_A_TEST else 0.0

    @property
    def calls_left(self) -> tuple[int, int] | None:
        """How many calls the token has left, and the seconds until it has all of them again.

        Source: https://developers.cloudflare.com/fundamentals/api/reference/limits/ (2026-11).
        """
        found = _LEFT.search(self.ratelimit or "")
        return (int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True, slots=True)
class PlainCalls:
    """Calls of the account without a driver: sent once, whatever comes back is the answer."""

    client: httpx.AsyncClient
    account: Account = field(repr=False)

    async def __call__(self, method: str, path: str, **sent: Any) -> Answer:
        """The answer to `path`, which follows the account's id."""
        url = f"{self.account.base_url}/accounts/{self.account.account_id}{path}"
        headers = {"Authorization": f"Bearer {self.account.token}", **sent.pop("headers", {})}
        response = await self.client.request(
            method, url, headers=headers, timeout=_ANSWER_SECONDS, **sent
        )
        try:
            body = response.json()
        except ValueError:
            body = response.text
        return Answer(
            response.status_code,
            body,
            response.headers.get("Ratelimit"),
            (self.account.token, self.account.account_id),
        )

    def with_token(self, token: str) -> "PlainCalls":
        """The same account by another token."""
        return PlainCalls(self.client, replace(self.account, token=token))


def variable_of_suite(name: str) -> str:
    """What the environment has under that name, empty where it has nothing."""
    return environment().get(name, "")


def live_settings(home: Path) -> Settings:
    """The account in the environment, with no resource of it named yet.

    Raises:
        ConfigurationError: a variable cannot be read.
    """
    given = {name: variable_of_suite(name) for name in _PASSED_ON}
    return load({**given, "DOME_HOME": str(home)})


def live_account(settings: Settings) -> Account:
    account = account_of(settings.cloudflare)
    assert account is not None, f"{' and '.join(NEEDED)} do not look like an account and a token"
    return account


def on_resources(settings: Settings, *resources: Resource, model: str) -> Settings:
    """The settings of a DOME whose every port is in these resources."""
    names = {
        "database": "d1_database_id",
        "index": "vectorize_index",
        "bucket": "r2_bucket",
        "queue": "queue_id",
    }
    keys = {names[each.kind]: each.key for each in resources}
    cloud = replace(settings.cloudflare, **dict.fromkeys(PORT_NAMES, "cloudflare"), **keys)
    return replace(settings, backend="cloudflare", embedding_model=model, cloudflare=cloud)
