"""The signer: the examples AWS publishes, and a verifier that was written without it."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dome_mcp.backends.cloudflare.sigv4 import (
    EMPTY_SHA256,
    MAX_EXPIRES_SECONDS,
    UNSIGNED_PAYLOAD,
    AccessKey,
    Location,
    presigned_url,
    signed_headers,
)
from tests.simulators.cloudflare.r2_signatures import Refused, authenticate

EXAMPLE_KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EXAMPLE_DAY = datetime(2013, 5, 24, tzinfo=UTC)
EXAMPLE_BUCKET = "https://examplebucket.s3.amazonaws.com"
EXAMPLE_URL = (
    "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)
"""Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html."""
HEADERS_OF_EVERY_SIGNATURE = ("host", "x-amz-content-sha256", "x-amz-date")
GREETING = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = AccessKey("key-id", "secret")
SECRETS = {KEY.key_id: KEY.secret}
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def is_plain(segment: str) -> bool:
    """Not one of dots, which an HTTP client takes out of a path."""
    return segment not in (".", "..")


def signed(
    location: Location,
    *,
    method: str = "PUT",
    body: bytes = b"body",
    headers: dict[str, str] | None = None,
    now: datetime = NOON,
    sha256: str | None = None,
) -> httpx.Request:
    """A request as a client sends it."""
    digest = sha256 or hashlib.sha256(body).hexdigest()
    sent = signed_headers(
        method, location, KEY, now=now, headers=headers or {}, payload_sha256=digest
    )
    return httpx.Request(method, location.url, headers=sent, content=body)


def refusal_of(request: httpx.Request, *, now: datetime = NOON) -> str:
    with pytest.raises(Refused) as caught:
        authenticate(request, SECRETS, now)
    return caught.value.code


@pytest.mark.parametrize(
    ("method", "location", "headers", "payload", "signature"),
    [
        pytest.param(
            "GET",
            Location(EXAMPLE_BUCKET, "/test.txt"),
            {"Range": "bytes=0-9"},
            EMPTY_SHA256,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            id="1-get-object",
        ),
        pytest.param(
            "PUT",
            Location(EXAMPLE_BUCKET, "/test$file.text"),
            {
                "Date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
            },
            GREETING,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            id="2-put-object",
        ),
        pytest.param(
            "GET",
            Location(EXAMPLE_BUCKET, "/", {"lifecycle": ""}),
            {},
            EMPTY_SHA256,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            id="3-get-bucket-lifecycle",
        ),
        pytest.param(
            "GET",
            Location(EXAMPLE_BUCKET, "/", {"prefix": "J", "max-keys": "2"}),
            {},
            EMPTY_SHA256,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            id="4-list-objects",
        ),
    ],
)
def test_a_published_example_gets_its_published_signature(
    method: str, location: Location, headers: dict[str, str], payload: str, signature: str
) -> None:
    """Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html."""
    sent = signed_headers(
        method,
        location,
        EXAMPLE_KEY,
        now=EXAMPLE_DAY,
        headers=headers,
        payload_sha256=payload,
        region="us-east-1",
    )
    names = sorted([*map(str.lower, headers), *HEADERS_OF_EVERY_SIGNATURE])
    assert sent["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={';'.join(names)},Signature={signature}"
    )


def test_the_published_example_of_a_url_comes_out_as_published() -> None:
    url = presigned_url(
        "GET",
        Location(EXAMPLE_BUCKET, "/test.txt"),
        EXAMPLE_KEY,
        now=EXAMPLE_DAY,
        expires_seconds=86_400,
        region="us-east-1",
    )
    assert url == EXAMPLE_URL


def test_the_verifier_takes_the_published_example_and_nothing_near_it() -> None:
    secrets = {EXAMPLE_KEY.key_id: EXAMPLE_KEY.secret}
    published = httpx.Request("GET", EXAMPLE_URL)
    assert authenticate(published, secrets, EXAMPLE_DAY) == EXAMPLE_KEY.key_id
    for url in (EXAMPLE_URL.replace("test.txt", "text.txt"), EXAMPLE_URL[:-1] + "5"):
        with pytest.raises(Refused, match="SignatureDoesNotMatch"):
            authenticate(httpx.Request("GET", url), secrets, EXAMPLE_DAY)


def test_path_and_query_are_encoded_once_and_in_order() -> None:
    location = Location(
        "https://host.test/root/", "/a b/~$é%2F", {"z": "1", "k/": "a/b +", "k": ""}
    )
    assert location.url == ("https://host.test/root/a%20b/~%24%C3%A9%252F?k=&k%2F=a%2Fb%20%2B&z=1")


@given(
    segments=st.lists(ANY_TEXT.filter(is_plain), max_size=4),
    query=st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=4),
    body=st.binary(max_size=20),
)
def test_whatever_path_and_query_are_signed_is_what_a_server_reads(
    segments: list[str], query: dict[str, str], body: bytes
) -> None:
    location = Location("https://host.test/a%20b/root/", "/" + "/".join(segments), query)
    assert authenticate(signed(location, body=body), SECRETS, NOON) == KEY.key_id
    url = presigned_url("DELETE", location, KEY, now=NOON, expires_seconds=1)
    assert authenticate(httpx.Request("DELETE", url), SECRETS, NOON) == KEY.key_id


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://host.test",
        "https://HOST.test:443",
        "http://host.test:80/",
        "http://127.0.0.1:8787/cdn-cgi/local/r2/s3",
        "https://[::1]:9000",
    ],
)
def test_the_host_is_signed_as_the_client_sends_it(endpoint: str) -> None:
    request = signed(Location(endpoint, "/b/k"))
    assert authenticate(request, SECRETS, NOON) == KEY.key_id


def test_a_header_is_signed_without_the_spaces_that_a_server_may_drop() -> None:
    request = signed(Location("https://host.test", "/k"), headers={"X-Amz-Meta-A": "  a   b "})
    assert authenticate(request, SECRETS, NOON) == KEY.key_id
    assert request.headers["x-amz-meta-a"] == "a b"


def test_a_body_that_is_not_signed_may_be_any() -> None:
    location = Location("https://host.test", "/k")
    request = signed(location, body=b"one", sha256=UNSIGNED_PAYLOAD)
    changed = httpx.Request("PUT", location.url, headers=request.headers, content=b"two")
    assert authenticate(changed, SECRETS, NOON) == KEY.key_id


def other_method(request: httpx.Request) -> httpx.Request:
    return httpx.Request("DELETE", request.url, headers=request.headers, content=b"body")


def other_path(request: httpx.Request) -> httpx.Request:
    url = request.url.copy_with(path="/b/other")
    return httpx.Request("PUT", url, headers=request.headers, content=b"body")


def other_query(request: httpx.Request) -> httpx.Request:
    url = request.url.copy_merge_params({"partNumber": "2"})
    return httpx.Request("PUT", url, headers=request.headers, content=b"body")


def other_header(request: httpx.Request) -> httpx.Request:
    headers = {**request.headers, "x-amz-meta-sha256": "0"}
    return httpx.Request("PUT", request.url, headers=headers, content=b"body")


def other_host(request: httpx.Request) -> httpx.Request:
    headers = {**request.headers, "host": "elsewhere.test"}
    return httpx.Request("PUT", request.url, headers=headers, content=b"body")


@pytest.mark.parametrize(
    "change", [other_method, other_path, other_query, other_header, other_host]
)
def test_a_request_that_is_changed_loses_its_signature(
    change: Callable[[httpx.Request], httpx.Request],
) -> None:
    location = Location("https://host.test", "/b/k", {"partNumber": "1"})
    request = signed(location, headers={"x-amz-meta-sha256": "1"})
    assert authenticate(request, SECRETS, NOON) == KEY.key_id
    assert refusal_of(change(request)) == "SignatureDoesNotMatch"


def test_a_body_that_is_changed_is_refused() -> None:
    request = signed(Location("https://host.test", "/b/k"))
    changed = httpx.Request("PUT", request.url, headers=request.headers, content=b"bodY")
    assert refusal_of(changed) == "XAmzContentSHA256Mismatch"


@pytest.mark.parametrize(("minutes", "is_taken"), [(-16, False), (-15, True), (16, False)])
def test_a_signature_holds_for_a_quarter_of_an_hour(minutes: int, is_taken: bool) -> None:
    request = signed(Location("https://host.test", "/b/k"), now=NOON + timedelta(minutes=minutes))
    if is_taken:
        assert authenticate(request, SECRETS, NOON) == KEY.key_id
    else:
        assert refusal_of(request) == "RequestTimeTooSkewed"


def test_a_url_works_until_it_expires_for_its_method_and_no_longer() -> None:
    location = Location("https://host.test", "/b/k")
    url = presigned_url("GET", location, KEY, now=NOON, expires_seconds=60)
    last = NOON + timedelta(seconds=60)
    assert authenticate(httpx.Request("GET", url), SECRETS, last) == KEY.key_id
    late = last + timedelta(seconds=1)
    assert refusal_of(httpx.Request("GET", url), now=late) == "ExpiredRequest"
    assert refusal_of(httpx.Request("PUT", url), now=last) == "SignatureDoesNotMatch"
    longer = url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")
    assert refusal_of(httpx.Request("GET", longer), now=last) == "SignatureDoesNotMatch"


def test_a_url_can_last_seven_days() -> None:
    location = Location("https://host.test", "/b/k")
    url = presigned_url("GET", location, KEY, now=NOON, expires_seconds=MAX_EXPIRES_SECONDS)
    assert authenticate(httpx.Request("GET", url), SECRETS, NOON + timedelta(days=7)) == "key-id"


def test_a_url_can_demand_a_header() -> None:
    location = Location("https://host.test", "/b/k")
    wanted = {"Content-Type": "text/plain"}
    url = presigned_url("PUT", location, KEY, now=NOON, expires_seconds=60, headers=wanted)
    right = httpx.Request("PUT", url, headers=wanted, content=b"any")
    assert authenticate(right, SECRETS, NOON) == KEY.key_id
    wrong = httpx.Request("PUT", url, headers={"Content-Type": "text/html"}, content=b"any")
    assert refusal_of(wrong) == "SignatureDoesNotMatch"


def test_the_time_of_a_signature_is_utc_wherever_the_clock_is() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert signed(Location("https://h", "/k"), now=elsewhere).headers["x-amz-date"] == (
        "20260301T120000Z"
    )


def test_a_secret_does_not_show() -> None:
    assert "wJal" not in repr(EXAMPLE_KEY)
