"""The resources of an account that DOME keeps its data in: finding, making, removing.

A resource is known by its name, so that making one whose answer was lost finds it the next time.
Nothing here looks into a resource but to say what tables a database has.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import anyio

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.core.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
)
from dome_mcp.core.ports import Statement

Kind = Literal["database", "index", "bucket", "queue", "gateway"]

_BACKEND = "Cloudflare"
_PER_PAGE = 100
_MOST_PAGES = 50
_METADATA_SECONDS = 120
"""99 of 100 mutations take effect within two minutes (changelog of 2026-06-30)."""
_ANYWHERE = "default"
_TABLES = """
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'
  AND substr(name, 1, 4) <> '_cf_' ORDER BY name"""


@dataclass(frozen=True, slots=True)
class _Service:
    """How a kind of resource is listed: where, and under which fields its name and key stand."""

    path: str
    name: str
    key: str
    search: str | None = None
    """The parameter that narrows the list to names which have a text in them."""
    within: str | None = None
    """The field of the result that holds the list, where the result is no list."""


# Source: https://developers.cloudflare.com/api/ (2026-11), as `cloudflare` 5.9.0 has it.
_SERVICES: dict[Kind, _Service] = {
    "database": _Service("/d1/database", "name", "uuid", search="name"),
    "index": _Service("/vectorize/v2/indexes", "name", "name"),
    "bucket": _Service("/r2/buckets", "name", "name", search="name_contains", within="buckets"),
    "queue": _Service("/queues", "queue_name", "queue_id"),
    "gateway": _Service("/ai-gateway/gateways", "id", "id", search="search"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resource as it is to be.

    The dimensions are an index's; a location is a hint, for a database or a bucket. A
    `jurisdiction` is where the data has to stay (a hint then counts for nothing); Vectorize knows
    none. Source: https://developers.cloudflare.com/d1/configuration/data-location/ (2026-10-02).
    """

    kind: Kind
    name: str
    dimensions: int = 0
    location: str | None = None
    jurisdiction: str | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """One that is there; `key` is what the settings and other paths call it."""

    kind: Kind
    name: str
    key: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def shape(self) -> tuple[int, str]:
        """An index's dimensions and metric."""
        config = self.facts.get("config") or {}
        return int(config.get("dimensions") or 0), str(config.get("metric") or "")

    @property
    def jurisdiction(self) -> str | None:
        """Where its data has to stay, None where it may be anywhere."""
        within = self.facts.get("jurisdiction")
        return None if within in (None, _ANYWHERE) else str(within)


async def find(
    api: CloudflareApi, kind: Kind, name: str, *, jurisdiction: str | None = None
) -> Resource | None:
    """The resource of this kind and name; None where there is none.

    Buckets of a jurisdiction have names of their own, and are found only there.

    Raises:
        BackendError: as for `CloudflareApi`; BackendRejected also where the token may not look.
    """
    service = _SERVICES[kind]
    seen: set[str] = set()
    for page in range(1, _MOST_PAGES + 1):
        params: dict[str, str | int] = {"page": page, "per_page": _PER_PAGE}
        if service.search:
            params[service.search] = name
        result = await api.call(
            "GET",
            service.path,
            params=params,
            headers=_headers(kind, jurisdiction),
            backend=_BACKEND,
            operation=f"list:{kind}",
            is_repeatable=True,
        )
        listed = [_resource(kind, each, jurisdiction) for each in _items(result, service, kind)]
        for resource in listed:
            if resource.name == name:
                return resource
        # A service that knows no pages gives all it has on each of them.
        if len(listed) < _PER_PAGE or {each.key for each in listed} <= seen:
            return None
        seen |= {each.key for each in listed}
    return None


async def create(api: CloudflareApi, wanted: Wanted) -> Resource:
    """Makes the resource, or finds that it was made although no answer said so.

    Raises:
        BackendError: it is not there.
    """
    service = _SERVICES[wanted.kind]
    try:
        result = await api.call(
            "POST",
            service.path,
            json=_body(wanted),
            headers=_headers(wanted.kind, wanted.jurisdiction),
            backend=_BACKEND,
            operation=f"create:{wanted.kind}",
            is_repeatable=False,
        )
    except BackendError:
        # Lost on its way back, or made by somebody else a moment ago.
        found = await find(api, wanted.kind, wanted.name, jurisdiction=wanted.jurisdiction)
        if found is None:
            raise
        return found
    return _resource(wanted.kind, result, wanted.jurisdiction)


async def delete(api: CloudflareApi, resource: Resource) -> None:
    """Removes the resource with all that is in it; a bucket has to be empty.

    Raises:
        BackendError: it may still be there.
    """
    path = f"{_SERVICES[resource.kind].path}/{resource.key}"
    try:
        await api.call(
            "DELETE",
            path,
            headers=_headers(resource.kind, resource.jurisdiction),
            backend=_BACKEND,
            operation=f"delete:{resource.kind}",
            is_repeatable=True,
        )
    except BackendError:
        within = resource.jurisdiction
        if await find(api, resource.kind, resource.name, jurisdiction=within) is not None:
            raise


async def index_metadata(
    api: CloudflareApi,
    index: Resource,
    properties: Mapping[str, str],
    *,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> list[str]:
    """Makes the metadata indexes that are missing, waits until they are there, and names them.

    `properties` gives each property's type: `string`, `number` or `boolean`. They hold only for
    vectors that are written later, and are themselves made some seconds after the answer.

    Raises:
        BackendUnavailable: they were not there in time; to be repeated.
        BackendError: some could not be made; to be repeated.
    """
    missing = await _missing_metadata(api, index, properties)
    for name in missing:
        await _create_metadata(api, index, name, properties[name])
    for _ in range(_METADATA_SECONDS if missing else 0):
        if not await _missing_metadata(api, index, properties):
            return missing
        await sleep(1)
    if missing:
        raise BackendUnavailable(
            _BACKEND,
            "create:metadata",
            "The metadata indexes are not there yet.",
            "Run the command again in a minute.",
        )
    return missing


async def _missing_metadata(
    api: CloudflareApi, index: Resource, properties: Mapping[str, str]
) -> list[str]:
    path = f"{_SERVICES['index'].path}/{index.key}/metadata_index/list"
    listed = await api.call(
        "GET", path, backend=_BACKEND, operation="list:metadata", is_repeatable=True
    )
    there = {each["propertyName"] for each in (listed or {}).get("metadataIndexes") or []}
    return [name for name in properties if name not in there]


async def _create_metadata(api: CloudflareApi, index: Resource, name: str, kind: str) -> None:
    path = f"{_SERVICES['index'].path}/{index.key}/metadata_index/create"
    try:
        await api.call(
            "POST",
            path,
            json={"propertyName": name, "indexType": kind},
            backend=_BACKEND,
            operation="create:metadata",
            is_repeatable=True,
        )
    except BackendRejected:
        # Perhaps one that was asked for before and is being made: the wait tells.
        return


async def tables(api: CloudflareApi, database: Resource) -> list[str]:
    """The names of a database's tables, but for those that SQLite and Cloudflare keep."""
    rows = await D1Database(api, database.key).query(Statement(_TABLES))
    return [str(row["name"]) for row in rows]


def _items(result: Any, service: _Service, kind: Kind) -> list[Any]:
    items = result.get(service.within) if service.within and isinstance(result, dict) else result
    if items is None:
        return []
    if not isinstance(items, list):
        raise _unreadable(f"list:{kind}")
    return cast("list[Any]", items)


def _headers(kind: Kind, jurisdiction: str | None) -> dict[str, str]:
    """What tells R2 the jurisdiction; the other services have it in the body, or by the key."""
    return {"cf-r2-jurisdiction": jurisdiction} if kind == "bucket" and jurisdiction else {}


def _resource(kind: Kind, facts: Any, jurisdiction: str | None) -> Resource:
    service = _SERVICES[kind]
    try:
        known = {**facts, "jurisdiction": jurisdiction} if kind == "bucket" else facts
        return Resource(kind, str(facts[service.name]), str(facts[service.key]), known)
    except (LookupError, TypeError) as error:
        raise _unreadable(f"list:{kind}") from error


def _unreadable(operation: str) -> BackendProtocolError:
    return BackendProtocolError(_BACKEND, operation, "Cloudflare's answer cannot be read.")


def _body(wanted: Wanted) -> dict[str, Any]:
    name, location = wanted.name, wanted.location
    within = {"jurisdiction": wanted.jurisdiction} if wanted.jurisdiction else {}
    match wanted.kind:
        case "database":
            hint = {"primary_location_hint": location} if location else {}
            return {"name": name, **(within or hint)}
        case "index":
            config = {"dimensions": wanted.dimensions, "metric": "cosine"}
            return {"name": name, "description": "DOME", "config": config}
        case "bucket":
            return {"name": name, **({"locationHint": location} if location else {})}
        case "queue":
            return {"queue_name": name, **within}
        case "gateway":
            # Logs hold every prompt and answer: whoever wants them switches them on.
            return {
                "id": name,
                "cache_invalidate_on_update": False,
                "cache_ttl": None,
                "collect_logs": False,
                "rate_limiting_interval": None,
                "rate_limiting_limit": None,
                "authentication": True,
            }
