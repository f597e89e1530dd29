"""What Cloudflare says instead of a result, and which of our errors that is.

A driver knows its own service's codes and texts; it gives a `Reader` that is asked first. What the
reader leaves (None) is read here by the HTTP status, which all services share.

Cloudflare's own words may quote what was sent (a value, a part of a question), so they are matched
and never repeated.

Source: https://developers.cloudflare.com/fundamentals/api/reference/limits/ and the codes under
https://developers.cloudflare.com/workers-ai/platform/errors/ (2026-11).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from dome_mcp.backends.cloudflare.verdicts import (
    ALLOWANCE_CODES,
    NO_ROUTE,
    Reader,
    Refusal,
    Verdict,
    next_day,
)
from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    QuotaExhausted,
)

NOT_AUTHENTICATED = 10000

_PERMISSIONS = {
    "d1": "D1 Edit",
    "vectorize": "Vectorize Edit",
    "r2": "Workers R2 Storage Edit",
    "queues": "Queues Edit",
    "ai": "Workers AI Read",
    "ai-gateway": "AI Gateway Run",
    "email": "Email Sending Edit",
}
"""What a token needs for `/accounts/{id}/<service>/…`.

Source: https://developers.cloudflare.com/fundamentals/api/reference/permissions/ (2026-11).
"""


def refused(
    response: httpx.Response, *, backend: str, operation: str, service: str, now: datetime
) -> Refusal:
    """The refusal in a response whose body was read; any body will do, HTML too."""
    errors = _errors(response)
    return Refusal(
        backend,
        operation,
        service,
        response.status_code,
        next((code for code, _ in errors if code is not None), None),
        " ".join(message for _, message in errors),
        _retry_after(response.headers, now),
        now,
    )


def read(refusal: Refusal, reader: Reader | None = None) -> Verdict:
    """The error for a refusal: the driver's own reading, or what its HTTP status stands for."""
    verdict = reader(refusal) if reader else None
    return verdict or _by_status(refusal)


def _by_status(refusal: Refusal) -> Verdict:
    backend, operation, status = refusal.backend, refusal.operation, refusal.status
    if refusal.code in ALLOWANCE_CODES:
        return Verdict(
            QuotaExhausted(
                backend,
                operation,
                "The day's free allowance of Workers AI is used up.",
                "It starts anew at 00:00 UTC; the Workers Paid plan has no such limit.",
                until=next_day(refusal.now),
            )
        )
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Verdict(_unavailable(refusal, "Cloudflare asks to slow down"), is_untouched=True)
    if status == httpx.codes.REQUEST_TIMEOUT or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Verdict(_unavailable(refusal, "Cloudflare failed or was too slow"))
    if status < httpx.codes.BAD_REQUEST and refusal.code is None:
        return Verdict(
            BackendProtocolError(
                backend, operation, f"Cloudflare's answer cannot be read ({_said(refusal)})."
            )
        )
    message, hint = _rejection(refusal)
    return Verdict(BackendRejected(backend, operation, f"{message} ({_said(refusal)}).", hint))


def _rejection(refusal: Refusal) -> tuple[str, str]:
    """What happened and what to do, for what will be refused again."""
    permission = _PERMISSIONS.get(refusal.service, "of this service")
    if refusal.code == NO_ROUTE:
        return (
            "Cloudflare knows no such account or resource",
            "Check CLOUDFLARE_ACCOUNT_ID and the names of the resources.",
        )
    if refusal.status == httpx.codes.UNAUTHORIZED:
        return (
            "Cloudflare does not know the token, or not for this",
            f"Check CLOUDFLARE_API_TOKEN: it must be active and have the permission {permission}.",
        )
    if refusal.code == NOT_AUTHENTICATED:
        return (
            "The token may not do this at Cloudflare",
            f"Give it the permission {permission}, and see that it is for this account.",
        )
    if refusal.status == httpx.codes.FORBIDDEN:
        return (
            "Cloudflare forbids this",
            f"The token needs the permission {permission}, and the account a plan that has it.",
        )
    if refusal.status == httpx.codes.NOT_FOUND:
        return (
            "Cloudflare has no such resource in this account",
            "Create it, or correct its name in the settings.",
        )
    if refusal.status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return "The request is too large for Cloudflare", "Send less at once."
    return "Cloudflare refused the request", ""


def _unavailable(refusal: Refusal, message: str) -> BackendUnavailable:
    return BackendUnavailable(
        refusal.backend,
        refusal.operation,
        f"{message} ({_said(refusal)}).",
        "Try again later.",
        retry_after=refusal.retry_after,
    )


def _said(refusal: Refusal) -> str:
    code = "" if refusal.code is None else f", code {refusal.code}"
    return f"HTTP {refusal.status}{code}"


def _errors(response: httpx.Response) -> list[tuple[int | None, str]]:
    """The envelope's errors, each a code and its words; OpenAI's form of an error is taken too."""
    try:
        body: Any = json.loads(response.content)
    except ValueError:
        return []
    if not isinstance(body, Mapping):
        return []
    listed = body.get("errors") or [body.get("error")]
    return [_error(each) for each in (listed if isinstance(listed, list) else [listed]) if each]


def _error(each: object) -> tuple[int | None, str]:
    if not isinstance(each, Mapping):
        return None, str(each)
    try:
        code = int(each["code"])
    except (LookupError, TypeError, ValueError):  # OpenAI's codes are words
        code = None
    return code, str(each.get("message", ""))


def _retry_after(headers: httpx.Headers, now: datetime) -> float | None:
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal() and text.isascii():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())
