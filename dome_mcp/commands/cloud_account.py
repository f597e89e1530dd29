"""What the `cloud` commands share: the account, the names in it, and what is there of them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Kind, Resource, find
from dome_mcp.cloudflare_account import account_of
from dome_mcp.cloudflare_settings import PORT_NAMES
from dome_mcp.commands.cloud_plan import CALLED, KINDS, PERMISSIONS, TOKEN_PAGE, WORKERS_AI
from dome_mcp.commands.shell import Invocation
from dome_mcp.core.errors import BackendError, BackendRejected, ConfigurationError, Conflict
from dome_mcp.settings import CONFIG_FILE, Settings
from dome_mcp.store import meta

LOCAL: Mapping[str, str] = dict.fromkeys(("backend", *PORT_NAMES), "embedded")
"""Options that make settings readable while the account's resources are not yet named."""

_NAME = "dome"

SETTING: dict[Kind, str] = {
    "database": "d1_database_id",
    "index": "vectorize_index",
    "bucket": "r2_bucket",
    "queue": "queue_id",
    "gateway": "ai_gateway",
}
"""The setting that names each kind of resource by its key."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was found of each kind; `refused` are the kinds that the token may not see."""

    found: Mapping[Kind, Resource | None]
    refused: Mapping[Kind, BackendRejected]


@asynccontextmanager
async def open_account(settings: Settings) -> AsyncIterator[CloudflareApi]:
    """The account that the settings name.

    Raises:
        ConfigurationError: they name none.
    """
    cloud = settings.cloudflare
    account = account_of(cloud)
    if account is None:
        missing = [
            f"{name} is not set"
            for name, value in (
                ("CLOUDFLARE_ACCOUNT_ID", cloud.cloudflare_account_id),
                ("CLOUDFLARE_API_TOKEN", cloud.cloudflare_api_token),
            )
            if value is None
        ]
        needed = ", ".join((*PERMISSIONS.values(), WORKERS_AI))
        raise ConfigurationError([*missing, f"make a token at {TOKEN_PAGE} with {needed}"])
    async with CloudflareApi.open(account) as api:
        yield api


def local_settings(invocation: Invocation) -> Settings:
    """The settings with every port on this machine, so that nothing of the account is needed."""
    return invocation.settings(options=LOCAL)


def name_of(invocation: Invocation, settings: Settings) -> str:
    """What everything is called: `--name`, or what the settings have, or `dome`."""
    cloud = settings.cloudflare
    return invocation.arguments.name or cloud.vectorize_index or cloud.r2_bucket or _NAME


def kinds_of(settings: Settings) -> tuple[Kind, ...]:
    """What DOME has there; a gateway only where the settings name one."""
    return KINDS if settings.cloudflare.ai_gateway else KINDS[:-1]


async def inventory(
    api: CloudflareApi, names: Mapping[Kind, str], *, jurisdiction: str | None
) -> Inventory:
    """Looks for a resource of each kind by its name; one that may not be looked for stops none.

    The bucket is looked for in the `jurisdiction`.

    Raises:
        BackendUnavailable: the account cannot be reached.
    """
    found: dict[Kind, Resource | None] = {}
    refused: dict[Kind, BackendRejected] = {}
    for kind, name in names.items():
        try:
            found[kind] = await find(api, kind, name, jurisdiction=jurisdiction)
        except BackendRejected as error:
            refused[kind] = error
    return Inventory(found, refused)


async def with_searched_index(api: CloudflareApi, found: Inventory) -> Inventory:
    """The same, with the index that `reindex --to` moved to in place of the first.

    Raises:
        BackendError: that one cannot be looked for.
    """
    database = found.found.get("database")
    if database is None:
        return found
    try:
        rows = await D1Database(api, database.key).query(meta.facts((meta.VECTOR_INDEX,)))
    except BackendError:
        return found  # It has no tables yet, or whoever reads it next says what is wrong.
    if not rows:
        return found
    index = await find(api, "index", str(rows[0]["value"]))
    return replace(found, found={**found.found, "index": index})


def require_ours(kind: Kind, found: Resource | None, settings: Settings) -> None:
    """Sees to it that what was found, or not found, is what the settings name, where they name any.

    Raises:
        Conflict: they name another.
    """
    setting = SETTING[kind]
    named = getattr(settings.cloudflare, setting)
    if named is not None and (found is None or named != found.key):
        raise Conflict(
            f"The settings name another {CALLED[kind]}, or one that is gone.",
            f"Send the --name that it was made with, or take {setting} out of "
            f"{settings.home / CONFIG_FILE} (or the environment).",
        )
