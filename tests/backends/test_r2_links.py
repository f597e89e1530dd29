"""Links to R2: what they open, to whom, and for how long."""

from datetime import timedelta

import httpx
import pytest

from dome_mcp.core.errors import BackendRejected
from tests.simulators.cloudflare.r2 import R2Simulator, open_r2

pytestmark = pytest.mark.anyio


@pytest.fixture
def r2() -> R2Simulator:
    return R2Simulator()


async def test_a_link_lets_anybody_read_one_blob_for_a_while(r2: R2Simulator) -> None:
    async with open_r2(r2) as blobs, httpx.AsyncClient(transport=r2.transport) as anybody:
        await blobs.put("a/one", b"x")
        await blobs.put("a/two", b"y")
        link = blobs.url_to_get("a/one", expires_seconds=60)
        assert (await anybody.get(link)).content == b"x"
        assert (await anybody.get(link.replace("one", "two"))).status_code == 403
        assert (await anybody.put(link, content=b"z")).status_code == 403
        r2.now += timedelta(seconds=61)
        assert "ExpiredRequest" in (await anybody.get(link)).text
    assert r2.stored.objects["a/one"].data == b"x"


async def test_a_link_lets_anybody_store_one_blob(r2: R2Simulator) -> None:
    async with open_r2(r2) as blobs, httpx.AsyncClient(transport=r2.transport) as anybody:
        link = blobs.url_to_put("a/new", expires_seconds=60)
        assert (await anybody.put(link, content=b"any")).status_code == 200
        assert await blobs.get("a/new") == b"any"


@pytest.mark.parametrize(("key", "seconds"), [("a", 0), ("a", 604_801), ("../a", 60)])
async def test_a_link_that_cannot_work_is_rejected(r2: R2Simulator, key: str, seconds: int) -> None:
    async with open_r2(r2) as blobs:
        for make in (blobs.url_to_get, blobs.url_to_put):
            with pytest.raises(BackendRejected):
                make(key, expires_seconds=seconds)
    assert r2.asked == []
