"""Signature Version 4 for S3, in the form R2 checks: in a request's headers, or in its URL.

A signature covers the method, the path, the query, chosen headers and the digest of the body. S3
takes path and query as they are sent, percent-encoded once and not normalised, so a `Location`
writes them once for both uses: the URL that is sent is the one that was signed.

Pure: the caller says what time it is.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html (2026-11).
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""In place of the body's SHA-256, where the body may be any."""
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
MAX_EXPIRES_SECONDS = 604_800
"""Source: https://developers.cloudflare.com/r2/api/s3/presigned-urls/ (2026-11)."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_SERVICE = "s3"
_DEFAULT_PORTS = {"https": ":443", "http": ":80"}


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Who signs. The secret never shows itself."""

    key_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Location:
    """Where a request goes.

    `endpoint` is a URL without a query, and may have a path; `path` starts with `/` and, like the
    names and values of `query`, is not encoded. It has no segments of dots (`/../`): an HTTP client
    takes them out.
    """

    endpoint: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def url(self) -> str:
        parts = urlsplit(self.endpoint)
        query = self.encoded_query
        return f"{parts.scheme}://{parts.netloc}{self.encoded_path}{'?' if query else ''}{query}"

    @property
    def host(self) -> str:
        """The `Host` header of a request to it: without the port where that is the scheme's own."""
        parts = urlsplit(self.endpoint)
        host = parts.netloc.rpartition("@")[2].lower()
        return host.removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))

    @property
    def encoded_path(self) -> str:
        return urlsplit(self.endpoint).path.rstrip("/") + quote(self.path, safe="/")

    @property
    def encoded_query(self) -> str:
        encoded = sorted((quote(name, ""), quote(value, "")) for name, value in self.query.items())
        return "&".join(f"{name}={value}" for name, value in encoded)


def signed_headers(
    method: str,
    location: Location,
    key: AccessKey,
    *,
    now: datetime,
    headers: Mapping[str, str],
    payload_sha256: str = EMPTY_SHA256,
    region: str = "auto",
) -> dict[str, str]:
    """The headers to send: all of `headers`, which are signed, and those of the signature.

    `Host` is signed too and is left to the HTTP client. `payload_sha256` is the body's digest in
    hexadecimal, or UNSIGNED_PAYLOAD. A server lets `now` be up to 15 minutes off.
    """
    sent = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    sent |= {"x-amz-content-sha256": payload_sha256, "x-amz-date": _timestamp(now)}
    signed = {**sent, "host": location.host}
    scope = _scope(now, region)
    signature = _signature(method, location, key, signed, payload_sha256, now=now, region=region)
    authorization = (
        f"{_ALGORITHM} Credential={key.key_id}/{scope},"
        f"SignedHeaders={_names(signed)},Signature={signature}"
    )
    return {**sent, "authorization": authorization}


def presigned_url(
    method: str,
    location: Location,
    key: AccessKey,
    *,
    now: datetime,
    expires_seconds: int,
    headers: Mapping[str, str] | None = None,
    region: str = "auto",
) -> str:
    """A URL that does this one thing for whoever holds it, until it expires.

    `headers` must be sent with it just so (`Content-Type` of an upload). R2 takes GET, HEAD, PUT
    and DELETE, and 1 to MAX_EXPIRES_SECONDS.
    """
    signed = {name.lower(): " ".join(value.split()) for name, value in (headers or {}).items()}
    signed["host"] = location.host
    query = {
        **location.query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{key.key_id}/{_scope(now, region)}",
        "X-Amz-Date": _timestamp(now),
        "X-Amz-Expires": str(expires_seconds),
        "X-Amz-SignedHeaders": _names(signed),
    }
    unsigned = replace(location, query=query)
    signature = _signature(method, unsigned, key, signed, UNSIGNED_PAYLOAD, now=now, region=region)
    return f"{unsigned.url}&X-Amz-Signature={signature}"


def _signature(
    method: str,
    location: Location,
    key: AccessKey,
    signed: Mapping[str, str],
    payload_sha256: str,
    *,
    now: datetime,
    region: str,
) -> str:
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = "\n".join(
        (
            method,
            location.encoded_path,
            location.encoded_query,
            lines,
            _names(signed),
            payload_sha256,
        )
    )
    scope = _scope(now, region)
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{_timestamp(now)}\n{scope}\n{digest}"
    derived = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        derived = _hmac(derived, part)
    return _hmac(derived, text).hex()


def _names(signed: Mapping[str, str]) -> str:
    return ";".join(sorted(signed))


def _scope(now: datetime, region: str) -> str:
    return f"{_timestamp(now)[:8]}/{region}/{_SERVICE}/aws4_request"


def _timestamp(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
