"""How much one credential may ask for, and how often one address may fail to prove who it is.

Everything here lives in one process and in bounded memory: with several workers each has its own.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Self

Clock = Callable[[], float]
"""Seconds from some moment on, never backwards."""

MAX_STREAMS = 64
"""Long-lived answers of one credential at a time."""

_SMALLEST_BURST = 20
_MAX_BUCKETS = 10_000
_BUSY_SECONDS = 1.0
"""When to try again, where other requests of the credential are in the way."""


class TooMany(Exception):
    """The credential has used up what it may; `retry_seconds` says when there is more."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(f"again in {retry_seconds:g} s")
        self.retry_seconds = retry_seconds


class Rate:
    """A bucket of requests for each key, refilled at a steady pace."""

    def __init__(self, per_minute: int, *, clock: Clock = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._burst = float(max(_SMALLEST_BURST, per_minute // 6))
        self._clock = clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable) -> None:
        """Takes one request out of the key's bucket.

        Raises:
            TooMany: it is empty.
        """
        now = self._clock()
        level, at = self._buckets.get(key, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._per_second)
        if level < 1:
            self._buckets[key] = (level, now)
            raise TooMany((1 - level) / self._per_second)
        if len(self._buckets) >= _MAX_BUCKETS and key not in self._buckets:
            self._forget_full(now)
        self._buckets[key] = (level - 1, now)

    def _forget_full(self, now: float) -> None:
        """A bucket that is full again is like one that never was; the oldest go in any case."""
        seconds = self._burst / self._per_second
        kept = {key: value for key, value in self._buckets.items() if now - value[1] < seconds}
        newest = sorted(kept.items(), key=lambda item: item[1][1])[-_MAX_BUCKETS // 2 :]
        self._buckets = dict(newest)


@dataclass(slots=True)
class _Load:
    requests: int = 0
    streams: int = 0


class Slot:
    """A request's place among those of its credential that run at the same time."""

    def __init__(self, load: _Load, forget: Callable[[], None]) -> None:
        self._load = load
        self._forget = forget
        self._is_stream = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_stream:
            self._load.streams -= 1
        else:
            self._load.requests -= 1
        self._forget()

    def become_stream(self) -> bool:
        """Counts the request among the long-lived ones; False where there are too many already."""
        if self._load.streams >= MAX_STREAMS:
            return False
        if not self._is_stream:
            self._load.requests -= 1
            self._load.streams += 1
            self._is_stream = True
        return True


class Limits:
    """What each credential may ask for: so many a minute, and so many at a time."""

    def __init__(
        self, *, per_minute: int, max_concurrent: int, clock: Clock = time.monotonic
    ) -> None:
        self._rate = Rate(per_minute, clock=clock)
        self._max_concurrent = max_concurrent
        self._loads: dict[Hashable, _Load] = {}

    def admit(self, key: Hashable) -> Slot:
        """A place for one more request, to be left by the end of a `with` block.

        Raises:
            TooMany: the credential asks too often, or for too much at a time.
        """
        load = self._loads.get(key) or _Load()
        if load.requests >= self._max_concurrent:
            raise TooMany(_BUSY_SECONDS)
        self._rate.take(key)
        load.requests += 1
        self._loads[key] = load

        def forget() -> None:
            if not load.requests and not load.streams:
                self._loads.pop(key, None)

        return Slot(load, forget)


class Failures:
    """Counts by address the attempts that failed; a bounded number of addresses, the latest.

    It slows down whoever guesses, and nobody else: a valid token is never asked how often others
    behind the same proxy failed.
    """

    def __init__(
        self,
        *,
        allowed: int = 10,
        window_seconds: float = 60,
        max_addresses: int = 10_000,
        clock: Clock = time.monotonic,
    ) -> None:
        self._allowed = allowed
        self._window = window_seconds
        self._max = max_addresses
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}

    def note(self, address: str) -> float:
        """Counts a failure; the seconds until the address may fail again, 0 where it still may."""
        now = self._clock()
        count, since = self._counts.get(address, (0, now))
        if now - since >= self._window:
            count, since = 0, now
            self._counts.pop(address, None)
        if address not in self._counts and len(self._counts) >= self._max:
            del self._counts[next(iter(self._counts))]
        self._counts[address] = (count + 1, since)
        return self._window - (now - since) if count >= self._allowed else 0.0
