"""Who sent a request, by Signature Version 4: written from the specification, not from the signer.

It starts from the bytes that came: path and query are decoded and encoded anew, and only headers
that were received are believed.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html and
https://developers.cloudflare.com/r2/api/error-codes/ (2026-11).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_to_bytes

import httpx

MAX_CLOCK_SKEW = timedelta(minutes=15)
MAX_EXPIRES_SECONDS = 604_800
REGIONS = frozenset({"auto", "", "us-east-1"})
"""The last two are other names for the first."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<credential>[^,\s]+),\s*"
    r"SignedHeaders=(?P<names>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Refused(Exception):
    """The request is answered with this status and code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says about its signature, from its headers or from its query."""

    credential: str
    names: str
    signature: str
    timestamp: str
    payload: str


def authenticate(request: httpx.Request, secrets: Mapping[str, str], now: datetime) -> str:
    """The id of the access key that signed the request, whose body was read.

    Raises:
        Refused: nobody did, or not this request, or not now.
    """
    raw_path, _, raw_query = request.url.raw_path.partition(b"?")
    query = _decoded(raw_query)
    names = [name for name, _ in query]
    if b"X-Amz-Signature" in names:
        claim = _claim_of_query(dict(query), now)
        query = [pair for pair in query if pair[0] != b"X-Amz-Signature"]
    elif "Authorization" in request.headers:
        claim = _claim_of_headers(request, now)
    else:
        raise Refused(400, "InvalidArgument")
    key_id, day, region, service, end = _parts(claim.credential)
    if key_id not in secrets:
        raise Refused(401, "Unauthorized")
    if (day, service, end) != (claim.timestamp[:8], "s3", "aws4_request") or region not in REGIONS:
        raise Refused(400, "InvalidArgument")
    _require_all_signed(request, claim.names.split(";"))
    canonical = b"\n".join(
        (
            request.method.encode(),
            b"/".join(_encoded(unquote_to_bytes(part)) for part in raw_path.split(b"/")),
            _query_line(query),
            _header_lines(request, claim.names.split(";")),
            claim.names.encode(),
            claim.payload.encode(),
        )
    )
    scope = "/".join((day, region, service, end))
    text = "\n".join(
        ("AWS4-HMAC-SHA256", claim.timestamp, scope, hashlib.sha256(canonical).hexdigest())
    )
    signing_key = b"AWS4" + secrets[key_id].encode()
    for part in (day, region, service, end, text):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    if not hmac.compare_digest(signing_key.hex(), claim.signature):
        raise Refused(403, "SignatureDoesNotMatch")
    if claim.payload not in ("UNSIGNED-PAYLOAD", hashlib.sha256(request.content).hexdigest()):
        raise Refused(400, "XAmzContentSHA256Mismatch")
    return key_id


def _claim_of_headers(request: httpx.Request, now: datetime) -> _Claim:
    found = _AUTHORIZATION.fullmatch(request.headers["Authorization"])
    timestamp = request.headers.get("x-amz-date", "")
    payload = request.headers.get("x-amz-content-sha256")
    if found is None or payload is None:
        raise Refused(400, "InvalidArgument")
    if abs(_instant(timestamp) - now) > MAX_CLOCK_SKEW:
        raise Refused(403, "RequestTimeTooSkewed")
    return _Claim(found["credential"], found["names"], found["signature"], timestamp, payload)


def _claim_of_query(query: Mapping[bytes, bytes], now: datetime) -> _Claim:
    try:
        credential, names, signature, timestamp, expires, algorithm = (
            query[f"X-Amz-{name}".encode()].decode()
            for name in (
                "Credential",
                "SignedHeaders",
                "Signature",
                "Date",
                "Expires",
                "Algorithm",
            )
        )
        seconds = int(expires)
    except (KeyError, ValueError) as error:
        raise Refused(400, "AuthorizationQueryParametersError") from error
    if algorithm != "AWS4-HMAC-SHA256" or not 1 <= seconds <= MAX_EXPIRES_SECONDS:
        raise Refused(400, "AuthorizationQueryParametersError")
    signed_at = _instant(timestamp)
    if signed_at - now > MAX_CLOCK_SKEW:
        raise Refused(403, "RequestTimeTooSkewed")
    if now > signed_at + timedelta(seconds=seconds):
        raise Refused(400, "ExpiredRequest")
    return _Claim(credential, names, signature, timestamp, "UNSIGNED-PAYLOAD")


def _require_all_signed(request: httpx.Request, names: list[str]) -> None:
    """What says something to S3 must be signed, and so must the host."""
    missing = {name for name in request.headers if name.startswith("x-amz-")} - set(names)
    if missing or "host" not in names:
        raise Refused(403, "AccessDenied")


def _header_lines(request: httpx.Request, names: list[str]) -> bytes:
    lines = [
        f"{name}:{re.sub(' +', ' ', request.headers.get(name, '').strip())}\n" for name in names
    ]
    return "".join(lines).encode()


def _parts(credential: str) -> tuple[str, str, str, str, str]:
    parts = credential.split("/")
    if len(parts) != 5:
        raise Refused(400, "InvalidArgument")
    return parts[0], parts[1], parts[2], parts[3], parts[4]


def _instant(timestamp: str) -> datetime:
    try:
        return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused(400, "InvalidArgument") from error


def _decoded(raw_query: bytes) -> list[tuple[bytes, bytes]]:
    pairs = [each.partition(b"=") for each in raw_query.split(b"&") if each]
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs]


def _query_line(query: list[tuple[bytes, bytes]]) -> bytes:
    """Sorted by name, then by value, both encoded: not the same order as that of whole pairs."""
    encoded = sorted((_encoded(name), _encoded(value)) for name, value in query)
    return b"&".join(name + b"=" + value for name, value in encoded)


def _encoded(raw: bytes) -> bytes:
    return b"".join(bytes([each]) if each in _UNRESERVED else b"%%%02X" % each for each in raw)
