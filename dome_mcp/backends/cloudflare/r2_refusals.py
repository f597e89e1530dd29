"""What R2's S3 interface says instead of a result, and which of our errors that is.

The code in the XML decides; where there is none (HEAD, the edge's HTML) the HTTP status does.
R2's own words are never repeated, for they may quote the key and what was signed.

Source: https://developers.cloudflare.com/r2/api/error-codes/ (2026-11).
"""

import re

import httpx

from dome_mcp.backends.cloudflare.r2_xml import BACKEND, error_code
from dome_mcp.core.errors import BackendError, BackendRejected, BackendUnavailable, QuotaExhausted

WRITE_SPACING_SECONDS = 1.0
"""How far apart two writes of one key must be: R2 takes one a second, and answers 429 to more.

Source: https://developers.cloudflare.com/r2/platform/limits/ (2026-11).
"""

_MISSING = frozenset({"NoSuchKey", "NoSuchUpload"})
_PASSING = frozenset(
    {
        "BadDigest",  # the body was damaged on its way
        "XAmzContentSHA256Mismatch",
        "ClientDisconnect",
        "IncompleteBody",
        "InternalError",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "TooManyRequests",
    }
)
_FULL = frozenset({"QuotaExceeded", "StorageQuotaExceeded", "InsufficientStorage"})
"""R2 itself bills what is over its allowance and documents no such code; other S3 servers do."""

_REJECTIONS = {
    "NoSuchBucket": (
        "R2 has no such bucket at this endpoint",
        "Create it (`wrangler r2 bucket create NAME`) or correct DOME_R2_BUCKET; a bucket with a"
        " jurisdiction is found with DOME_R2_JURISDICTION.",
    ),
    "InvalidBucketName": (
        "This is not the name of an R2 bucket",
        "Correct DOME_R2_BUCKET: 3 to 63 lower-case letters, digits and hyphens.",
    ),
    "SignatureDoesNotMatch": (
        "R2 finds the signature wrong",
        "Check DOME_R2_SECRET_ACCESS_KEY: it does not belong to the access key.",
    ),
    "Unauthorized": (
        "R2 does not know the access key",
        "Check CLOUDFLARE_API_TOKEN, or DOME_R2_ACCESS_KEY_ID: the key is an active token's id.",
    ),
    "AccessDenied": (
        "The token may not do this in the R2 bucket",
        "It needs the permission Workers R2 Storage Bucket Item Write for this bucket.",
    ),
    "NotEntitled": (
        "R2 is not activated for this Cloudflare account",
        "Activate it in the dashboard (R2 Object Storage), which asks for a payment method.",
    ),
    "ExpiredRequest": (
        "R2 finds the request too old",
        "This machine's clock is wrong: set it by a time server.",
    ),
    "ObjectLockedByBucketPolicy": (
        "A lock rule of the R2 bucket protects this object",
        "Wait until its retention is over, or change the rule.",
    ),
    "EntityTooLarge": ("The blob is too large for R2", "An R2 object holds at most 5 TiB."),
    "InvalidObjectName": (
        "R2 takes no object of this name",
        "A key has at most 1,024 bytes.",
    ),
}
_SAME_AS = {
    "InvalidAccessKeyId": "Unauthorized",
    "RequestTimeTooSkewed": "ExpiredRequest",
    "KeyTooLongError": "InvalidObjectName",
}
"""Codes of S3's own, for what R2 has another code for."""


def is_missing(response: httpx.Response) -> bool:
    """Whether there is no such key or upload, which is for the caller to judge."""
    if response.status_code != httpx.codes.NOT_FOUND:
        return False
    return response.request.method == "HEAD" or error_code(response.content) in _MISSING


def refusal(response: httpx.Response, operation: str) -> BackendError:
    """The error for an answer that is none of success; its body was read."""
    status, code = response.status_code, error_code(response.content)
    said = (
        f"HTTP {status}, {code}" if re.fullmatch(r"[A-Za-z0-9]{1,64}", code) else f"HTTP {status}"
    )
    if code in _FULL or status in (402, httpx.codes.INSUFFICIENT_STORAGE):
        return QuotaExhausted(
            BACKEND,
            operation,
            f"R2 has no more space for this account ({said}).",
            "Delete what is not needed, or raise the account's limit.",
        )
    if code in _PASSING or status in (408, 429) or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return BackendUnavailable(
            BACKEND,
            operation,
            f"R2 is busy or failing ({said}).",
            "Try again later.",
            retry_after=_retry_after(response),
        )
    message, hint = _REJECTIONS.get(_SAME_AS.get(code, code)) or _by_status(status)
    return BackendRejected(BACKEND, operation, f"{message} ({said}).", hint)


def _by_status(status: int) -> tuple[str, str]:
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return _REJECTIONS["AccessDenied"]
    return "R2 refused the request", "Check DOME_R2_BUCKET and the endpoint."


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; the form with a date would need a clock, and R2 does not use it."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdecimal():
        return float(text)
    is_too_soon = response.status_code == httpx.codes.TOO_MANY_REQUESTS
    return WRITE_SPACING_SECONDS if is_too_soon else None
