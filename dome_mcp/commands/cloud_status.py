"""`dome-mcp cloud status`: what there is of DOME on Cloudflare, and how much is in it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Kind, Resource, measure
from dome_mcp.commands.cloud_account import (
    Inventory,
    inventory,
    kinds_of,
    local_settings,
    name_of,
    open_account,
    require_ours,
)
from dome_mcp.commands.cloud_plan import CALLED, free_chunks
from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, Invocation, described
from dome_mcp.core.errors import BackendError
from dome_mcp.services.figures import Figures, overall_figures

_FREE_DATABASE_BYTES = 500_000_000
"""Source: https://developers.cloudflare.com/d1/platform/limits/ (2026-09-18)."""


async def status(invocation: Invocation) -> int:
    """Prints each resource with its size; 1 where one is missing or cannot be looked at.

    Raises:
        Conflict: the settings name another resource than the one of this name.
        BackendUnavailable: the account cannot be reached.
    """
    output, settings = invocation.output, local_settings(invocation)
    name = name_of(invocation, settings)
    kinds = kinds_of(settings)
    async with open_account(settings) as api:
        found = await inventory(api, dict.fromkeys(kinds, name))
        for kind, resource in found.found.items():
            if resource is not None:
                require_ours(kind, resource, settings)
        sizes = {kind: await _measured(api, kind, found) for kind in kinds}
        figures = await _figures(api, found.found.get("database"), invocation)
    output.value(
        {
            "resources": [_shape(kind, name, found, sizes[kind]) for kind in kinds],
            "notes": figures.notes if figures else None,
            "pending_chunks": figures.chunks_pending if figures else None,
            "deliveries_waiting": figures.deliveries_waiting if figures else None,
        }
    )
    output.table(
        ("what", "name", "there", "holds"),
        [(CALLED[kind], name, _standing(kind, found), _told(kind, sizes[kind])) for kind in kinds],
    )
    _print_figures(figures, output)
    if all(found.found.get(kind) for kind in kinds):
        return 0
    output.line("Something is missing: `dome-mcp cloud init` makes it.", "yellow")
    return FAILED


def _print_figures(figures: Figures | None, output: Output) -> None:
    if figures:
        output.line(
            f"{figures.notes} notes; {figures.chunks_pending} chunks wait for their vector, "
            f"{figures.deliveries_waiting} notices to be sent."
        )
    output.line("What was used today and what it costs is in the dashboard: the API does not tell.")


async def _measured(api: CloudflareApi, kind: Kind, found: Inventory) -> Mapping[str, Any]:
    resource = found.found.get(kind)
    return {} if resource is None else await measure(api, resource)


async def _figures(
    api: CloudflareApi, database: Resource | None, invocation: Invocation
) -> Figures | None:
    """What is in the database; None where it has no tables of DOME yet."""
    if database is None:
        return None
    try:
        return await overall_figures(D1Database(api, database.key), now=datetime.now(UTC))
    except BackendError as error:
        invocation.output.remark(f"The database cannot be read: {error}")
        return None


def _standing(kind: Kind, found: Inventory) -> str:
    if kind in found.refused:
        return "not to be seen with this token"
    return "yes" if found.found.get(kind) else "no"


def _shape(kind: Kind, name: str, found: Inventory, size: Mapping[str, Any]) -> dict[str, object]:
    resource, refused = found.found.get(kind), found.refused.get(kind)
    return {
        "kind": kind,
        "name": name,
        "key": resource.key if resource else None,
        "is_there": resource is not None,
        "problem": described(refused) if refused else None,
        "file_size": size.get("file_size"),
        "vectors": size.get("vectorCount"),
        "dimensions": size.get("dimensions"),
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
    if kind == "queue" and size.get("backlog_count") is not None:
        return f"{int(size['backlog_count'])} messages waiting"
    return ""
