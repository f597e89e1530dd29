"""What every `EventQueue` driver keeps.

A test module takes the tests in with `from … import *` and provides the fixture `bench`: a driver,
and who takes what it was given. Order and number are no part of the contract, so no test asks for
them; what the rows make of lost and repeated messages is tested with the reminder engine.
"""

import json
from collections.abc import Sequence
from typing import Protocol

import anyio
import pytest

from dome_mcp.core.ports import EventQueue

pytestmark = pytest.mark.anyio


class Bench(Protocol):
    """A queue with room for a thousand messages, and its receiver."""

    @property
    def queue(self) -> EventQueue: ...

    async def taken(self) -> Sequence[str]:
        """The bodies that a receiver is given now, without waiting for more."""
        ...


async def send(bench: Bench, bodies: Sequence[str]) -> None:
    with anyio.fail_after(10):
        await bench.queue.send(bodies)


async def test_a_message_is_there_when_send_returns(bench: Bench) -> None:
    await send(bench, ['{"key": "r1:0:hook", "attempt": 1}'])
    assert list(await bench.taken()) == ['{"key": "r1:0:hook", "attempt": 1}']


async def test_what_was_taken_is_not_there_any_more(bench: Bench) -> None:
    await send(bench, ["{}"])
    await bench.taken()
    assert list(await bench.taken()) == []


async def test_nothing_to_send_is_no_error(bench: Bench) -> None:
    await send(bench, [])
    assert list(await bench.taken()) == []


@pytest.mark.parametrize(
    "text",
    [
        "Grüße 🦉 牛乳",
        'quotes " and \\ and \n',
        "</script>\x00",
        "aGVsbG8=",
        "null",
        " ",
        "x" * 9000,
    ],
)
@pytest.mark.parametrize("is_ascii", [True, False])
async def test_a_text_of_any_script_comes_back_as_it_was(
    text: str, is_ascii: bool, bench: Bench
) -> None:
    body = json.dumps({"text": text}, ensure_ascii=is_ascii)
    await send(bench, [body])
    assert list(await bench.taken()) == [body]


async def test_many_messages_all_arrive(bench: Bench) -> None:
    bodies = [json.dumps({"number": number}) for number in range(250)]
    await send(bench, bodies)
    assert set(await bench.taken()) == set(bodies)


async def test_senders_do_not_disturb_each_other(bench: Bench) -> None:
    async with anyio.create_task_group() as tasks:
        for sender in range(8):
            bodies = [json.dumps([sender, number]) for number in range(20)]
            tasks.start_soon(send, bench, bodies)
    assert {tuple(json.loads(body)) for body in await bench.taken()} == {
        (sender, number) for sender in range(8) for number in range(20)
    }
