"""What a move has done so far, and what it needs from its shell."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from dome_mcp.core.ports import VectorEntry

Show = Callable[[str, int, int | None], None]
"""Told (what, how many are done, of how many)."""

Step = Callable[[], Awaitable[None]]
AtOnce = Callable[[Sequence[Step]], Awaitable[None]]
"""Carries all steps out, some of them at the same time; an error of one is the error of all."""


@dataclass(slots=True)
class Move:
    """What became of one kind of thing: rows of a table, notes or files."""

    moved: int = 0
    unchanged: int = 0
    kept: int = 0
    """The target has it newer, or finished, and keeps it."""
    twins: int = 0
    """Notes that the target has under another id."""
    lost: list[str] = field(default_factory=list[str])
    """Files that the source should have and has not, or has damaged."""


@runtime_checkable
class VectorReader(Protocol):
    """Vectors that are stored, for a target with the same model."""

    @property
    def model(self) -> str: ...

    async def read(self, chunk_ids: Sequence[str]) -> Sequence[VectorEntry]:
        """The vectors of these chunks, as far as they have one.

        Raises:
            BackendError: they cannot be read.
        """
        ...


async def one_by_one(steps: Sequence[Step]) -> None:
    """Carries the steps out, each after the one before."""
    for step in steps:
        await step()


def show_nothing(_what: str, _done: int, _total: int | None) -> None:
    """For a caller whom nobody watches."""
