"""Taking the companion Workers out of an account, before `cloud destroy` takes their data."""

from contextlib import suppress
from typing import Any

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import delete, find
from dome_mcp.commands.worker_configs import called, read_workers
from dome_mcp.core.errors import BackendRejected

_BACKEND = "Workers"


async def withdraw(api: CloudflareApi, name: str, *, jurisdiction: str | None) -> list[str]:
    """Removes an installation's Workers and the queues that only they use; names those Workers.

    Its bucket, which has the installation's name and the `jurisdiction`, no longer tells a queue.

    Source: https://developers.cloudflare.com/api/resources/workers/subresources/scripts/ (2026-11):
    with `force`, what hangs on a Worker (Durable Objects, consumers) goes with it.

    Raises:
        BackendError: some may be left; to be repeated.
    """
    workers = read_workers()
    try:
        listed = {script["id"] for script in await _call(api, "GET", "/workers/scripts") or ()}
    except BackendRejected:
        return []  # a token that may not look has deployed none
    there = [each for worker in workers if (each := called(worker.config["name"], name)) in listed]
    for script in reversed(there):
        await _call(api, "DELETE", f"/workers/scripts/{script}", force="true")
    queues = {called(queue, name) for worker in workers for queue in worker.queues} - {name}
    for queue in sorted(queues):
        if found := await find(api, "queue", queue):
            with suppress(BackendRejected):  # there is no such rule
                path = f"/event_notifications/r2/{name}/configuration/queues/{found.key}"
                await _call(api, "DELETE", path, within=jurisdiction)
            await delete(api, found)
    return there


async def _call(
    api: CloudflareApi, method: str, path: str, *, within: str | None = None, **params: str
) -> Any:
    return await api.call(
        method,
        path,
        params=params,
        headers={"cf-r2-jurisdiction": within} if within else None,
        backend=_BACKEND,
        operation=f"withdraw:{method.lower()}",
        is_repeatable=True,
    )
