"""The page on which a browser subscribes: what it serves, and to whom."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest

from dome_mcp.backends.embedded.notify import vapid
from dome_mcp.backends.embedded.notify.registry import notifiers
from dome_mcp.backends.embedded.notify.subscribing import SubscribePage, subscribe_page
from dome_mcp.core.agenda import Channel
from dome_mcp.core.errors import Conflict
from tests.conformance.notifier_benches import NOW, options_for
from tests.conformance.notifier_suite import KEY, NOTICE
from tests.simulators.push_service import PushService, running_push_service

pytestmark = pytest.mark.anyio

PUBLIC_KEY = "BPublicKey"


@pytest.fixture
def service() -> Iterator[PushService]:
    with running_push_service(NOW) as running:
        yield running


@pytest.fixture
async def page() -> AsyncIterator[SubscribePage]:
    async with subscribe_page(PUBLIC_KEY, port=0) as served:
        yield served


@pytest.fixture
async def browser(page: SubscribePage) -> AsyncIterator[httpx.AsyncClient]:
    """A client that opened the page's address, and has its token."""
    parts = urlsplit(page.url)
    token = parse_qs(parts.query)["token"][0]
    async with httpx.AsyncClient(
        base_url=f"http://{parts.netloc}", headers={"X-Dome-Token": token}, trust_env=False
    ) as client:
        yield client


async def test_the_page_and_its_parts_are_served_under_a_strict_policy(
    page: SubscribePage, browser: httpx.AsyncClient
) -> None:
    served = await browser.get(page.url)
    assert served.status_code == 200
    for part in ("subscribe.css", "subscribe.js", "worker.js"):
        answer = await browser.get(f"/{part}")
        assert answer.status_code == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "'none'" in answer.headers["Content-Security-Policy"]
    policy = served.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    # All that the policy would refuse.
    assert "onclick" not in served.text
    assert "<style" not in served.text
    assert served.headers["Cache-Control"] == "no-store"


async def test_the_key_is_for_whoever_has_the_token(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/key")).text == PUBLIC_KEY


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/key"), ("POST", "/subscription")]
)
async def test_without_the_token_nothing_is_told_or_taken(
    browser: httpx.AsyncClient, service: PushService, method: str, path: str
) -> None:
    answer = await browser.request(
        method, path, headers={"X-Dome-Token": "wrong"}, content=service.subscription
    )
    assert answer.status_code == 403
    assert PUBLIC_KEY not in answer.text


async def test_a_name_that_was_made_to_lead_here_is_refused(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/key", headers={"Host": "evil.example"})
    assert answer.status_code == 421


@pytest.mark.parametrize("content", ["", "{}", "[]", "x" * 9000])
async def test_what_is_no_subscription_is_refused_and_the_page_stays(
    browser: httpx.AsyncClient, content: str
) -> None:
    assert (await browser.post("/subscription", content=content)).status_code == 400
    assert (await browser.get("/key")).status_code == 200


async def test_no_file_beside_the_pages_is_served(browser: httpx.AsyncClient) -> None:
    for path in ("/../vapid.py", "/..%2fvapid.py", "/pages/worker.js"):
        assert (await browser.get(path)).status_code == 404


async def test_a_port_that_is_taken_is_said_so(page: SubscribePage) -> None:
    port = urlsplit(page.url).port
    assert port is not None
    with pytest.raises(Conflict, match="taken"):
        async with subscribe_page(PUBLIC_KEY, port=port):
            pass


async def test_the_page_ends_with_its_block_though_no_browser_came() -> None:
    with anyio.fail_after(10):
        async with subscribe_page(PUBLIC_KEY, port=0) as page, anyio.create_task_group() as tasks:
            tasks.start_soon(page.subscription)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(page.url)


async def test_a_browser_that_subscribes_gets_the_next_notice(
    page: SubscribePage, browser: httpx.AsyncClient, service: PushService, tmp_path: Path
) -> None:
    answer = await browser.post("/subscription", content=service.subscription)
    assert answer.status_code == 200
    with anyio.fail_after(10):
        subscription = await page.subscription()
    service.application_key = vapid.public_key(vapid.load_keys(tmp_path))
    channel = Channel("phone", "me", "webpush", subscription)
    await notifiers(options_for(tmp_path))["webpush"].notify(NOTICE, channel, idempotency_key=KEY)
    assert json.loads(subscription) == json.loads(service.subscription)
    assert [push["title"] for push in service.pushes] == [NOTICE.text]
