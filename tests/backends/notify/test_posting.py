"""What all channels that speak HTTP have in common."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.notify.posting import Connect
from dome_mcp.backends.embedded.notify.registry import notifiers
from dome_mcp.core.agenda import Channel
from dome_mcp.core.errors import DeliveryFailed
from dome_mcp.sources.pinned import PinnedTransport, direct_transport
from tests.conformance.notifier_benches import options_for
from tests.conformance.notifier_suite import KEY, NOTICE
from tests.simulators.webhook_sink import Answer, WebhookSink, running_webhook_sink
from tests.sources.fetching import LOOPBACK, PUBLIC, Names

pytestmark = pytest.mark.anyio


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with running_webhook_sink() as server:
        yield server


async def post(sink: WebhookSink, home: Path, **changes: object) -> str:
    webhook = notifiers(options_for(home, **changes))["webhook"]
    channel = Channel("hook", "me", "webhook", sink.url("/in"))
    return await webhook.notify(NOTICE, channel, idempotency_key=KEY)


async def failure(sink: WebhookSink, home: Path, answer: Answer) -> DeliveryFailed:
    sink.answer_all(answer)
    with pytest.raises(DeliveryFailed) as caught:
        await post(sink, home)
    return caught.value


def checking(names: Names) -> Connect:
    """A connector as the product has it, with names that the test knows."""
    return lambda allow_private: PinnedTransport(
        direct_transport(), names, allow_private=allow_private
    )


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_status_that_may_pass_is_worth_another_try(
    sink: WebhookSink, tmp_path: Path, status: int
) -> None:
    error = await failure(sink, tmp_path, Answer(status))
    assert error.retryable
    assert str(status) in error.message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
async def test_a_status_that_stays_is_final(sink: WebhookSink, tmp_path: Path, status: int) -> None:
    error = await failure(sink, tmp_path, Answer(status))
    assert not error.retryable
    assert str(status) in error.message


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_a_status_of_success_is_the_receipt(
    sink: WebhookSink, tmp_path: Path, status: int
) -> None:
    sink.answer_all(Answer(status, b""))
    assert await post(sink, tmp_path) == f"HTTP {status}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_refused_and_not_followed(
    sink: WebhookSink, tmp_path: Path, status: int
) -> None:
    error = await failure(sink, tmp_path, Answer(status, headers={"Location": sink.url("/other")}))
    assert not error.retryable
    assert [posted.path for posted in sink.posted] == ["/in"]


async def test_the_seconds_of_retry_after_are_passed_on(sink: WebhookSink, tmp_path: Path) -> None:
    error = await failure(sink, tmp_path, Answer(429, headers={"Retry-After": "120"}))
    assert error.retry_after == 120


async def test_the_date_of_retry_after_counts_by_the_servers_clock(
    sink: WebhookSink, tmp_path: Path
) -> None:
    headers = {
        "Date": "Mon, 02 Mar 2026 10:00:00 GMT",
        "Retry-After": "Mon, 02 Mar 2026 10:05:00 GMT",
    }
    error = await failure(sink, tmp_path, Answer(503, headers=headers))
    assert error.retry_after == 300


@pytest.mark.parametrize("value", ["soon", "-5", "", "1e9", "٣"])
async def test_a_retry_after_that_says_nothing_is_none(
    sink: WebhookSink, tmp_path: Path, value: str
) -> None:
    error = await failure(sink, tmp_path, Answer(503, headers={"Retry-After": value}))
    assert error.retry_after is None


async def test_a_notice_is_taken_once_the_status_says_so(sink: WebhookSink, tmp_path: Path) -> None:
    """The body never comes; sent again, the user would have it twice."""
    sink.answer_all(Answer(200, b"x" * 100, holds_body=True))
    assert await post(sink, tmp_path, timeout_seconds=5) == "HTTP 200"


async def test_an_endless_answer_is_not_read_to_its_end(sink: WebhookSink, tmp_path: Path) -> None:
    sink.answer_all(Answer(200, b"x" * 50_000_000))
    assert await post(sink, tmp_path) == "HTTP 200"
    assert sink.written_bytes < 20_000_000


async def test_a_private_address_is_refused_for_good_before_anything_is_sent(
    sink: WebhookSink, tmp_path: Path
) -> None:
    with pytest.raises(DeliveryFailed, match="private network") as caught:
        await post(sink, tmp_path, connect=checking(Names()))
    assert not caught.value.retryable
    assert "--allow-private" in caught.value.hint
    assert sink.posted == []


async def test_a_name_that_turns_private_after_it_was_added_is_refused(
    sink: WebhookSink, tmp_path: Path
) -> None:
    names = Names(hook=[[PUBLIC, LOOPBACK]])
    webhook = notifiers(options_for(tmp_path, connect=checking(names)))["webhook"]
    channel = Channel("hook", "me", "webhook", f"http://hook.example:{sink.server_port}/in")
    with pytest.raises(DeliveryFailed, match="private network"):
        await webhook.notify(NOTICE, channel, idempotency_key=KEY)
    assert sink.posted == []


async def test_a_private_address_that_the_user_allowed_is_used(
    sink: WebhookSink, tmp_path: Path
) -> None:
    webhook = notifiers(options_for(tmp_path, connect=checking(Names())))["webhook"]
    options = (("allow_private", "true"),)
    channel = Channel("hook", "me", "webhook", sink.url("/in"), options)
    assert await webhook.notify(NOTICE, channel, idempotency_key=KEY) == "HTTP 200"


async def test_the_setting_allows_private_addresses_for_all_channels(
    sink: WebhookSink, tmp_path: Path
) -> None:
    assert await post(sink, tmp_path, connect=checking(Names()), allow_private=True) == "HTTP 200"
