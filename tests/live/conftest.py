"""One account for the session, what the tests make in it, and which tests run at all.

A live test runs where `-m live` asks for it and the environment has all it needs. The rest is left
out, and what for is said once.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import anyio
import httpx
import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import Account, CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Resource
from dome_mcp.backends.cloudflare.r2 import R2Blobs
from dome_mcp.cloudflare_wiring import CloudDrivers
from dome_mcp.settings import Settings
from tests.live.account import (
    NEEDED,
    PlainCalls,
    live_account,
    live_settings,
    on_resources,
    variable_of_suite,
)
from tests.live.resources import made, remove_leftovers

MODEL = "@cf/baai/bge-small-en-v1.5"
NOT_TO_BE_ORDERED = frozenset({"no quota", "overloaded", "failing", "garbage"})
"""Failures of the language model suite that no account can be brought to."""

_LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    is_asked_for = re.search(r"\blive\b", config.option.markexpr) is not None
    reasons = {item: _reason(item, is_asked_for) for item in items}
    left_out = [item for item in items if reasons[item]]
    items[:] = [item for item in items if not reasons[item]]
    config.hook.pytest_deselected(items=left_out)
    if is_asked_for:
        config.stash[_LEFT_OUT] = Counter(filter(None, reasons.values()))


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    left_out = config.stash.get(_LEFT_OUT, Counter[str]())
    return [f"live: {number} left out: {reason}" for reason, number in left_out.items()]


def _reason(item: pytest.Item, is_asked_for: bool) -> str | None:
    """Why a test is left out; None where it is to run, or is no live one."""
    marks = list(item.iter_markers("live"))
    if not marks:
        return None
    if not is_asked_for:
        return "-m live did not ask for it"
    needed = [*NEEDED, *(name for mark in marks for name in mark.kwargs.get("needs", ()))]
    missing = [name for name in needed if not variable_of_suite(name)]
    if missing:
        return f"{' and '.join(missing)} not set"
    callspec = getattr(item, "callspec", None)  # only parametrised tests have one
    failure = callspec.params.get("failure") if callspec else None
    return "nobody can order such a failure" if failure in NOT_TO_BE_ORDERED else None


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return live_settings(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="session")
def account(settings: Settings) -> Account:
    return live_account(settings)


@pytest.fixture(scope="session")
async def api(account: Account) -> AsyncIterator[CloudflareApi]:
    """The interface that the drivers share, in an account without leftovers."""
    async with CloudflareApi.open(account) as opened:
        await remove_leftovers(opened, datetime.now(UTC))
        yield opened


@pytest.fixture(scope="session")
async def ask(account: Account) -> AsyncIterator[PlainCalls]:
    async with httpx.AsyncClient() as client:
        yield PlainCalls(client, account)


@pytest.fixture
async def budget(ask: PlainCalls) -> None:
    """Waits, at most five minutes, until the token has calls enough for any one test."""
    answer = await ask("GET", "/d1/database", params={"per_page": 10})
    await anyio.sleep(answer.seconds_to_wait)


@pytest.fixture
async def database_resource(api: CloudflareApi) -> AsyncIterator[Resource]:
    async with made(api, "database") as resource:
        yield resource


@pytest.fixture
def database(api: CloudflareApi, database_resource: Resource) -> D1Database:
    """An empty database."""
    return D1Database(api, database_resource.key)


@pytest.fixture(scope="session")
async def bucket(api: CloudflareApi) -> AsyncIterator[Resource]:
    """One bucket for all tests, each of which finds it empty (`blobs`)."""
    async with made(api, "bucket") as resource:
        yield resource


@pytest.fixture
async def blobs(settings: Settings, bucket: Resource) -> AsyncIterator[R2Blobs]:
    """An empty blob store, with the access key that belongs to the API token."""
    async with (
        CloudDrivers.open(on_resources(settings, bucket, model=MODEL)) as drivers,
        drivers.blobs() as opened,
    ):
        assert isinstance(opened, R2Blobs)
        yield opened
        for key in await opened.keys():
            await opened.delete(key)
