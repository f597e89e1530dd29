"""Keeps an account's token under Cloudflare's limit for the REST interface.

1,200 requests in 5 minutes for a token; whoever goes over is refused everything for the rest of
them, so one eager loop would silence every service. Each answer says what is left and for how
long (`Ratelimit: "default";r=50;t=30`). The last few are kept back for the token's other
processes, whose requests these answers do not know of yet.

Source: https://developers.cloudflare.com/fundamentals/api/reference/limits/ (2026-11).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

KEPT_BACK = 10
"""Requests of a window that are left to others."""

_POLICY = re.compile(r"\s*(?P<name>[^;,]*);(?P<parameters>[^,]*)")
_PARAMETER = re.compile(r"(?P<key>[rt])\s*=\s*(?P<value>\d{1,9})")


@dataclass(slots=True)
class _Window:
    remaining: int
    ends_at: float


@dataclass(slots=True)
class Governor:
    """How long to wait before the next request; `clock` gives seconds and never goes back."""

    clock: Callable[[], float]
    _windows: dict[str, _Window] = field(default_factory=dict)
    _pauses: dict[str, float] = field(default_factory=dict)
    """When a service that turned requests away may be asked again."""
    _in_flight: int = 0

    def seconds_to_wait(self, service: str) -> float:
        """0.0 when a request to the service may be sent now."""
        now = self.clock()
        self._windows = {name: each for name, each in self._windows.items() if each.ends_at > now}
        full = [each.ends_at for each in self._windows.values() if each.remaining <= KEPT_BACK]
        return max(0.0, *(moment - now for moment in (*full, self._pauses.get(service, now))))

    def sent(self) -> None:
        """Counts a request from before it is sent; `done` must follow."""
        self._in_flight += 1
        for window in self._windows.values():
            window.remaining -= 1

    def done(self) -> None:
        """The request has its answer, or will never get one."""
        self._in_flight -= 1

    def heard(self, headers: httpx.Headers) -> None:
        """Takes in what an answer says is left; to be called before its `done`.

        The other requests under way may not be in that number yet, so they are taken off.
        """
        now = self.clock()
        for policy in _POLICY.finditer(headers.get("Ratelimit", "")):
            found = {each["key"]: int(each["value"]) for each in _PARAMETER.finditer(policy[0])}
            if found.keys() != {"r", "t"}:
                continue
            remaining = found["r"] - (self._in_flight - 1)
            self._windows[policy["name"]] = _Window(remaining, now + found["t"])

    def turned_away(self, service: str, retry_after: float | None) -> None:
        """The service is to be left alone for `retry_after` seconds: an answer 429 said so.

        Where the limit of the whole token was the reason, each service says so for itself.
        """
        if retry_after:
            self._pauses[service] = self.clock() + retry_after
