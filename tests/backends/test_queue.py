"""The queue of one process: who waits for whom, and what happens at its end."""

from collections.abc import Iterator

import anyio
import pytest

from dome_mcp.backends.embedded.queue import MemoryQueue

pytestmark = pytest.mark.anyio


@pytest.fixture
def queue() -> Iterator[MemoryQueue]:
    with MemoryQueue.open(3) as opened:
        yield opened


async def all_of(queue: MemoryQueue) -> list[str]:
    return [body async for body in queue.messages()]


async def test_messages_come_in_order_and_end_when_it_is_closed(queue: MemoryQueue) -> None:
    await queue.send(["a", "b"])
    queue.close()
    assert await all_of(queue) == ["a", "b"]


async def test_each_message_goes_to_one_of_those_who_listen(queue: MemoryQueue) -> None:
    taken: list[list[str]] = []

    async def listen() -> None:
        taken.append(await all_of(queue))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(listen)
        await queue.send([str(number) for number in range(20)])
        queue.close()
    assert sorted(body for part in taken for body in part) == sorted(map(str, range(20)))


async def test_a_sender_waits_while_it_is_full(queue: MemoryQueue) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(queue.send, ["a", "b", "c", "d"])
        await anyio.wait_all_tasks_blocked()
        assert queue.free == 0
        messages = queue.messages()
        assert [await anext(messages) for _ in range(4)] == ["a", "b", "c", "d"]
        await messages.aclose()


async def test_room_is_waited_for(queue: MemoryQueue) -> None:
    await queue.send(["a", "b", "c"])
    messages = queue.messages()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(queue.wait_for_room, 2)
        await anyio.wait_all_tasks_blocked()
        await anext(messages)
        await anyio.wait_all_tasks_blocked()
        assert not tasks.cancel_scope.cancel_called
        await anext(messages)
    assert queue.free == 2
    await messages.aclose()
