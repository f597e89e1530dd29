"""The queue of a single process: messages wait in memory for the tasks that deliver."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import anyio


class MemoryQueue:
    """The `EventQueue` port, with a fixed number of places; `send` waits for a free one."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._sending, self._receiving = anyio.create_memory_object_stream[str](places)
        self._taken = anyio.Event()

    @classmethod
    @contextmanager
    def open(cls, places: int) -> Iterator["MemoryQueue"]:
        """A queue that lets go of what waits in it when the block ends."""
        queue = cls(places)
        with queue._sending, queue._receiving:
            yield queue

    @property
    def free(self) -> int:
        """How many messages it takes now without waiting."""
        return self._places - self._receiving.statistics().current_buffer_used

    async def send(self, bodies: Sequence[str]) -> None:
        """Hands messages over (see `EventQueue.send`)."""
        for body in bodies:
            await self._sending.send(body)

    async def wait_for_room(self, places: int) -> None:
        """Returns when so many places are free."""
        while self.free < places:
            self._taken = anyio.Event()
            await self._taken.wait()

    async def messages(self) -> AsyncIterator[str]:
        """The messages, each to one of those who listen, until the queue is closed and empty."""
        async for body in self._receiving:
            self._taken.set()
            yield body

    def close(self) -> None:
        """Takes no more messages; those that wait are still handed out."""
        self._sending.close()
