"""The R2 driver beyond the suite: what is tried again, what is refused, what is damaged."""

import gzip
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from dome_mcp.backends.cloudflare.r2 import Usage
from dome_mcp.backends.cloudflare.sigv4 import AccessKey
from dome_mcp.core.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    QuotaExhausted,
)
from tests.simulators.cloudflare.r2 import READER, SECRETS, R2Simulator, open_r2
from tests.simulators.cloudflare.r2_bucket import Stored

pytestmark = pytest.mark.anyio


def stored(data: bytes) -> Stored:
    """An object that somebody else put there."""
    etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return Stored(data, etag, {}, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def r2() -> R2Simulator:
    return R2Simulator()


async def test_what_passes_is_tried_three_times(r2: R2Simulator) -> None:
    r2.fail_next("PUT /a", 503, "ServiceUnavailable")
    r2.fail_next("PUT /a", 502)
    async with open_r2(r2) as blobs:
        await blobs.put("a", b"x")
    assert r2.asked == ["PUT /a"] * 3
    assert r2.slept == [0.5, 1.0]
    assert r2.stored.objects["a"].data == b"x"


async def test_the_third_failure_is_the_caller_s(r2: R2Simulator) -> None:
    r2.fail_next("GET /a", 503, "SlowDown", 3, headers={"Retry-After": "2"})
    async with open_r2(r2) as blobs:
        with pytest.raises(BackendUnavailable, match="busy") as caught:
            await blobs.get("a")
    assert caught.value.retry_after == 2
    assert r2.slept == [2.5, 3.0]


async def test_a_wait_of_over_a_minute_is_left_to_the_caller(r2: R2Simulator) -> None:
    r2.fail_next("DELETE /a", 429, "TooManyRequests", headers={"Retry-After": "61"})
    async with open_r2(r2) as blobs:
        with pytest.raises(BackendUnavailable) as caught:
            await blobs.delete("a")
    assert (caught.value.retry_after, r2.slept) == (61, [])


async def test_the_second_write_of_a_key_waits_until_r2_takes_it(r2: R2Simulator) -> None:
    r2.stored.limits_writes = True
    async with open_r2(r2) as blobs:
        await blobs.put("a", b"one")
        await blobs.put("a", b"two")
    assert r2.stored.objects["a"].data == b"two"
    assert r2.slept == [1.5]


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("cut off"),
    ],
)
async def test_an_answer_that_is_lost_is_asked_for_again(
    r2: R2Simulator, error: httpx.HTTPError
) -> None:
    r2.break_next("PUT /a", error, is_after_the_work=True)
    async with open_r2(r2) as blobs:
        await blobs.put("a", b"x")
        assert await blobs.get("a") == b"x"
        r2.break_next("GET /a", error, 3)
        with pytest.raises(BackendUnavailable) as caught:
            await blobs.get("a")
    assert caught.value.__cause__ is error


async def test_no_answer_in_time_is_told_from_no_connection(r2: R2Simulator) -> None:
    async with open_r2(r2) as blobs:
        for error, words in [
            (httpx.ConnectError("refused"), "cannot be reached"),
            (httpx.WriteTimeout("late"), "in time"),
        ]:
            r2.break_next("GET /", error, 3)
            with pytest.raises(BackendUnavailable, match=words):
                await blobs.keys()


async def test_an_answer_that_cannot_be_unpacked_is_not_asked_for_again(r2: R2Simulator) -> None:
    r2.break_next("GET /a", httpx.DecodingError("not gzip"))
    async with open_r2(r2) as blobs:
        with pytest.raises(BackendProtocolError):
            await blobs.get("a")
    assert len(r2.asked) == 1


async def test_each_try_is_signed_anew(r2: R2Simulator) -> None:
    r2.fail_next("GET /a", 503, "SlowDown", 2, headers={"Retry-After": "60"})
    async with open_r2(r2) as blobs:
        r2.stored.objects["a"] = stored(b"x")
        await blobs.get("a")
    dates = [request.headers["x-amz-date"] for request in r2.requests]
    assert len(set(dates)) == 3


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (404, "NoSuchBucket", BackendRejected, "DOME_R2_BUCKET"),
        (400, "InvalidBucketName", BackendRejected, "DOME_R2_BUCKET"),
        (403, "SignatureDoesNotMatch", BackendRejected, "DOME_R2_SECRET_ACCESS_KEY"),
        (401, "Unauthorized", BackendRejected, "CLOUDFLARE_API_TOKEN"),
        (403, "InvalidAccessKeyId", BackendRejected, "CLOUDFLARE_API_TOKEN"),
        (403, "AccessDenied", BackendRejected, "Bucket Item Write"),
        (403, "NotEntitled", BackendRejected, "dashboard"),
        (400, "ExpiredRequest", BackendRejected, "clock"),
        (403, "RequestTimeTooSkewed", BackendRejected, "clock"),
        (403, "ObjectLockedByBucketPolicy", BackendRejected, "retention"),
        (400, "EntityTooLarge", BackendRejected, "5 TiB"),
        (400, "InvalidObjectName", BackendRejected, "1,024"),
        (400, "SomethingNew", BackendRejected, "HTTP 400, SomethingNew"),
        (403, "", BackendRejected, "Bucket Item Write"),
        (307, "", BackendRejected, "HTTP 307"),
        (403, "QuotaExceeded", QuotaExhausted, "space"),
        (507, "", QuotaExhausted, "space"),
        (400, "BadDigest", BackendUnavailable, "BadDigest"),
        (500, "InternalError", BackendUnavailable, "InternalError"),
        (408, "", BackendUnavailable, "HTTP 408"),
        (522, "", BackendUnavailable, "HTTP 522"),
    ],
)
async def test_a_refusal_says_what_to_do(
    r2: R2Simulator, status: int, code: str, kind: type[BackendError], words: str
) -> None:
    r2.fail_next("PUT /a", status, code, 3)
    async with open_r2(r2) as blobs:
        with pytest.raises(BackendError, match=words) as caught:
            await blobs.put("a", b"x")
    assert type(caught.value) is kind
    assert (caught.value.backend, caught.value.operation) == ("r2", "put")
    assert len(r2.asked) == (3 if kind is BackendUnavailable else 1)


async def test_what_is_no_code_is_not_repeated(r2: R2Simulator) -> None:
    r2.fail_next("PUT /a", 400, "the text of a note")
    async with open_r2(r2) as blobs:
        with pytest.raises(BackendRejected, match=r"\(HTTP 400\)") as caught:
            await blobs.put("a", b"x")
    assert "note" not in str(caught.value)


async def test_a_wrong_secret_is_rejected_and_not_shown(r2: R2Simulator) -> None:
    wrong = replace(r2.bucket, access_key=AccessKey(r2.bucket.access_key.key_id, "s3cret"))
    async with open_r2(r2, wrong) as blobs:
        with pytest.raises(BackendRejected, match="signature") as caught:
            await blobs.put("private/name", b"x")
    assert r2.stored.objects == {}
    assert "private" not in str(caught.value)
    assert "s3cret" not in f"{caught.value} {wrong!r}"


async def test_a_key_that_may_only_read_reads(r2: R2Simulator) -> None:
    reader = replace(r2.bucket, access_key=AccessKey(READER, SECRETS[READER]))
    r2.stored.objects["a"] = stored(b"x")
    async with open_r2(r2, reader) as blobs:
        assert await blobs.get("a") == b"x"
        assert list(await blobs.keys()) == ["a"]
        with pytest.raises(BackendRejected, match="Bucket Item Write"):
            await blobs.put("a", b"y")


async def test_a_bucket_that_is_not_there_is_no_empty_bucket(r2: R2Simulator) -> None:
    async with open_r2(r2, replace(r2.bucket, name="another")) as blobs:
        for ask in (blobs.get("a"), blobs.delete("a"), blobs.keys(), blobs.put("a", b"x")):
            with pytest.raises(BackendRejected, match="no such bucket"):
                await ask


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"<Other/>",
        b"<ListBucketResult>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    ],
)
async def test_a_listing_that_cannot_be_read_is_not_an_empty_one(
    r2: R2Simulator, content: bytes
) -> None:
    r2.answer_next("GET /", httpx.Response(200, content=content))
    async with open_r2(r2) as blobs:
        with pytest.raises(BackendProtocolError):
            await blobs.keys()


async def test_entities_in_a_listing_are_not_followed(r2: R2Simulator) -> None:
    content = (
        b'<!DOCTYPE r [<!ENTITY e "entity">]><ListBucketResult>'
        b"<Contents><Key>&e;</Key></Contents><Contents><Key>kept</Key></Contents>"
        b"</ListBucketResult>"
    )
    r2.answer_next("GET /", httpx.Response(200, content=content))
    async with open_r2(r2) as blobs:
        assert list(await blobs.keys()) == ["kept"]


async def test_a_listing_that_does_not_advance_is_given_up(r2: R2Simulator) -> None:
    cut = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated>"
        b"<NextContinuationToken>t</NextContinuationToken></ListBucketResult>"
    )
    for _ in range(3):
        r2.answer_next("GET /", httpx.Response(200, content=cut))
    async with open_r2(r2) as blobs:
        with pytest.raises(BackendProtocolError):
            await blobs.keys()
    assert len(r2.asked) == 2


async def test_more_keys_than_a_page_holds_are_listed_in_order(r2: R2Simulator) -> None:
    names = [f"notes/{number:04}" for number in range(2001)]
    r2.stored.objects |= dict.fromkeys(names, stored(b""))
    async with open_r2(r2) as blobs:
        assert list(await blobs.keys("notes/")) == names
    assert len(r2.asked) == 3


async def test_what_others_left_in_the_bucket_is_no_key(r2: R2Simulator) -> None:
    for name in ("folder/", "with space", "a+b", "a%2Fb", "ä", "a\x01", "<&>", "kept"):
        r2.stored.objects[name] = stored(b"")
    async with open_r2(r2) as blobs:
        assert list(await blobs.keys()) == ["kept"]


async def test_bytes_that_are_not_those_that_were_stored_are_not_returned(r2: R2Simulator) -> None:
    async with open_r2(r2) as blobs:
        await blobs.put("a", b"x")
        digest = hashlib.sha256(b"x").hexdigest()
        assert r2.stored.objects["a"].metadata == {"x-amz-meta-sha256": digest}
        r2.stored.objects["a"] = replace(r2.stored.objects["a"], data=b"y")
        with pytest.raises(BackendProtocolError, match="not those that were stored"):
            await blobs.get("a")
        r2.stored.objects["a"] = replace(r2.stored.objects["a"], metadata={})
        with pytest.raises(BackendProtocolError, match="not those that were stored"):
            await blobs.get("a")


async def test_bytes_that_somebody_else_stored_in_parts_are_taken_as_they_are(
    r2: R2Simulator,
) -> None:
    r2.stored.objects["a"] = replace(stored(b"x"), metadata={}, etag=f"{'0' * 32}-2")
    async with open_r2(r2) as blobs:
        assert await blobs.get("a") == b"x"


async def test_compressed_bytes_stay_compressed(r2: R2Simulator) -> None:
    data = gzip.compress(b"text" * 100)
    async with open_r2(r2) as blobs:
        await blobs.put("a.gz", data)
        assert await blobs.get("a.gz") == data
    assert {request.headers["Accept-Encoding"] for request in r2.requests} == {"identity"}


async def test_a_blob_knows_when_it_was_written(r2: R2Simulator) -> None:
    async with open_r2(r2) as blobs:
        await blobs.put("a", b"x")
        written = r2.now
        r2.now += timedelta(hours=1)
        assert await blobs.written_at("a") == written
        assert await blobs.written_at("b") is None


async def test_all_that_is_in_the_bucket_is_measured(r2: R2Simulator) -> None:
    r2.stored.page_keys = 2
    r2.stored.objects.update({f"{n} of others/ä": stored(b"x" * n) for n in range(1, 6)})
    async with open_r2(r2) as blobs:
        assert await blobs.usage() == Usage(objects=5, bytes=15)
