"""What D1 says when it refuses, as our errors.

D1 has one code (7500) for everything, so its words decide. What is repeated of them is what cannot
come from a user: kinds of mistakes, and names in our schema and our SQL. The full-text engine
quotes what was searched for, as a word or as a column; such words have no place in the SQL (`at
offset`), and are left out.

Source: https://developers.cloudflare.com/d1/observability/debug-d1/ (2026-09); SQLite's words and
codes as D1's engine gives them, cloudflare/workerd@6552d999 `src/workerd/util/sqlite.c++`.
"""

import re

from dome_mcp.backends.cloudflare.verdicts import NO_ROUTE, Refusal, Verdict, next_day
from dome_mcp.core.errors import BackendError, BackendRejected, BackendUnavailable, QuotaExhausted

BACKEND = "d1"

_NEVER_RUN = (
    "D1 DB is overloaded",
    "Cannot resolve D1 DB due to transient issue on remote node",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
)
"""Turned away before it began, or rolled back by SQLite itself."""
_MAY_PASS = (
    "Network connection lost",
    "D1 DB reset because its code was updated",
    "Internal error while starting up D1 DB storage caused object to be reset",
    "Replica disconnected from primary",
)
_TOO_HEAVY = (
    "D1 DB storage operation exceeded timeout which caused object to be reset",
    "D1 DB exceeded its CPU time limit and was reset",
    "D1 DB's isolate exceeded its memory limit and was reset",
)
_DAY_IS_USED_UP = re.compile(r"free tier daily row (read|write)", re.IGNORECASE)
_KINDS = {"read": "read (5,000,000 a day)", "write": "written (100,000 a day)"}
"""Source: https://developers.cloudflare.com/d1/platform/pricing/ (2026-11)."""
_FULL = ("Exceeded maximum DB size", "SQLITE_FULL")
_CONSTRAINT = re.compile(
    r"\b(?:UNIQUE|NOT NULL|PRIMARY KEY|FOREIGN KEY|CHECK) constraint failed"
    r"(?:: \w+\.\w+(?:, \w+\.\w+)*)?"
)
_MISSING = re.compile(
    r"no such (?:(?:table|index|view|trigger|function|module): [\w.]{1,80}"
    r"|column: [\w.]{1,80} (?=at offset)|\w+)"
)
_WRONG_STATEMENT = re.compile(
    r"near \"[^\"]{1,40}\": syntax error (?=at offset)|(?:fts5: )?syntax error|incomplete input"
    r"|not authorized(?: to use function: \w+)?"
    r"|(?:LIKE or GLOB pattern|Expression tree is) too (?:complex|large)"
    r"|too many (?:SQL variables|terms in compound SELECT|arguments on function \w+|columns)"
    r"|string or blob too big|datatype mismatch|malformed JSON|\w+ constraint failed"
    r"|Wrong number of parameter bindings|To execute a transaction"
)
_DAMAGED = re.compile(r"malformed(?! JSON)|SQLITE_CORRUPT|SQLITE_NOTADB")
_CODE = re.compile(r"SQLITE_[A-Z_]+")
_REPORT = "The mistake is DOME's, or another version's of it: look for an update, or report it."


def read_refusal(refusal: Refusal) -> Verdict | None:
    """The `Reader` of D1's refusals; None for those that are not D1's own."""
    said, operation = refusal.message, refusal.operation
    if any(words in said for words in _NEVER_RUN):
        return Verdict(_unavailable(refusal, "D1 has too much to do"), is_untouched=True)
    if any(words in said for words in _MAY_PASS):
        return Verdict(_unavailable(refusal, "D1 lost its connection or was restarted"))
    if used := _DAY_IS_USED_UP.search(said):
        return Verdict(
            QuotaExhausted(
                BACKEND,
                operation,
                f"The day's free allowance of D1 is used up: rows {_KINDS[used[1].lower()]}.",
                "It starts anew at 00:00 UTC; the Workers Paid plan has no such limit.",
                until=next_day(refusal.now),
            )
        )
    if any(words in said for words in _FULL):
        return Verdict(
            QuotaExhausted(
                BACKEND,
                operation,
                "The D1 database is full; nothing was written.",
                "Delete notes, or move the account to a larger plan.",
            )
        )
    rejected = _rejected(refusal)
    return rejected and Verdict(rejected)


def _rejected(refusal: Refusal) -> BackendError | None:
    said, operation = refusal.message, refusal.operation
    if any(words in said for words in _TOO_HEAVY):
        return BackendRejected(
            BACKEND, operation, "The statement was too much for D1.", "Ask for less at once."
        )
    if constraint := _CONSTRAINT.search(said):
        return BackendRejected(BACKEND, operation, f"{constraint[0]}.")
    if missing := _MISSING.search(said):
        return BackendRejected(
            BACKEND,
            operation,
            f"D1 refused the statement: {missing[0].strip()}.",
            "Check DOME_D1_DATABASE_ID; the tables are made when DOME starts.",
        )
    if _DAMAGED.search(said):
        return BackendRejected(
            BACKEND,
            operation,
            "D1 finds its database damaged.",
            "Go back to an earlier state: `wrangler d1 time-travel restore`.",
        )
    if wrong := _WRONG_STATEMENT.search(said) or _CODE.search(said):
        return BackendRejected(
            BACKEND, operation, f"D1 refused the statement: {wrong[0].strip()}.", _REPORT
        )
    if refusal.status == 404 and refusal.code != NO_ROUTE:
        return BackendRejected(
            BACKEND,
            operation,
            "The account has no such D1 database.",
            "Check DOME_D1_DATABASE_ID.",
        )
    return None


def _unavailable(refusal: Refusal, message: str) -> BackendUnavailable:
    return BackendUnavailable(
        BACKEND,
        refusal.operation,
        f"{message}.",
        "Try again in a few seconds.",
        retry_after=refusal.retry_after,
    )
