"""A file that Cloudflare has to read is a job, which an outage puts off and does not lose."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from dome_mcp.core.jobs import JobPolicy
from dome_mcp.remote.jobs import running_jobs
from tests.converting import CAT, PNG, Converting, converting
from tests.remote.rest.conftest import api_over
from tests.simulators.cloudflare import ai

pytestmark = pytest.mark.anyio

IMPATIENT = JobPolicy(retry_seconds=(0.01,), idle_seconds=0.05)


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Converting]:
    async with converting(tmp_path / "home") as running:
        yield running


async def sent(cloud: Converting) -> str:
    """Where the job of a small picture is told of."""
    api = api_over(cloud.served.door)
    response = await api.post("/api/ingest", files={"file": ("cat.png", PNG, "image/png")})
    assert response.status_code == 202, response.text
    return response.headers["location"]


async def job_at(cloud: Converting, location: str, *states: str) -> dict[str, Any]:
    """The job once it is in one of the states."""
    api = api_over(cloud.served.door)
    with anyio.fail_after(20):
        while True:
            job = (await api.get(location)).json()
            if job["state"] in states:
                return job
            await anyio.sleep(0.02)


async def asked(cloud: Converting) -> None:
    """Waits until Cloudflare was asked for something."""
    with anyio.fail_after(20):
        while True:
            if cloud.account.calls:
                return
            await anyio.sleep(0.02)


async def test_a_picture_is_converted_by_a_job_and_its_original_kept(cloud: Converting) -> None:
    location = await sent(cloud)
    assert cloud.account.calls == []
    async with running_jobs(await cloud.served.door.dome(), IMPATIENT):
        job = await job_at(cloud, location, "done", "failed")
    assert job["state"] == "done", job
    api = api_over(cloud.served.door)
    note = (await api.get(f"/api/notes/{job['result']['note_id']}")).json()
    assert (note["text"], note["title"], note["source"]) == (CAT, "cat", "cat.png")
    original = await api.get(f"/api/notes/{note['note_id']}/original")
    assert (original.content, original.headers["content-type"]) == (PNG, "image/png")


async def test_an_outage_of_the_converter_puts_the_job_off_until_it_is_over(
    cloud: Converting,
) -> None:
    cloud.account.fail_next("POST /ai/tomarkdown", 503, times=5)
    location = await sent(cloud)
    async with running_jobs(await cloud.served.door.dome(), IMPATIENT):
        job = await job_at(cloud, location, "done", "failed")
    assert job["state"] == "done", job
    # Three tries of the driver, and the two that were left with the job's second.
    assert len(cloud.account.calls) == 6


async def test_a_used_up_day_keeps_the_file_until_the_next(cloud: Converting) -> None:
    cloud.account.fail_next("POST /ai/tomarkdown", 429, ai.DAILY_ALLOWANCE_USED)
    location = await sent(cloud)
    dome = await cloud.served.door.dome()
    async with running_jobs(dome, IMPATIENT):
        await asked(cloud)
        job = await job_at(cloud, location, "queued", "done", "failed")
    assert job["state"] == "queued"
    assert len(list((dome.settings.home / "incoming").glob("*"))) == 1
    assert len(cloud.account.calls) == 1
