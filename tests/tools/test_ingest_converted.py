"""The ingest tool with a file that Cloudflare has to read."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client

from tests.converting import CAT, PNG, Converting, converting
from tests.serving import ERAS, call, refused, text_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Converting]:
    async with converting(tmp_path / "home") as running:
        yield running


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    return str(path)


@pytest.mark.parametrize("era", ERAS)
async def test_progress_tells_that_a_file_is_being_converted(
    cloud: Converting, picture: str, era: str
) -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    async with Client(cloud.served.server, mode=era) as client:
        result = await client.call_tool("ingest", {"path": picture}, progress_callback=hear)
        assert not result.is_error, text_of(result)
        found = await call(client, "search", query="the cat on the sofa")
    assert found["passages"][0]["text"] == CAT
    assert seen == [(0, 2, "Reading"), (1, 2, "Converting"), (2, 2, "Stored")]


async def test_an_outage_is_told_and_the_same_call_later_stores_the_file(
    cloud: Converting, picture: str
) -> None:
    cloud.account.fail_next("POST /ai/tomarkdown", 503, times=3)
    async with Client(cloud.served.server) as client:
        assert "Try again later" in await refused(client, "ingest", path=picture)
        assert not (await call(client, "ingest", path=picture))["duplicate"]
        assert (await call(client, "ingest", path=picture))["duplicate"]
    assert len(cloud.account.calls) == 4
