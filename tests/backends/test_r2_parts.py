"""The R2 driver with blobs that go in parts: whole or not there, and nothing left behind."""

import re

import anyio
import anyio.lowlevel
import httpx
import pytest

from dome_mcp.backends.cloudflare.r2 import LARGEST_SINGLE_PUT_BYTES, PART_BYTES
from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    QuotaExhausted,
)
from tests.simulators.cloudflare.r2 import R2Simulator, open_r2
from tests.simulators.cloudflare.r2_bucket import refusal

pytestmark = pytest.mark.anyio

LARGE = bytes(range(251)) * (LARGEST_SINGLE_PUT_BYTES // 251 + 1)


@pytest.fixture
def r2() -> R2Simulator:
    return R2Simulator()


def steps(r2: R2Simulator) -> list[str]:
    """The requests that came: method, path, and the names in the query."""
    pieces = [re.split("[?&]", asked) for asked in r2.asked]
    return [" ".join(each.partition("=")[0] for each in piece) for piece in pieces]


async def test_a_blob_of_over_fifty_megabytes_goes_in_equal_parts(r2: R2Simulator) -> None:
    async with open_r2(r2) as blobs:
        await blobs.put("a/large", LARGE)
        assert steps(r2) == [
            "POST /a/large uploads",
            *["PUT /a/large partNumber uploadId"] * 3,
            "POST /a/large uploadId",
        ]
        sizes = [len(request.content) for request in r2.requests if request.method == "PUT"]
        assert sizes == [PART_BYTES, PART_BYTES, len(LARGE) - 2 * PART_BYTES]
        assert await blobs.get("a/large") == LARGE
    assert r2.stored.uploads == {}
    assert r2.stored.objects["a/large"].etag.endswith("-3")


async def test_a_blob_of_fifty_megabytes_goes_in_one_request(r2: R2Simulator) -> None:
    async with open_r2(r2) as blobs:
        await blobs.put("a", LARGE[:LARGEST_SINGLE_PUT_BYTES])
    assert steps(r2) == ["PUT /a"]


async def test_damage_to_a_blob_in_parts_is_noticed(r2: R2Simulator) -> None:
    async with open_r2(r2) as blobs:
        await blobs.put("a", LARGE)
        r2.answer_next(
            "GET /a",
            httpx.Response(200, content=LARGE[1:], headers=r2.stored.objects["a"].metadata),
        )
        with pytest.raises(BackendProtocolError):
            await blobs.get("a")


async def test_a_part_that_fails_once_is_sent_again(r2: R2Simulator) -> None:
    r2.fail_next("partNumber=2", 500, "InternalError", is_after_the_work=True)
    async with open_r2(r2) as blobs:
        await blobs.put("a", LARGE)
    assert r2.stored.objects["a"].data == LARGE


@pytest.mark.parametrize("match", ["partNumber=3", "POST /a?uploadId"])
async def test_a_failure_half_way_keeps_the_old_bytes_and_no_parts(
    r2: R2Simulator, match: str
) -> None:
    async with open_r2(r2) as blobs:
        await blobs.put("a", b"old")
        r2.fail_next(match, 507, "InsufficientStorage")
        with pytest.raises(QuotaExhausted):
            await blobs.put("a", LARGE)
        assert await blobs.get("a") == b"old"
    assert r2.stored.uploads == {}


async def test_whoever_stops_waiting_leaves_no_parts(r2: R2Simulator) -> None:
    with anyio.CancelScope() as scope:

        async def stop(_: float) -> None:
            scope.cancel()
            await anyio.lowlevel.checkpoint()

        r2.fail_next("partNumber=2", 503, "SlowDown")
        async with open_r2(r2, sleep=stop) as blobs:
            await blobs.put("a", LARGE)
    assert scope.cancelled_caught
    assert steps(r2)[-1] == "DELETE /a uploadId"
    assert (r2.stored.uploads, r2.stored.objects) == ({}, {})


async def test_an_abort_that_fails_does_not_hide_why(r2: R2Simulator) -> None:
    r2.fail_next("partNumber=1", 403, "AccessDenied")
    r2.fail_next("DELETE /a", 507, "InsufficientStorage")
    async with open_r2(r2) as blobs:
        with pytest.raises(BackendRejected):
            await blobs.put("a", LARGE)


async def test_a_completion_whose_answer_is_lost_is_a_completion(r2: R2Simulator) -> None:
    r2.break_next("POST /a?uploadId", httpx.ReadTimeout("late"), is_after_the_work=True)
    async with open_r2(r2) as blobs:
        await blobs.put("a", LARGE)
        assert steps(r2)[-2:] == ["POST /a uploadId", "HEAD /a"]
        assert await blobs.get("a") == LARGE


async def test_an_upload_that_r2_lost_is_not_taken_for_done(r2: R2Simulator) -> None:
    async with open_r2(r2) as blobs:
        await blobs.put("a", b"another's")
        for match in ("partNumber=2", "POST /a?uploadId"):
            r2.fail_next(match, 404, "NoSuchUpload")
            with pytest.raises(BackendUnavailable, match="nothing was written"):
                await blobs.put("a", LARGE)
        assert await blobs.get("a") == b"another's"


async def test_a_completion_that_answers_200_and_fails_is_a_failure(r2: R2Simulator) -> None:
    r2.answer_next("POST /a?uploadId", refusal(200, "InternalError"))
    async with open_r2(r2) as blobs:
        with pytest.raises(BackendUnavailable):
            await blobs.put("a", LARGE)
    assert (r2.stored.uploads, r2.stored.objects) == ({}, {})


async def test_an_upload_without_an_id_or_an_etag_is_not_gone_on_with(r2: R2Simulator) -> None:
    async with open_r2(r2) as blobs:
        for content in (b"<Other/>", b"<InitiateMultipartUploadResult/>"):
            r2.answer_next("POST /a?uploads", httpx.Response(200, content=content))
            with pytest.raises(BackendProtocolError):
                await blobs.put("a", LARGE)
        r2.answer_next("partNumber=1", httpx.Response(200))
        with pytest.raises(BackendProtocolError):
            await blobs.put("a", LARGE)
    assert (r2.stored.uploads, r2.stored.objects) == ({}, {})
