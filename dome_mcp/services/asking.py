"""What whoever asks the notes gives: the question, and who is told of the answer meanwhile."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from dome_mcp.core.model import NoteFilter, Passage
from dome_mcp.core.sessions import Exchange


@dataclass(frozen=True, slots=True)
class Question:
    """What to answer, from how many passages, out of which notes.

    `earlier` is what it may go on from, the oldest first.
    """

    text: str
    limit: int = 8
    among: NoteFilter = field(default_factory=NoteFilter)
    earlier: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Follower:
    """Is told of an answer while it is made. Only the answer itself is checked: what was said may
    differ from it, and nothing may have been said at all."""

    found: Callable[[Sequence[Passage]], Awaitable[None]]
    """Called once, with the passages it is made from."""
    says: Callable[[str], Awaitable[None]]
    """Called with each piece of text."""
