"""What Cloudflare said instead of a result, and what it comes to, whoever asked: REST or a binding.

This runs inside Workers too, so it imports the standard library alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dome_mcp.core.errors import BackendError

NO_ROUTE = 7003

ALLOWANCE_CODES = frozenset({3036, 4006})
"""The codes for a day's free Workers AI neurons, all used up.

4006 is not on the page of errors, but in answers that other clients of the service keep in their
tests.
"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer without a result.

    `code` is the first of the envelope's errors (None where the body is no envelope), `message`
    all their words, `retry_after` seconds; `now` is when it came.
    """

    backend: str
    operation: str
    service: str
    status: int
    code: int | None
    message: str
    retry_after: float | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The error that stands for a refusal.

    `is_untouched` says that the request was surely not carried out, so even one that must not be
    done twice may be sent again.
    """

    error: BackendError
    is_untouched: bool = False


Reader = Callable[[Refusal], Verdict | None]
"""What a driver knows about refusals of its service; None leaves one to `read`."""


def next_day(now: datetime) -> datetime:
    """The next 00:00 UTC, when daily allowances start anew."""
    return (now.astimezone(UTC) + timedelta(days=1)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
