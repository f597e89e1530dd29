"""What the Workers of an installation are bound to, as the settings or the account have it."""

from collections.abc import Mapping
from typing import Any

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Kind, Resource, Wanted, create, find
from dome_mcp.commands.cloud_account import inventory, require_ours
from dome_mcp.commands.worker_configs import API, Installation, Worker
from dome_mcp.core.errors import BackendRejected, ConfigurationError, NotFound
from dome_mcp.setting_values import Secret
from dome_mcp.settings import Settings, describe, variable
from dome_mcp.store import vector_indexes

_NEEDED: tuple[Kind, ...] = ("database", "index", "bucket", "queue")
_UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"
_BACKEND = "Workers"
_ARRIVALS = ("PutObject", "CopyObject", "CompleteMultipartUpload")
_SECRET_FILES = {"DOME_VAPID_KEY": "vapid.pem"}
"""The secrets that are files of the data folder, where the environment does not have them."""


def planned_installation(name: str, settings: Settings, url: str | None) -> Installation:
    """What an installation is bound to as far as the settings tell; nobody is asked."""
    cloud = settings.cloudflare
    return Installation(
        name,
        database_id=cloud.d1_database_id or _UNKNOWN_ID,
        index=cloud.vectorize_index or name,
        bucket=cloud.r2_bucket or name,
        jurisdiction=cloud.r2_jurisdiction,
        url=url or f"https://{name}-{API}.YOUR-SUBDOMAIN.workers.dev",
        variables=_variables(settings),
    )


async def found_installation(
    api: CloudflareApi, name: str, settings: Settings, url: str | None
) -> Installation:
    """What an installation is bound to in the account.

    Raises:
        NotFound: `cloud init` has not made all of it.
        Conflict: the settings name another of its resources.
        BackendError: the account cannot be asked.
    """
    within = settings.cloudflare.r2_jurisdiction
    looked = await inventory(api, dict.fromkeys(_NEEDED, name), jurisdiction=within)
    for error in looked.refused.values():
        raise error
    found: dict[Kind, Resource] = {}
    for kind, resource in looked.found.items():
        if resource is None:
            raise NotFound(kind, name, f"Run `dome-mcp cloud init --name {name}` first.")
        require_ours(kind, resource, settings)
        found[kind] = resource
    return Installation(
        name,
        database_id=found["database"].key,
        index=await _searched_index(D1Database(api, found["database"].key), name),
        bucket=found["bucket"].key,
        jurisdiction=within,
        url=url or f"https://{name}-{API}.{await _subdomain(api)}.workers.dev",
        variables=_variables(settings),
    )


def secrets_for(worker: Worker, settings: Settings, variables: Mapping[str, str]) -> dict[str, str]:
    """The secrets that a Worker reads and that this machine has, by name."""
    known = {name: _secret(name, settings, variables) for name in worker.secrets}
    return {name: value for name, value in known.items() if value}


async def make_queue(api: CloudflareApi, name: str, jurisdiction: str | None) -> str:
    """Makes a queue where there is none of this name; says which it was.

    Raises:
        BackendError: it is not there.
    """
    if await find(api, "queue", name) is not None:
        return "it is there"
    await create(api, Wanted("queue", name, jurisdiction=jurisdiction))
    return "made"


async def take_over(api: CloudflareApi, queue: str) -> int:
    """Takes pull consumers off a queue, which has one kind of consumer; returns how many.

    Companions that pulled go on without: they look into the rows themselves.
    Source: https://developers.cloudflare.com/queues/configuration/pull-consumers/ (2026-11).

    Raises:
        BackendError: a pull consumer may still be there.
    """
    found = await find(api, "queue", queue)
    path = f"/queues/{found.key if found else ''}/consumers"
    consumers = await _call(api, "GET", path)
    pulling = [each for each in consumers or () if each.get("type") == "http_pull"]
    for consumer in pulling:
        await _call(api, "DELETE", f"{path}/{consumer['consumer_id']}")
    return len(pulling)


async def tell_of_files(api: CloudflareApi, here: Installation, queue: str, *, prefix: str) -> str:
    """Has the bucket tell a queue of what is put under `prefix`; says whether it already did.

    Source: https://developers.cloudflare.com/r2/buckets/event-notifications/ (2026-09).

    Raises:
        BackendError: it may not tell yet.
    """
    headers = {"cf-r2-jurisdiction": here.jurisdiction} if here.jurisdiction else {}
    path = f"/event_notifications/r2/{here.bucket}/configuration"
    try:
        known = await _call(api, "GET", path, headers=headers)
    except BackendRejected:
        known = None  # as for a bucket that never told anybody
    told = [each for each in (known or {}).get("queues") or () if each["queueName"] == queue]
    if any(rule.get("prefix") == prefix for each in told for rule in each.get("rules") or ()):
        return "it does"
    found = await find(api, "queue", queue)
    rule = {"prefix": prefix, "actions": _ARRIVALS, "description": "DOME"}
    to = f"{path}/queues/{found.key if found else ''}"
    await _call(api, "PUT", to, json={"rules": [rule]}, headers=headers)
    return "set"


async def _subdomain(api: CloudflareApi) -> str:
    """What the account has for itself at workers.dev.

    Source: https://developers.cloudflare.com/api/resources/workers/subresources/subdomains/
    (2026-11).
    """
    try:
        found = await _call(api, "GET", "/workers/subdomain")
    except BackendRejected as error:
        raise ConfigurationError(
            [
                f"the account's workers.dev subdomain cannot be told ({error.message}): open "
                "Workers & Pages in the dashboard once, and give the token Workers Scripts Edit"
            ]
        ) from error
    return str(found["subdomain"])


async def _searched_index(database: D1Database, first: str) -> str:
    try:
        rows = await database.query(vector_indexes.searched_index(first=first))
    except BackendRejected:
        return first  # the tables are older than other indexes
    return str(rows[0]["index_name"])


async def _call(
    api: CloudflareApi,
    method: str,
    path: str,
    *,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    operation = f"{method.lower()}:{path.split('/')[1]}"
    return await api.call(
        method,
        path,
        json=json,
        headers=headers,
        backend=_BACKEND,
        operation=operation,
        is_repeatable=True,
    )


def _variables(settings: Settings) -> dict[str, str]:
    """What is set on this machine, by variable; not its defaults, which a Worker knows itself."""
    given = {variable(name) for name in settings.origins}
    return {name: value for name, value, _ in describe(settings) if name in given}


def _secret(name: str, settings: Settings, variables: Mapping[str, str]) -> str:
    if name in variables:
        return variables[name]
    if name in _SECRET_FILES:
        file = settings.home / _SECRET_FILES[name]
        return file.read_text("utf-8") if file.is_file() else ""
    for holder in (settings, settings.cloudflare):
        value = getattr(holder, name.removeprefix("DOME_").lower(), None)
        if isinstance(value, Secret):
            return value.value
    return ""
