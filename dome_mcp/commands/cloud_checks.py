"""The part of a check-up that looks at the Cloudflare account.

Nothing is written there but one small object of the bucket, which is removed at once: whether a
token may write objects cannot be told in another way, and one that may not loses the first file.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import httpx

from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES, VectorizeIndex
from dome_mcp.backends.cloudflare.verdicts import NO_ROUTE, Reader, Refusal, Verdict
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.cloudflare_wiring import CloudDrivers
from dome_mcp.commands.machine import check_embedder, check_language_model
from dome_mcp.core.errors import BackendError, BackendRejected, ConfigurationError, DomeError
from dome_mcp.core.ports import Embedder
from dome_mcp.services.integrity import Finding
from dome_mcp.services.reindexing import index_facts
from dome_mcp.settings import DATABASE_FILE, NO_MODEL, Settings
from dome_mcp.store import meta
from dome_mcp.store.schema import missing
from dome_mcp.wiring import embedder_of, model_name, vector_place

Check = Callable[[], Awaitable[Finding]]

_BACKEND = "Cloudflare"
_TOKEN_PATHS = ("/tokens/verify", "/../../user/tokens/verify")
"""Of a token of the account, and of one of a person, which is beside the accounts."""
_MAX_SKEW_SECONDS = 60.0
_REFUSED_SKEW_SECONDS = 15 * 60.0
"""R2 refuses a signature whose time is further off than that, as S3 does."""
_DEFAULT_GATEWAY = "default"
_PROBE = "doctor/write-check"
"""A key that no note can have."""
_MAKE_ONE = (
    "Make a token at https://dash.cloudflare.com/profile/api-tokens and set CLOUDFLARE_API_TOKEN."
)


async def check_account(settings: Settings) -> list[Finding]:
    """Whether the account has what the settings name, and the token may use it."""
    async with CloudDrivers.open(settings) as cloud:
        found = await _check_token(cloud)
        if any(finding.level == "problem" for finding in found):
            return found
        checks, unusable = await _checks(cloud)
        found += unusable
        return [*found, *[await _guarded(name, check) for name, check in checks]]


async def _checks(cloud: CloudDrivers) -> tuple[list[tuple[str, Check]], list[Finding]]:
    """The checks of what is used, and what is wrong with the model that is to embed."""
    settings, places = cloud.settings, cloud.settings.cloudflare
    checks: list[tuple[str, Check]] = []
    unusable: list[Finding] = []
    if places.database == "cloudflare":
        checks.append(("D1", lambda: _check_database(cloud)))
    if places.blobs == "cloudflare":
        checks.append(("R2", lambda: _check_bucket(cloud)))
    if places.queue == "cloudflare":
        checks.append(("queue", lambda: _check_queue(cloud)))
    if places.ai_gateway is not None:
        checks.append(("AI Gateway", lambda: _check_gateway(cloud)))
    known = await _known(cloud)
    try:
        embedder = _embedder(cloud, known)
    except ConfigurationError as error:
        embedder = None
        if places.embeddings == "cloudflare":  # One on this machine is checked with the machine.
            unusable += [Finding("embedding model", "problem", each) for each in error.problems]
    if embedder is not None and places.embeddings == "cloudflare":
        checks.append(("embedding model", partial(check_embedder, embedder)))
    if embedder is not None and places.vectors == "cloudflare":
        index = _searched_index(settings, known)
        checks.append(("Vectorize", partial(_check_index, cloud, embedder, index)))
    if settings.llm_url is None and settings.llm_model is not None:
        model = cloud.language_model(settings.llm_model)
        checks.append(("language model", partial(check_language_model, model)))
    return checks, unusable


async def _known(cloud: CloudDrivers) -> Mapping[str, str]:
    """What the database says of its vectors; nothing where there is none yet."""
    settings = cloud.settings
    file = settings.home / DATABASE_FILE
    try:
        if settings.cloudflare.database == "cloudflare":
            return await index_facts(cloud.database())
        if file.exists():
            async with SqliteDatabase.open(file) as database:
                return await index_facts(database)
    except BackendError:
        pass  # Nothing is recorded yet, or the check of the database says what is wrong.
    return {}


def _embedder(cloud: CloudDrivers, known: Mapping[str, str]) -> Embedder | None:
    """The model that DOME would open with, None for none.

    Raises:
        ConfigurationError: there is no such model.
    """
    if cloud.settings.embedding_model == NO_MODEL:
        return None
    return embedder_of(cloud.settings, cloud, model_name(cloud.settings, known))


def _searched_index(settings: Settings, known: Mapping[str, str]) -> str:
    """The index of the settings, or the one that its vectors were moved to."""
    is_here = known.get(meta.VECTOR_PLACE) == vector_place(settings, known)
    moved_to = known.get(meta.VECTOR_INDEX) if is_here else None
    return moved_to or str(settings.cloudflare.vectorize_index)


async def _guarded(name: str, check: Check) -> Finding:
    try:
        return await check()
    except DomeError as error:
        return Finding(name, "problem", error.message, error.hint)


async def _check_token(cloud: CloudDrivers) -> list[Finding]:
    """Whether the token is one that Cloudflare knows, and its clock is ours."""
    for path in _TOKEN_PATHS:
        try:
            response = await cloud.api.exchange(
                "GET", path, backend=_BACKEND, operation="verify", is_repeatable=True
            )
        except BackendRejected:
            continue
        except BackendError as error:
            return [Finding("API token", "problem", error.message, error.hint)]
        is_signed = cloud.settings.cloudflare.blobs == "cloudflare"
        return [
            _token_finding(response),
            check_clock(response.headers.get("Date"), datetime.now(UTC), is_signed=is_signed),
        ]
    message = "Cloudflare does not know it, or not for this account"
    hint = f"Check CLOUDFLARE_ACCOUNT_ID. {_MAKE_ONE}"
    return [Finding("API token", "problem", message, hint)]


def _token_finding(response: httpx.Response) -> Finding:
    try:
        status = str(response.json()["result"]["status"])
    except (ValueError, LookupError, TypeError):
        return Finding("API token", "warning", "Cloudflare's answer about it cannot be read")
    if status != "active":
        return Finding("API token", "problem", f"it is {status}", _MAKE_ONE)
    return Finding("API token", "ok", "active")


def check_clock(date: str | None, now: datetime, *, is_signed: bool) -> Finding:
    """Whether this machine's clock is near the Date header of an answer that came just now.

    `is_signed` says that requests carry a signature, which a wrong clock makes invalid.
    """
    try:
        there = parsedate_to_datetime(date or "")
    except ValueError:
        return Finding("clock", "warning", "Cloudflare's answer has no date to compare with")
    skew = (now - there).total_seconds()
    if abs(skew) <= _MAX_SKEW_SECONDS:
        return Finding("clock", "ok", "in step with Cloudflare's")
    words = f"{abs(round(skew))} s {'ahead of' if skew > 0 else 'behind'} Cloudflare's"
    is_refused = is_signed and abs(skew) >= _REFUSED_SKEW_SECONDS
    level = "problem" if is_refused else "warning"
    return Finding("clock", level, words, "Let the system set its clock by NTP.")


async def _check_database(cloud: CloudDrivers) -> Finding:
    database_id = cloud.settings.cloudflare.d1_database_id
    facts = await _get(cloud, f"/d1/database/{database_id}", "D1 database", "DOME_D1_DATABASE_ID")
    name = facts.get("name", database_id)
    # Reading rows takes more of a token than reading the database's name.
    left = await missing(cloud.database())
    if left:
        words = f"{name}; {len(left)} migrations are applied when DOME starts: {', '.join(left)}"
        return Finding("D1", "ok", words)
    return Finding("D1", "ok", f"{name}, all migrations applied")


async def _check_bucket(cloud: CloudDrivers) -> Finding:
    async with cloud.blobs() as blobs:
        await blobs.keys(_PROBE)
        await blobs.put(_PROBE, b"")
        await blobs.delete(_PROBE)
    places = cloud.settings.cloudflare
    within = f" in the jurisdiction {places.r2_jurisdiction}" if places.r2_jurisdiction else ""
    return Finding("R2", "ok", f"{places.r2_bucket}{within} can be listed and written")


async def _check_queue(cloud: CloudDrivers) -> Finding:
    queue_id = cloud.settings.cloudflare.queue_id
    facts = await _get(cloud, f"/queues/{queue_id}", "queue", "DOME_QUEUE_ID")
    name = str(facts.get("queue_name", queue_id))
    if (facts.get("settings") or {}).get("delivery_paused"):
        hint = f"Run: wrangler queues resume-delivery {name}"
        return Finding("queue", "warning", f"{name} delivers nothing: it is paused", hint)
    return Finding("queue", "ok", f"{name}, {_consumer(facts, name)}")


def _consumer(facts: Mapping[str, Any], name: str) -> str:
    """Who takes the queue's messages. Without one all is sent too, only some seconds later."""
    kinds = [each.get("type") for each in facts.get("consumers") or []]
    if "worker" in kinds:
        return "a Worker takes its messages"
    if "http_pull" in kinds:
        return "companions take its messages"
    if facts.get("consumers_total_count"):
        return "which has a consumer"
    return (
        "without a consumer: companions look for themselves every ten seconds, and need none; "
        f"`wrangler queues consumer http add {name}` lets them know at once"
    )


async def _check_gateway(cloud: CloudDrivers) -> Finding:
    name = cloud.settings.cloudflare.ai_gateway
    if name == _DEFAULT_GATEWAY:
        return Finding("AI Gateway", "ok", "default, which Cloudflare makes at its first use")
    await _get(cloud, f"/ai-gateway/gateways/{name}", "AI gateway", "DOME_AI_GATEWAY")
    return Finding("AI Gateway", "ok", str(name))


async def _check_index(cloud: CloudDrivers, embedder: Embedder, name: str) -> Finding:
    path = f"/vectorize/v2/indexes/{name}"
    facts = await _get(cloud, path, "Vectorize index", "DOME_VECTORIZE_INDEX")
    config = facts.get("config") or {}
    dimensions, metric = config.get("dimensions"), config.get("metric")
    if (dimensions, metric) != (embedder.dimensions, "cosine"):
        return Finding(
            "Vectorize",
            "problem",
            f"{name} has {dimensions} dimensions by {metric}; {embedder.model} needs "
            f"{embedder.dimensions} by cosine",
            f"An index cannot be changed. Run: wrangler vectorize create {name}-2 "
            f"--dimensions={embedder.dimensions} --metric=cosine; then set "
            f"DOME_VECTORIZE_INDEX={name}-2 and run `dome-mcp reindex`.",
        )
    there = await VectorizeIndex(cloud.api, name).metadata_indexes()
    lacking = [key for key, kind in METADATA_INDEXES.items() if there.get(key) != kind]
    if lacking:
        words = f"{name} cannot filter by {', '.join(lacking)}"
        hint = "Run `dome-mcp reindex`, which makes that good and sends the vectors again."
        return Finding("Vectorize", "problem", words, hint)
    return Finding("Vectorize", "ok", f"{name}, {dimensions} dimensions by {metric}")


async def _get(cloud: CloudDrivers, path: str, what: str, setting: str) -> dict[str, Any]:
    """What Cloudflare says of a resource.

    Raises:
        BackendError: it is not there, or the token may not look.
    """
    result = await cloud.api.call(
        "GET",
        path,
        backend=_BACKEND,
        operation="check",
        is_repeatable=True,
        reader=_reader(what, setting),
    )
    return dict(result) if isinstance(result, dict) else {}


def _reader(what: str, setting: str) -> Reader:
    """Says of a resource that is not there which setting names it."""

    def read(refusal: Refusal) -> Verdict | None:
        if refusal.status != httpx.codes.NOT_FOUND or refusal.code == NO_ROUTE:
            return None
        return Verdict(
            BackendRejected(
                refusal.backend,
                refusal.operation,
                f"The account has no {what} of this name.",
                f"Make it with `dome-mcp cloud init`, or correct {setting}.",
            )
        )

    return read
