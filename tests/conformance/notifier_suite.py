"""What every `Notifier` driver keeps.

A test module takes the tests in with `from … import *` and provides the fixture `bench`: a driver,
a channel, and the receiver behind it, which fails as the test asks. A test that needs what a
protocol has no place for (`CANNOT` in notifier_benches.py) is not collected for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import anyio
import pytest

from dome_mcp.core.agenda import Action, Channel, Notice
from dome_mcp.core.errors import DeliveryFailed
from dome_mcp.core.ports import Notifier

pytestmark = pytest.mark.anyio
needs = pytest.mark.needs
"""Marks a test with what it needs of a channel: `key`, `actions`, `secret`, or a failure."""

Failure = Literal["busy", "refusing", "silent", "gone"]
"""Busy: not now. Refusing: not this, ever. Silent: no answer. Gone: nothing listens there."""

NOTICE = Notice(
    reminder_id="01REMINDER",
    user_id="me",
    text="Take the bread out of the oven",
    when="Monday 2 March 2026, 10:00 (Europe/Berlin)",
    late="3 hours late. 2 earlier ones were missed.",
    snippet="“Bake at 230 °C for 40 minutes” (Sourdough)",
    actions=(
        Action("Done", "https://dome.example/link/done-token?a=1&b=2"),
        Action("Snooze 1 h", "https://dome.example/link/snooze-token"),
    ),
)
KEY = "01REMINDER:1772442000000:phone"


@dataclass(frozen=True, slots=True)
class Received:
    """A notice as the receiver has it: all it says, what names it, and where its actions lead."""

    text: str
    key: str | None = None
    urls: tuple[str, ...] = ()


class Bench(Protocol):
    """A driver and a channel, with the receiver under the test's control."""

    @property
    def notifier(self) -> Notifier: ...

    @property
    def channel(self) -> Channel: ...

    @property
    def secret(self) -> str:
        """What of the channel's address must not be seen; empty where there is nothing secret."""
        ...

    def received(self) -> Sequence[Received]:
        """What was taken so far, in order."""
        ...

    def will_be(self, failure: Failure) -> None:
        """Every later notice ends so."""
        ...


async def send(bench: Bench, notice: Notice = NOTICE, key: str = KEY) -> str:
    with anyio.fail_after(20):
        return await bench.notifier.notify(notice, bench.channel, idempotency_key=key)


async def failure_of(bench: Bench, failure: Failure) -> DeliveryFailed:
    bench.will_be(failure)
    with pytest.raises(DeliveryFailed) as caught:
        await send(bench)
    return caught.value


async def test_all_that_a_notice_says_arrives(bench: Bench) -> None:
    receipt = await send(bench)
    (received,) = bench.received()
    for part in (NOTICE.text, NOTICE.when, NOTICE.late, NOTICE.snippet):
        assert part in received.text
    assert receipt


async def test_the_kind_is_the_channels(bench: Bench) -> None:
    assert bench.notifier.kind == bench.channel.kind


async def test_a_notice_of_one_short_text_arrives_and_says_it_once(bench: Bench) -> None:
    await send(bench, Notice("r", "me", "Stretch", when="Monday 2 March 2026, 10:00"))
    (received,) = bench.received()
    assert received.text.count("Stretch") == 1


async def test_text_of_any_script_survives(bench: Bench) -> None:
    text = "Grüße an Zoë 🦉 – 牛乳を買う, اشتر الحليب"
    await send(bench, replace(NOTICE, text=text, snippet="“½ l молока”"))
    (received,) = bench.received()
    assert text in received.text
    assert "“½ l молока”" in received.text


async def test_markup_and_quotes_arrive_as_text(bench: Bench) -> None:
    text = "<b>5 > 3 & \"so\" 'on'</b> <!channel> $(id) `id` %TEMP% \\n"
    await send(bench, replace(NOTICE, text=text))
    (received,) = bench.received()
    assert text in received.text


async def test_line_breaks_and_control_characters_do_no_harm(bench: Bench) -> None:
    text = "One\r\nBcc: eve@example.com\r\n\r\nTwo\x00\x1b[31m\ud800 three"
    await send(bench, replace(NOTICE, text=text))
    (received,) = bench.received()
    assert "Two" in received.text
    assert "\x00" not in received.text
    assert "\x1b" not in received.text


async def test_a_text_that_looks_like_an_option_is_a_text(bench: Bench) -> None:
    await send(bench, replace(NOTICE, text="--help"))
    (received,) = bench.received()
    assert "--help" in received.text


async def test_a_long_text_arrives_from_its_beginning_and_with_the_time(bench: Bench) -> None:
    words = " ".join(f"übung{number}&" for number in range(4000))
    await send(bench, replace(NOTICE, text=words, snippet=words))
    (received,) = bench.received()
    assert words[:80] in received.text
    assert NOTICE.when in received.text


@needs("key")
async def test_the_same_key_again_is_recognisable(bench: Bench) -> None:
    for key in (KEY, KEY, f"{KEY}2"):
        await send(bench, key=key)
    first, second, other = (received.key for received in bench.received())
    assert first == second != other
    assert first


@needs("actions")
async def test_the_actions_are_there_to_tap(bench: Bench) -> None:
    await send(bench)
    (received,) = bench.received()
    assert received.urls == tuple(action.url for action in NOTICE.actions)


async def test_a_receiver_that_is_busy_is_worth_another_try(bench: Bench) -> None:
    error = await failure_of(bench, "busy")
    assert error.retryable


@needs("refusing")
async def test_a_refusal_is_final(bench: Bench) -> None:
    error = await failure_of(bench, "refusing")
    assert not error.retryable
    assert error.hint


@needs("silent")
async def test_a_receiver_that_does_not_answer_is_worth_another_try(bench: Bench) -> None:
    error = await failure_of(bench, "silent")
    assert error.retryable


@needs("gone")
async def test_a_receiver_that_is_gone_is_worth_another_try(bench: Bench) -> None:
    error = await failure_of(bench, "gone")
    assert error.retryable


@needs("secret")
@pytest.mark.parametrize(
    "failure",
    [
        "busy",
        pytest.param("refusing", marks=needs("refusing")),
        pytest.param("silent", marks=needs("silent")),
        pytest.param("gone", marks=needs("gone")),
    ],
)
async def test_no_failure_repeats_what_is_secret_in_the_address(
    bench: Bench, failure: Failure, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    error = await failure_of(bench, failure)
    assert bench.secret not in f"{error} {caplog.text}"


async def test_tasks_may_send_at_once(bench: Bench) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(send, bench, replace(NOTICE, text=f"Notice {number}."), f"k{number}")
    texts = [received.text for received in bench.received()]
    assert all(any(f"Notice {number}." in text for text in texts) for number in range(8))


@needs("silent")
async def test_a_cancelled_notice_ends_at_once(bench: Bench) -> None:
    bench.will_be("silent")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send, bench)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
