"""Fetching as the tests do it, and a resolver that knows what a test tells it."""

from collections.abc import Sequence

import anyio
import pytest

from dome_mcp.core.errors import DomeError
from dome_mcp.sources.web import SourcePage, fetch

LOOPBACK = "127.0.0.1"
PUBLIC = "93.184.215.14"


class Names:
    """A resolver that gives each name its next addresses, and the last ones again and again."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {name: list(each) for name, each in answers.items()}

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        answers = self._answers[host.partition(".")[0]]
        return answers.pop(0) if len(answers) > 1 else answers[0]


async def get(url: str, **options: object) -> SourcePage:
    """Fetches as most tests need it: with the loopback allowed."""
    defaults = {"allow_private": True, "max_bytes": 10_000, "timeout_seconds": 5.0}
    with anyio.fail_after(10):
        return await fetch(url, **{**defaults, **options})


async def error_of(url: str, **options: object) -> DomeError:
    with pytest.raises(DomeError) as caught:
        await get(url, **options)
    return caught.value
