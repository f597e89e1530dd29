"""What Workers AI refuses, by its own codes; it may be asked for a vector, a text or a score.

5021 and 3030 for a text that does not fit into the model are not on the page of errors, but in
answers that other clients of the service keep in their tests.

This runs inside Workers too, so it imports the standard library alone.

Source: https://developers.cloudflare.com/workers-ai/platform/errors/ (2026-10).
"""

import re
from datetime import datetime
from http import HTTPStatus

from dome_mcp.backends.cloudflare.verdicts import ALLOWANCE_CODES, Refusal, Verdict, next_day
from dome_mcp.core.errors import (
    BackendError,
    BackendRejected,
    BackendUnavailable,
    InputTooLong,
    QuotaExhausted,
)

NO_CAPACITY = 3040
NO_PLAN = 5035
TERMS_NOT_ACCEPTED = 5016
NO_MODEL_CODES = frozenset({5007, 3042, 7000})
TOO_LONG_CODES = frozenset({5021, 3006, 3030})

_THROWN_CODE = re.compile(r"\b(\d{4,5}): ")
_FINAL_CODES = frozenset({3003, 3023, 3041, 10000})
_OF_THE_REQUEST = 5
"""All codes of 5000 and more are about what was asked, and by whom."""

_ALLOWANCE_WORDS = "daily free allocation"
"""What a refusal for want of neurons says: a binding gives a conversion's without its code."""

_TOO_LONG_WORDS = (
    "exceeded this model context window limit",
    "maximum context length",
    "max context reached",
    "sequence too long",
    "context_length_exceeded",
    "prompt is too long",
)


def read_ai(refusal: Refusal) -> Verdict | None:
    """The error for a refusal of Workers AI or of a model behind it, None for one like any other.

    A `Reader` (refusals.py).
    """
    return _used_up(refusal) or _no_capacity(refusal) or _too_long(refusal) or _no_model(refusal)


def read_thrown(said: str, *, backend: str, operation: str, now: datetime) -> BackendError:
    """The error for what the binding `env.AI` throws, which has no HTTP status.

    Source: `cloudflare-internal:ai-api` in npm's workerd 1.20261117.1: `code: words`.
    """
    found = _THROWN_CODE.search(said)
    code = int(found[1]) if found else None
    refusal = Refusal(backend, operation, "ai", 0, code, said, None, now)
    if verdict := read_ai(refusal):
        return verdict.error
    if code is not None and (code in _FINAL_CODES or code // 1000 == _OF_THE_REQUEST):
        return BackendRejected(backend, operation, f"Workers AI refused the request (code {code}).")
    return BackendUnavailable(
        backend, operation, "Workers AI failed or cannot be reached.", "Try again later."
    )


def _used_up(refusal: Refusal) -> Verdict | None:
    backend, operation = refusal.backend, refusal.operation
    if refusal.code in ALLOWANCE_CODES or _ALLOWANCE_WORDS in refusal.message.lower():
        return Verdict(
            QuotaExhausted(
                backend,
                operation,
                "The day's free allowance of Workers AI (10,000 neurons) is used up.",
                "It starts anew at 00:00 UTC; the Workers Paid plan has no such limit.",
                until=next_day(refusal.now),
            )
        )
    if refusal.status == HTTPStatus.PAYMENT_REQUIRED:
        return Verdict(
            QuotaExhausted(
                backend,
                operation,
                "The account's credits for models of other providers are used up.",
                "Load credits in Cloudflare's dashboard, set DOME_LLM_API_KEY to a key of the "
                "provider's, or choose a model of Workers AI.",
            )
        )
    return None


def _no_capacity(refusal: Refusal) -> Verdict | None:
    if refusal.code == NO_CAPACITY:
        return Verdict(
            BackendUnavailable(
                refusal.backend,
                refusal.operation,
                "Workers AI has no capacity for this model right now.",
                "Try again in a while.",
                retry_after=refusal.retry_after,
            ),
            is_untouched=True,
        )
    return None


def _too_long(refusal: Refusal) -> Verdict | None:
    is_too_large = refusal.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if is_too_large or refusal.code in TOO_LONG_CODES or is_too_long(refusal.message):
        return Verdict(
            InputTooLong(
                refusal.backend,
                refusal.operation,
                "The text is too long for the model.",
                "Ask with a smaller limit, or use a model with a larger context.",
            )
        )
    return None


def is_too_long(words: str) -> bool:
    """Whether the words of a refusal say that the text does not fit into the model."""
    lowered = words.lower()
    return any(each in lowered for each in _TOO_LONG_WORDS)


def _no_model(refusal: Refusal) -> Verdict | None:
    if refusal.code in NO_MODEL_CODES:
        return Verdict(
            BackendRejected(
                refusal.backend,
                refusal.operation,
                "Workers AI has no model of this name.",
                "Models are removed at times; the names of those there are stand at "
                "https://developers.cloudflare.com/workers-ai/models/.",
            )
        )
    if refusal.code == NO_PLAN:
        return Verdict(
            BackendRejected(
                refusal.backend,
                refusal.operation,
                "This model needs the Workers Paid plan.",
                "Choose one that the Free plan has, or change the account's plan.",
            )
        )
    if refusal.code == TERMS_NOT_ACCEPTED:
        return Verdict(
            BackendRejected(
                refusal.backend,
                refusal.operation,
                "The terms of this model were not accepted for the account.",
                "Accept them once in Cloudflare's dashboard, or choose another model.",
            )
        )
    return None
