"""What a gateway, or the provider behind it, answers instead of a message.

Source: https://platform.openai.com/docs/guides/error-codes and
https://docs.claude.com/en/api/errors (2026-11).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from dome_mcp.backends.cloudflare.ai_refusals import is_too_long
from dome_mcp.core.errors import (
    BackendError,
    BackendRejected,
    BackendUnavailable,
    InputTooLong,
    QuotaExhausted,
)

_NO_RIGHT = (
    "AI Gateway refuses the token",
    "CLOUDFLARE_API_TOKEN needs the permission AI Gateway Run.",
)
_NO_KEY = ("The provider refuses the key", "Check DOME_LLM_API_KEY.")
_OF_THE_GATEWAY = {
    401: _NO_RIGHT,
    403: _NO_RIGHT,
    404: (
        "The account has no such AI Gateway",
        "Check DOME_AI_GATEWAY, the name of the gateway.",
    ),
}
_OF_THE_PROVIDER = {
    401: _NO_KEY,
    403: _NO_KEY,
    404: (
        "The provider has no such language model",
        "Check DOME_LLM_MODEL: what follows openai/ or anthropic/ is the provider's own name.",
    ),
}
"""What each says by its HTTP status, and what to do about it."""

_PAYMENT_WORDS = ("insufficient_quota", "billing_hard_limit_reached", "credit balance is too low")


@contextmanager
def translated(backend: str, operation: str) -> Iterator[None]:
    """Turns what httpx raises into the port's errors."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise BackendUnavailable(
            backend, operation, "The language model did not answer in time."
        ) from error
    except httpx.HTTPError as error:
        raise BackendUnavailable(
            backend, operation, "AI Gateway cannot be reached.", "Try again later."
        ) from error


def raise_for_status(response: httpx.Response, backend: str, operation: str) -> None:
    """Raises what a status that is no success stands for; the body was read."""
    if not response.is_success:
        raise _refusal(response, backend, operation)


def _refusal(response: httpx.Response, backend: str, operation: str) -> BackendError:
    status, words = response.status_code, response.text
    if status == httpx.codes.PAYMENT_REQUIRED or any(each in words for each in _PAYMENT_WORDS):
        return QuotaExhausted(
            backend,
            operation,
            "The allowance at the provider is used up.",
            "Look at the account that DOME_LLM_API_KEY belongs to.",
        )
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE or is_too_long(words):
        return InputTooLong(
            backend,
            operation,
            "The prompt is too long for the language model.",
            "Ask with a smaller limit, or use a model with a larger context.",
        )
    if status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS) or status >= 500:
        return BackendUnavailable(
            backend,
            operation,
            f"The language model is busy or failing (HTTP {status}).",
            "Try again later.",
            retry_after=_retry_after(response),
        )
    return _rejection(response, backend, operation)


def _rejection(response: httpx.Response, backend: str, operation: str) -> BackendRejected:
    status = response.status_code
    known = _OF_THE_GATEWAY if _is_by_gateway(response) else _OF_THE_PROVIDER
    message, hint = known.get(status, ("The language model refused the request", ""))
    return BackendRejected(backend, operation, f"{message} (HTTP {status}).", hint)


def _is_by_gateway(response: httpx.Response) -> bool:
    """Whether the gateway itself answers; it has Cloudflare's envelope, which providers lack."""
    try:
        body: object = response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and "success" in body


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; the form with a date would need a clock and is left out."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdecimal() else None
