"""That a Python Worker starts and answers within what the Free plan gives it.

Source: https://developers.cloudflare.com/workers/platform/limits/ (2026-09).
"""

import time

import httpx
import pytest

from tests.live.account import WORKER_URL, variable_of_suite
from tests.live.marks import LIVE

pytestmark = [*LIVE, pytest.mark.live(needs=[WORKER_URL])]

START_SECONDS = 10.0
EXCEEDED = ("error code: 1101", "error code: 1102")
"""What the edge answers for a Worker that failed, and for one that used more than it may."""


async def test_a_deployed_worker_answers_in_time_and_within_its_cpu() -> None:
    begun = time.monotonic()
    async with httpx.AsyncClient(timeout=START_SECONDS) as client:
        answer = await client.get(variable_of_suite(WORKER_URL))
    took = time.monotonic() - begun
    assert answer.status_code < 500, f"{answer.status_code} after {took:.1f} s: {answer.text[:500]}"
    assert not any(words in answer.text for words in EXCEEDED), answer.text[:500]
