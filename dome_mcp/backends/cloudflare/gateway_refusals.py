"""What a gateway, or the provider behind it, answers instead of a message.

Source: https://platform.openai.com/docs/guides/error-codes and
https://docs.claude.com/en/api/errors (2026-11).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from dome_mcp.backends.cloudflare.ai_refusals import InputTooLong, is_too_long
from dome_mcp.core.errors import (
    BackendError,
    BackendRejected,
    BackendUnavailable,
    QuotaExhausted,
)

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
        return QuotaExhausted(backend, operation, "The allowance at the provider is used up.")
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
    return _rejection(status, backend, operation)


def _rejection(status: int, backend: str, operation: str) -> BackendRejected:
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return BackendRejected(
            backend,
            operation,
            f"The gateway or the provider refuses the key (HTTP {status}).",
            "Check the provider's key; an authenticated gateway also needs a Cloudflare token "
            "with the permission AI Gateway Run.",
        )
    if status == httpx.codes.NOT_FOUND:
        return BackendRejected(
            backend,
            operation,
            "There is no such language model, or no such gateway.",
            "Check the model's name (as the provider writes it) and the gateway's.",
        )
    return BackendRejected(
        backend, operation, f"The language model refused the request (HTTP {status})."
    )


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; the form with a date would need a clock and is left out."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdecimal() else None
