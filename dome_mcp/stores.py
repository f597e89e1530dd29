"""Where rows and files are kept, as the settings say: on this machine, or on Cloudflare.

Light, because a companion needs no more. Cloudflare's drivers are imported only where the settings
name an account.
"""

import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.ports import BlobStore, Database
from dome_mcp.settings import BLOB_FOLDER, DATABASE_FILE, Settings

if TYPE_CHECKING:
    from dome_mcp.cloudflare_wiring import CloudDrivers


@dataclass(frozen=True, slots=True)
class Stores:
    """The rows and the files; `cloud` makes the account's other drivers, where there is one."""

    database: Database
    blobs: BlobStore
    cloud: "CloudDrivers | None"


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """The stores that the settings name, closed when the block ends; nothing is migrated.

    Raises:
        BackendError: the data folder, the database or the account cannot be used.
    """
    places = settings.cloudflare
    async with AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(open_cloud(settings))
        database: Database
        if cloud is not None and places.database == "cloudflare":
            database = cloud.database()
        else:
            path = settings.home / DATABASE_FILE
            database = await stack.enter_async_context(SqliteDatabase.open(path))
        blobs: BlobStore = FileBlobs(settings.home / BLOB_FOLDER)
        if cloud is not None and places.blobs == "cloudflare":
            blobs = await stack.enter_async_context(cloud.blobs())
        yield Stores(database, blobs, cloud)


@asynccontextmanager
async def open_cloud(settings: Settings) -> "AsyncIterator[CloudDrivers | None]":
    """The drivers of the settings' account; None without one, and then nothing is imported."""
    if not settings.cloudflare.has_account:
        yield None
        return
    # Here, so that whoever has all on this machine does not wait for it.
    wiring = importlib.import_module("dome_mcp.cloudflare_wiring")
    async with wiring.CloudDrivers.open(settings) as cloud:
        yield cast("CloudDrivers", cloud)
