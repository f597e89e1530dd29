"""What a companion knows of its own health, as its heartbeat tells others."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from dome_mcp.core.timestamps import to_ms
from dome_mcp.services.dispatch import Ticked

_ERRORS = 5
_ERRORS_LAST = timedelta(hours=24)


class Health:
    """Lag, errors of the last day, and since when there is nothing to do."""

    def __init__(self, now: datetime, *, pid: int) -> None:
        self._pid = pid
        self._started_at = now
        self._errors: deque[tuple[datetime, str]] = deque(maxlen=_ERRORS)
        self._next_due: datetime | None = None
        self._busy_at = now

    def note_tick(self, ticked: Ticked, *, now: datetime) -> None:
        self._next_due = ticked.next_due
        if ticked.next_due is not None or ticked.fired or ticked.claimed:
            self._busy_at = now

    def note_error(self, message: str, *, now: datetime) -> None:
        """Keeps what went wrong; `message` is safe to show."""
        self._errors.append((now, message))

    def idle_time(self, now: datetime) -> timedelta:
        """For how long nothing has been waiting, not even for next year."""
        return now - self._busy_at

    def lag_seconds(self, now: datetime) -> float:
        """How late the next thing to do already is."""
        if self._next_due is None:
            return 0.0
        return max(0.0, (now - self._next_due).total_seconds())

    def details(self, now: datetime) -> Mapping[str, object]:
        """What the heartbeat says besides the time."""
        recent = [(at, error) for at, error in self._errors if now - at < _ERRORS_LAST]
        return {
            "pid": self._pid,
            "started_at_ms": to_ms(self._started_at),
            "lag_seconds": round(self.lag_seconds(now), 3),
            "errors": [f"{at:%Y-%m-%d %H:%M} UTC: {error}" for at, error in recent],
        }
