"""What the live suite makes in an account: by names of its own, and removed whatever happens.

A run that died leaves things behind. The next run removes them once they are a day old, so that
two runs at once do not disturb each other. What bears another name is never touched.
"""

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import quote

import anyio

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Kind, Resource, Wanted, create, delete

PREFIX = "dome-live-"
LEFT_FOR = timedelta(days=1)

_NAME = re.compile(rf"{PREFIX}(?P<time>\d{{14}})-[0-9a-f]{{8}}")
_TIME = "%Y%m%d%H%M%S"
_BACKEND = "live suite"
_PER_PAGE = 100
_REMOVAL_SECONDS = 120

_LISTS: Mapping[Kind, tuple[str, Mapping[str, str], str, str]] = {
    "database": ("/d1/database", {"name": PREFIX}, "name", "uuid"),
    "index": ("/vectorize/v2/indexes", {}, "name", "name"),
    "bucket": ("/r2/buckets", {"name_contains": PREFIX}, "name", "name"),
    "queue": ("/queues", {}, "queue_name", "queue_id"),
}
"""Of each kind that is made here: the path of its list, what narrows that to our names, and the
fields of name and key. Source: https://developers.cloudflare.com/api/ (2026-11)."""


def new_name(now: datetime) -> str:
    """A name that says who made it and when, fit for a resource of any kind."""
    return f"{PREFIX}{now:{_TIME}}-{secrets.token_hex(4)}"


def is_leftover(name: str, now: datetime) -> bool:
    """Whether a run of this suite gave that name, more than a day ago."""
    ours = _NAME.fullmatch(name)
    if ours is None:
        return False
    try:
        made_at = datetime.strptime(ours["time"], _TIME).replace(tzinfo=UTC)
    except ValueError:  # digits that are no date are not ours
        return False
    return now - made_at > LEFT_FOR


@asynccontextmanager
async def made(api: CloudflareApi, kind: Kind, *, dimensions: int = 0) -> AsyncIterator[Resource]:
    """A new resource, removed with the block and all that is in it."""
    resource = await create(api, Wanted(kind, new_name(datetime.now(UTC)), dimensions))
    try:
        yield resource
    finally:
        with anyio.fail_after(_REMOVAL_SECONDS, shield=True):
            await remove(api, resource)


async def remove(api: CloudflareApi, resource: Resource) -> None:
    """Removes a resource with all that is in it."""
    if resource.kind == "bucket":
        await _empty(api, resource.name)
    await delete(api, resource)


async def remove_leftovers(api: CloudflareApi, now: datetime) -> list[str]:
    """Removes what an earlier run left, and returns its names."""
    removed: list[str] = []
    for kind in _LISTS:
        for resource in await named(api, kind):
            if is_leftover(resource.name, now):
                await remove(api, resource)
                removed.append(resource.name)
    return removed


async def named(api: CloudflareApi, kind: Kind) -> list[Resource]:
    """All of a kind that bear a name of this suite's, of whatever run."""
    path, search, name, key = _LISTS[kind]
    found: dict[str, Resource] = {}
    for page in count(1):
        result = await api.call(
            "GET",
            path,
            params={**search, "page": page, "per_page": _PER_PAGE},
            backend=_BACKEND,
            operation=f"list:{kind}",
            is_repeatable=True,
        )
        listed = (result["buckets"] if kind == "bucket" else result) or []
        before = len(found)
        found |= {each[key]: Resource(kind, each[name], each[key]) for each in listed}
        # A service that knows no pages gives all it has on each of them.
        if len(listed) < _PER_PAGE or len(found) == before:
            break
    return [each for each in found.values() if _NAME.fullmatch(each.name)]


async def _empty(api: CloudflareApi, bucket: str) -> None:
    """Deletes every object, under whatever key."""
    path = f"/r2/buckets/{bucket}/objects"
    while listed := await api.call(
        "GET", path, backend=_BACKEND, operation="list:objects", is_repeatable=True
    ):
        for each in listed:
            await api.call(
                "DELETE",
                f"{path}/{quote(each['key'], safe='/')}",
                backend=_BACKEND,
                operation="delete:object",
                is_repeatable=True,
            )
