"""`dome-mcp cloud status`: what there is of DOME on Cloudflare, and how much is in it.

What was used of a day's or a month's allowance is not among it: only Cloudflare's analytics know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.measuring import measure
from dome_mcp.backends.cloudflare.provisioning import Kind, Resource
from dome_mcp.backends.cloudflare.r2 import R2Blobs
from dome_mcp.cloudflare_wiring import CloudDrivers
from dome_mcp.commands.cloud_account import (
    Inventory,
    inventory,
    kinds_of,
    local_settings,
    name_of,
    open_account,
    require_ours,
    with_searched_index,
)
from dome_mcp.commands.cloud_plan import CALLED, free_chunks
from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, Invocation, described
from dome_mcp.core.errors import BackendError
from dome_mcp.services.figures import Figures, overall_figures
from dome_mcp.settings import Settings
from dome_mcp.store.figures import held_rows
from dome_mcp.store.notes import to_int

_FREE_DATABASE_BYTES = 500_000_000
"""Source: https://developers.cloudflare.com/d1/platform/limits/ (2026-09-18)."""
_FREE_BUCKET_BYTES = 10_000_000_000
"""Source: https://developers.cloudflare.com/r2/pricing/ (2026-11)."""


@dataclass(frozen=True, slots=True)
class _Content:
    """What the database says of itself; nothing where it has no tables of DOME yet."""

    figures: Figures | None = None
    rows: Mapping[str, int] = field(default_factory=dict[str, int])
    unsettled_vectors: int | None = None


async def status(invocation: Invocation) -> int:
    """Prints each resource with its size; 1 where one is missing or cannot be looked at.

    Raises:
        Conflict: the settings name another resource than the one of this name.
        BackendUnavailable: the account cannot be reached.
    """
    output, settings = invocation.output, local_settings(invocation)
    names: dict[Kind, str] = dict.fromkeys(kinds_of(settings), name_of(invocation, settings))
    async with open_account(settings) as api:
        found = await inventory(api, names, jurisdiction=settings.cloudflare.r2_jurisdiction)
        for kind, resource in found.found.items():
            if resource is not None:
                require_ours(kind, resource, settings)
        content = await _content(api, found.found.get("database"), output)
        found = await with_searched_index(api, found)
        if index := found.found.get("index"):
            names["index"] = index.name
        sizes: dict[Kind, Mapping[str, Any]] = {
            kind: await _measured(api, kind, found, settings, output) for kind in names
        }
    _print(names, found, sizes, content, output)
    if all(found.found.get(kind) for kind in names):
        return 0
    output.line("Something is missing: `dome-mcp cloud init` makes it.", "yellow")
    return FAILED


async def _content(api: CloudflareApi, database: Resource | None, output: Output) -> _Content:
    if database is None:
        return _Content()
    opened = D1Database(api, database.key)
    try:
        figures = await overall_figures(opened, now=datetime.now(UTC))
        (counted,) = await opened.query(held_rows())
    except BackendError as error:
        output.remark(f"The database cannot be read: {error}")
        return _Content()
    rows = {name: to_int(value) for name, value in counted.items()}
    unsettled = rows.pop("unsettled_vectors")
    return _Content(figures, rows, unsettled)


async def _measured(
    api: CloudflareApi, kind: Kind, found: Inventory, settings: Settings, output: Output
) -> Mapping[str, Any]:
    """What can be said of a resource's size; what may not be asked is told, and stops nothing."""
    resource = found.found.get(kind)
    if resource is None:
        return {}
    try:
        if kind == "bucket":
            return await _usage(api, resource, settings)
        return await measure(api, resource)
    except BackendError as error:
        output.remark(f"The size of the {CALLED[kind]} cannot be told: {error}")
        return {}


async def _usage(api: CloudflareApi, bucket: Resource, settings: Settings) -> Mapping[str, Any]:
    named = replace(settings, cloudflare=replace(settings.cloudflare, r2_bucket=bucket.key))
    async with CloudDrivers(named, api).blobs() as blobs:
        if not isinstance(blobs, R2Blobs):
            return {}
        usage = await blobs.usage()
    return {"objects": usage.objects, "bytes": usage.bytes}


def _print(
    names: Mapping[Kind, str],
    found: Inventory,
    sizes: Mapping[Kind, Mapping[str, Any]],
    content: _Content,
    output: Output,
) -> None:
    figures = content.figures
    output.value(
        {
            "resources": [_shape(kind, name, found, sizes[kind]) for kind, name in names.items()],
            "notes": figures.notes if figures else None,
            "pending_chunks": figures.chunks_pending if figures else None,
            "deliveries_waiting": figures.deliveries_waiting if figures else None,
            "rows": content.rows,
            "unsettled_vectors": content.unsettled_vectors,
        }
    )
    output.table(
        ("what", "name", "there", "holds"),
        [
            (CALLED[kind], name, _standing(kind, found), _told(kind, sizes[kind]))
            for kind, name in names.items()
        ],
    )
    if figures:
        output.line(
            f"{figures.notes} notes; {figures.chunks_pending} chunks wait for their vector, "
            f"{figures.deliveries_waiting} notices to be sent."
        )
        rows = ", ".join(f"{count:,} {name}" for name, count in content.rows.items())
        output.line(f"Rows: {rows}.")
        output.line(
            f"Vectorize has not confirmed {content.unsettled_vectors} changes yet; they count in "
            "every search all the same."
        )
    output.line("What was used today and what it costs is in the dashboard: the API does not tell.")


def _standing(kind: Kind, found: Inventory) -> str:
    if kind in found.refused:
        return "not to be seen with this token"
    resource = found.found.get(kind)
    if resource is None:
        return "no"
    return f"yes, in {resource.jurisdiction}" if resource.jurisdiction else "yes"


def _shape(kind: Kind, name: str, found: Inventory, size: Mapping[str, Any]) -> dict[str, object]:
    resource, refused = found.found.get(kind), found.refused.get(kind)
    return {
        "kind": kind,
        "name": name,
        "key": resource.key if resource else None,
        "is_there": resource is not None,
        "problem": described(refused) if refused else None,
        "jurisdiction": resource.jurisdiction if resource else None,
        "file_size": size.get("file_size"),
        "vectors": size.get("vectorCount"),
        "dimensions": size.get("dimensions"),
        "objects": size.get("objects"),
        "bytes": size.get("bytes"),
        "backlog": size.get("backlog_count"),
    }


def _told(kind: Kind, size: Mapping[str, Any]) -> str:
    if kind == "database" and size.get("file_size") is not None:
        used = float(size["file_size"])
        return f"{used / 1e6:,.1f} MB ({used / _FREE_DATABASE_BYTES:.0%} of what is free)"
    if kind == "index" and size.get("dimensions"):
        vectors, free = int(size.get("vectorCount") or 0), free_chunks(int(size["dimensions"]))
        return (
            f"{vectors:,} vectors of {size['dimensions']} dimensions ({vectors / free:.0%} of free)"
        )
    if kind == "bucket" and size:
        used = int(size["bytes"])
        share = used / _FREE_BUCKET_BYTES
        return f"{size['objects']:,} files, {used / 1e6:,.1f} MB ({share:.0%} of what is free)"
    if kind == "queue" and size.get("backlog_count") is not None:
        return f"{int(size['backlog_count'])} messages waiting"
    return ""
