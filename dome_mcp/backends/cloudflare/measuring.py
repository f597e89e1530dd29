"""How full the resources of an account are, as far as the REST interface tells."""

from collections.abc import Mapping
from typing import Any, cast

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Kind, Resource

_PATHS: dict[Kind, str] = {
    "database": "/d1/database/{}",
    "index": "/vectorize/v2/indexes/{}/info",
    "queue": "/queues/{}/metrics",
}


async def measure(api: CloudflareApi, resource: Resource) -> Mapping[str, Any]:
    """What the API tells of a resource's size; empty for a gateway and a bucket (`R2Blobs.usage`).

    `file_size` (bytes) of a database; `vectorCount`, `dimensions` and `processedUpToDatetime` of an
    index; `backlog_count` and `backlog_bytes` of a queue.

    Raises:
        BackendError: it cannot be asked.
    """
    path = _PATHS.get(resource.kind)
    if path is None:
        return {}
    result = await api.call(
        "GET",
        path.format(resource.key),
        backend="Cloudflare",
        operation=f"measure:{resource.kind}",
        is_repeatable=True,
    )
    return cast("Mapping[str, Any]", result or {})
