"""What a user reads when Cloudflare refuses: each reason has its own words, and none another's.

The refusals are those that Cloudflare documents, and as it words them.
Source: https://developers.cloudflare.com/d1/observability/debug-d1/,
https://developers.cloudflare.com/r2/api/error-codes/ and
https://developers.cloudflare.com/workers-ai/platform/errors/ (2026-11).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import TRIES, CloudflareApi
from dome_mcp.backends.cloudflare.vectorize_index import StoredVector, VectorizeIndex
from dome_mcp.core.errors import BackendError
from dome_mcp.core.ports import Statement
from tests.simulators.cloudflare.account import SimulatedAccount, failure
from tests.simulators.cloudflare.r2 import BUCKET, R2Simulator, open_r2

pytestmark = pytest.mark.anyio

NIGHT = datetime(2026, 11, 24, 23, tzinfo=UTC)
READ_LIMIT = "Your account has exceeded D1's free tier daily row read limit."
WRITE_LIMIT = "Your account has exceeded D1's free tier daily row write limit."

Ask = Callable[[CloudflareApi], Awaitable[object]]


async def no_wait(_seconds: float) -> None:
    """Time does not pass here."""


@pytest.fixture
def account() -> SimulatedAccount:
    return SimulatedAccount()


@pytest.fixture
async def api(account: SimulatedAccount) -> AsyncIterator[CloudflareApi]:
    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=no_wait, clock=lambda: NIGHT
    ) as opened:
        yield opened


async def query(api: CloudflareApi) -> object:
    return await D1Database(api, "an-id").query(Statement("SELECT 1"))


async def info(api: CloudflareApi) -> object:
    return await VectorizeIndex(api, "notes").info()


async def upsert(api: CloudflareApi) -> object:
    return await VectorizeIndex(api, "notes").upsert([StoredVector("a", [0.5], "u", {})])


@dataclass(frozen=True)
class Case:
    """A refusal, and what a user is told of it; without a full stop at the end, its beginning."""

    ask: Ask
    status: int
    code: int
    words: str
    told: str


CASES = {
    "outage": Case(
        query, 502, 0, "Bad gateway",
        "Cloudflare failed or was too slow (HTTP 502, code 0). Try again later.",
    ),
    "overload": Case(
        query, 500, 7500, "D1 DB is overloaded. Too many requests queued.",
        "D1 has too much to do. Try again in a few seconds.",
    ),
    "restart": Case(
        query, 500, 7500, "Network connection lost.",
        "D1 lost its connection or was restarted. Try again in a few seconds.",
    ),
    "pace": Case(
        query, 429, 0, "rate limited",
        "Cloudflare asks to slow down (HTTP 429, code 0). Try again later.",
    ),
    "day's reads": Case(
        query, 400, 7500, READ_LIMIT,
        "The day's free allowance of D1 is used up: rows read (5,000,000 a day). It starts anew at "
        "00:00 UTC; the Workers Paid plan has no such limit.",
    ),
    "day's writes": Case(
        query, 400, 7500, WRITE_LIMIT,
        "The day's free allowance of D1 is used up: rows written (100,000 a day). It starts anew "
        "at 00:00 UTC; the Workers Paid plan has no such limit.",
    ),
    "full": Case(
        query, 400, 7500, "Exceeded maximum DB size.",
        "The D1 database is full; nothing was written. Delete notes, or move the account to a "
        "larger plan.",
    ),
    "day's neurons": Case(
        info, 429, 3036, "you have used up your daily free allocation",
        "The day's free allowance of Workers AI is used up. It starts anew at 00:00 UTC; the "
        "Workers Paid plan has no such limit.",
    ),
    "bad token": Case(
        query, 401, 10000, "Authentication error",
        "Cloudflare does not know the token, or not for this (HTTP 401, code 10000). Check "
        "CLOUDFLARE_API_TOKEN: it must be active and have the permission D1 Edit.",
    ),
    "missing permission": Case(
        info, 403, 10000, "Authentication error",
        "The token may not do this at Cloudflare (HTTP 403, code 10000). Give it the permission "
        "Vectorize Edit, and see that it is for this account.",
    ),
    "plan": Case(
        query, 403, 5035, "needs a paid plan",
        "Cloudflare forbids this (HTTP 403, code 5035). The token needs the permission D1 Edit, "
        "and the account a plan that has it.",
    ),
    "wrong account": Case(
        query, 404, 7003, "Could not route to /accounts/x",
        "Cloudflare knows no such account or resource (HTTP 404, code 7003). Check "
        "CLOUDFLARE_ACCOUNT_ID and the names of the resources.",
    ),
    "missing database": Case(
        query, 404, 7404, "The database x could not be found",
        "The account has no such D1 database. Check DOME_D1_DATABASE_ID.",
    ),
    "missing table": Case(
        query, 400, 7500, "no such table: notes: SQLITE_ERROR",
        "D1 refused the statement: no such table: notes. Check DOME_D1_DATABASE_ID; the tables are "
        "made when DOME starts.",
    ),
    "missing index": Case(
        info, 404, 40000, "vectorize.index_not_found",
        "The account has no Vectorize index 'notes'. `dome-mcp",
    ),
    "mismatch": Case(
        upsert, 400, 40012, "invalid vector dimensions: expected 1024, got 1",
        "The Vectorize index 'notes' is for vectors of other dimensions. An index keeps its "
        "dimensions",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_refusal_is_told_in_words_of_its_own(
    case: Case, api: CloudflareApi, account: SimulatedAccount
) -> None:
    account.fail_next("POST", case.status, failure(case.code, case.words), TRIES)
    account.fail_next("GET", case.status, failure(case.code, case.words), TRIES)
    with pytest.raises(BackendError) as caught:
        await case.ask(api)
    told = str(caught.value)
    assert told.startswith(case.told)
    assert told == case.told or not case.told.endswith(".")


D1_WORDS = {
    "no such table: notes: SQLITE_ERROR": "no such table: notes.",
    "no such column: n.titel at offset 7: SQLITE_ERROR": "no such column: n.titel.",
    'near "SELEC": syntax error at offset 0: SQLITE_ERROR': 'near "SELEC": syntax error.',
    "not authorized to use function: sqlite_version: SQLITE_AUTH": "use function: sqlite_version.",
    "too many SQL variables at offset 300: SQLITE_ERROR": "too many SQL variables.",
    "string or blob too big: SQLITE_TOOBIG": "string or blob too big.",
    "LIKE or GLOB pattern too complex: SQLITE_ERROR": "pattern too complex.",
    "datatype mismatch: SQLITE_MISMATCH": "datatype mismatch.",
    "malformed JSON: SQLITE_ERROR": "malformed JSON.",
    "Wrong number of parameter bindings for SQL query.": "number of parameter bindings.",
    "database disk image is malformed: SQLITE_CORRUPT": "`wrangler d1 time-travel restore`",
    "what a later version says: SQLITE_MISUSE": "the statement: SQLITE_MISUSE.",
}


@pytest.mark.parametrize(("said", "told"), D1_WORDS.items())
async def test_what_d1_says_of_our_own_sql_is_repeated_whole(
    said: str, told: str, api: CloudflareApi, account: SimulatedAccount
) -> None:
    account.fail_next("POST", 400, failure(7500, said))
    with pytest.raises(BackendError) as caught:
        await query(api)
    assert told in str(caught.value)


R2_CASES = {
    (403, "AccessDenied"): "It needs the permission Workers R2 Storage Bucket Item Write",
    (403, "SignatureDoesNotMatch"): "Check DOME_R2_SECRET_ACCESS_KEY",
    (401, "Unauthorized"): "R2 does not know the access key",
    (403, "NotEntitled"): "Activate it in the dashboard",
    (404, "NoSuchBucket"): "correct DOME_R2_BUCKET",
    (403, "RequestTimeTooSkewed"): "This machine's clock is wrong",
    (507, "InsufficientStorage"): "no more space",
    (503, "ServiceUnavailable"): "R2 is busy or failing (HTTP 503, ServiceUnavailable). Try again",
}


@pytest.mark.parametrize(("status", "code"), R2_CASES.keys())
async def test_a_refusal_of_r2_says_what_mends_it(status: int, code: str) -> None:
    simulator = R2Simulator()
    simulator.fail_next("GET /", status, code, TRIES)
    async with open_r2(simulator) as blobs:
        with pytest.raises(BackendError) as caught:
            await blobs.keys()
    told = str(caught.value)
    assert R2_CASES[status, code] in told
    assert BUCKET not in told


async def test_a_wait_that_is_too_long_is_told_in_seconds(
    api: CloudflareApi, account: SimulatedAccount
) -> None:
    account.rate_limit = '"default";r=0;t=200'
    account.fail_next("POST", 404, failure(7404, "gone"))
    with pytest.raises(BackendError):
        await query(api)
    with pytest.raises(BackendError, match=r"Try again in (199|200) s: a token has 1,200 requests"):
        await query(api)
