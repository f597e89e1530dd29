"""What a server refuses, and that it cannot be reached, as the errors of this program.

A problem (RFC 9457) keeps its words and its hint, which are those of the tool that met it there.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, cast

import httpx

from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    Conflict,
    DomeError,
    Forbidden,
    InvalidInput,
)

BACKEND = "DOME server"

_MEDIA_TYPE = "application/problem+json"
_CHECK = "Check DOME_API_URL; `dome-mcp doctor` says what answers there."
_ETAG = re.compile(r'"([0-9]{1,15})"')
_BLANK = "String should have at least 1 character"

Problem = Mapping[str, Any]


class StaleRevision(Conflict):
    """The change was made to a revision that is not the `present` one, where that is told."""

    def __init__(self, message: str, hint: str, present: int | None) -> None:
        super().__init__(message, hint)
        self.present = present


def refusal(response: httpx.Response, server: str) -> DomeError:
    """The error that an answer is; the body must have been read."""
    if response.is_redirect:
        hint = "Set DOME_API_URL to the address it has now; the token goes nowhere else."
        return _not_dome(f"{server} sends requests to another address.", hint)
    problem = _problem_in(response)
    if response.status_code == 401:
        return Forbidden(
            f"The DOME server {server} does not take this token.",
            f"{problem.get('detail', '')} Set DOME_API_TOKEN to a valid one; `dome-mcp token "
            "create`, run where the data are, makes it.".strip(),
        )
    if response.status_code == 429:
        return _too_many(response, server)
    if not problem:
        words = f"{server} answers with HTTP {response.status_code}, and not as DOME does."
        return _not_dome(words, _CHECK)
    return refusal_of(problem, response.headers)


def refusal_of(problem: Problem, headers: Mapping[str, str]) -> DomeError:
    """The error that a problem tells of, in its own words."""
    status, message = int(problem["status"]), _message(problem)
    # The log that a reference is for is the server's, and not for whoever asks here.
    hint = "" if "reference" in problem else str(problem.get("hint", ""))
    if status == 403:
        return Forbidden(message, hint)
    if status == 412:
        tag = _ETAG.fullmatch(headers.get("etag", ""))
        return StaleRevision(message, hint, int(tag[1]) if tag else None)
    if status == 409:
        return Conflict(message, hint)
    if status < 500:
        return InvalidInput(message, hint)
    if status == 503:
        seconds = _retry_seconds(headers)
        return BackendUnavailable(BACKEND, "request", message, hint, retry_after=seconds)
    return BackendRejected(BACKEND, "request", message, hint)


def unreachable(failure: httpx.HTTPError, server: str) -> DomeError:
    """The error that no answer is; whether a write was done is then not known."""
    if isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout):
        return BackendUnavailable(
            BACKEND,
            "connect",
            f"The DOME server {server} cannot be reached.",
            "Check the network and DOME_API_URL, then try again. Nothing was sent.",
        )
    if isinstance(failure, httpx.TimeoutException):
        words = f"The DOME server {server} did not answer in time."
    else:
        words = f"The DOME server {server} broke off before it answered."
    return BackendUnavailable(
        BACKEND,
        "request",
        words,
        "What was asked for may be done all the same: look before you ask for it again.",
    )


def misshapen(server: str) -> BackendProtocolError:
    """The error for an answer that is not what this program knows of the API."""
    return _not_dome(f"{server} gave an answer that DOME does not give.", _CHECK)


def _not_dome(words: str, hint: str) -> BackendProtocolError:
    return BackendProtocolError(BACKEND, "request", words, hint)


def _too_many(response: httpx.Response, server: str) -> BackendUnavailable:
    seconds = _retry_seconds(response.headers)
    wait = "Wait a moment" if seconds is None else f"Wait {math.ceil(seconds)} seconds"
    return BackendUnavailable(
        BACKEND,
        "request",
        f"The DOME server {server} has had too many requests from this token or network.",
        f"{wait}, then try again.",
        retry_after=seconds,
    )


def _problem_in(response: httpx.Response) -> Problem:
    """The problem that the answer is; empty where it is none."""
    if response.headers.get("content-type", "").partition(";")[0].strip() != _MEDIA_TYPE:
        return {}
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    is_whole = isinstance(found, dict) and {"detail", "status"} <= found.keys()
    return cast("dict[str, Any]", found) if is_whole else {}


def _message(problem: Problem) -> str:
    """What happened; of a request that cannot work, which parts of it, by the tool's names."""
    parts = [
        f"{each['location'].partition('.')[2] or each['location']}: {each['message']}"
        for each in problem.get("errors", ())
    ]
    words = "; ".join(parts).replace(f": {_BLANK}", " is empty")
    return f"{words}." if words else str(problem["detail"])


def _retry_seconds(headers: Mapping[str, str]) -> float | None:
    seconds = headers.get("retry-after", "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() else None
