"""What a companion runs on: the database and the notifiers, without models, vectors and parsers.

Its database is the file in the data folder, or D1. On D1 it does the same work as the companion
Workers, and beside them: the rows decide who does what.
"""

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.email import CloudflareEmail
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.queues import CloudflareQueue
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.cloudflare_account import account_of
from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.core.channels import DESKTOP
from dome_mcp.core.errors import ConfigurationError
from dome_mcp.core.ports import Database, Notifier, Ports
from dome_mcp.link_pages import link_secret
from dome_mcp.notifying import notifiers_of
from dome_mcp.settings import BLOB_FOLDER, DATABASE_FILE, Settings
from dome_mcp.store.schema import migrate

_LOOK_SECONDS = 30.0
_LOOK_AT_D1_SECONDS = 10.0
"""Each look is a request, of 1,200 that a token has in 5 minutes, and reads a row or two of the
5,000,000 of a free day.

Source: https://developers.cloudflare.com/fundamentals/api/reference/limits/ and
https://developers.cloudflare.com/d1/platform/pricing/ (2026-11).
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """A database, and how one learns that somebody else wrote to it.

    `version` gives a number that changes with every commit; where it never changes, what others
    wrote is seen after `look_seconds`. `file` is None where the database is not on this machine.
    """

    database: Database
    version: Callable[[], Awaitable[int]]
    look_seconds: float = _LOOK_SECONDS
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Agenda:
    """The drivers that a companion works with, and the secret that its links are signed with."""

    settings: Settings
    rows: Rows
    ports: Ports
    notifiers: Mapping[str, Notifier]
    policy: DeliveryPolicy
    secret: bytes
    holder: str
    """Names this companion where it takes a lease, and in its heartbeat."""
    pulled: CloudflareQueue | None = None
    """Where Workers may have put deliveries that they claimed; None without such a queue."""

    @property
    def database(self) -> Database:
        return self.rows.database


@asynccontextmanager
async def open_agenda(
    settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Agenda]:
    """The tasks and reminders where the settings say that they are, closed when the block ends.

    `transport` leads to Cloudflare; None is the network.

    Raises:
        BackendError: the data folder or the database cannot be used.
        ConfigurationError: the settings name no account for a database on Cloudflare.
    """
    async with AsyncExitStack() as stack:
        api = await _account(settings, stack, transport)
        rows = await stack.enter_async_context(_open_rows(settings, api))
        sender = settings.cloudflare.email_sender
        served = notifiers_of(settings, by_cloudflare=api and CloudflareEmail(api, sender=sender))
        yield Agenda(
            settings=settings,
            rows=rows,
            # Nothing that a companion does reaches for a blob.
            ports=Ports(rows.database, None, FileBlobs(settings.home / BLOB_FOLDER), None),
            notifiers=served,
            policy=DeliveryPolicy(desktop_user=settings.user if DESKTOP in served else None),
            secret=await link_secret(rows.database),
            holder=f"{os.getpid()}-{secrets.token_hex(4)}",
            pulled=_pulled(settings, api),
        )


@asynccontextmanager
async def open_rows(
    settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Rows]:
    """The database alone, its migrations applied; the rest is as for `open_agenda`."""
    async with AsyncExitStack() as stack:
        api = await _account(settings, stack, transport)
        yield await stack.enter_async_context(_open_rows(settings, api))


@asynccontextmanager
async def _open_rows(settings: Settings, api: CloudflareApi | None) -> AsyncIterator[Rows]:
    cloud = settings.cloudflare
    if cloud.database == "embedded":
        file = settings.home / DATABASE_FILE
        async with SqliteDatabase.open(file) as database:
            await migrate(database)
            yield Rows(database, database.data_version, file=file)
        return
    if api is None or cloud.d1_database_id is None:
        raise ConfigurationError(["a database on Cloudflare needs an account and its id"])
    database = D1Database(api, cloud.d1_database_id)
    await migrate(database)
    yield Rows(database, _no_version, look_seconds=_LOOK_AT_D1_SECONDS)


async def _account(
    settings: Settings, stack: AsyncExitStack, transport: httpx.AsyncBaseTransport | None
) -> CloudflareApi | None:
    """The account of the settings, None where they name none; closed with `stack`."""
    account = account_of(settings.cloudflare)
    if account is None:
        return None
    return await stack.enter_async_context(CloudflareApi.open(account, transport=transport))


def _pulled(settings: Settings, api: CloudflareApi | None) -> CloudflareQueue | None:
    cloud = settings.cloudflare
    if api is None or cloud.queue == "embedded" or cloud.queue_id is None:
        return None
    return CloudflareQueue(api, cloud.queue_id)


async def _no_version() -> int:
    """D1 does not tell that it was written to."""
    return 0
