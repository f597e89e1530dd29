"""What a companion runs on: the database and the notifiers, without models, vectors and parsers."""

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.core.channels import DESKTOP
from dome_mcp.core.ports import Notifier, Ports
from dome_mcp.link_pages import link_secret
from dome_mcp.notifying import notifiers_of
from dome_mcp.settings import BLOB_FOLDER, DATABASE_FILE, Settings
from dome_mcp.store.schema import migrate


@dataclass(frozen=True, slots=True)
class Agenda:
    """The drivers that a companion works with, and the secret that its links are signed with."""

    settings: Settings
    database: SqliteDatabase
    ports: Ports
    notifiers: Mapping[str, Notifier]
    policy: DeliveryPolicy
    secret: bytes
    holder: str
    """Names this companion where it takes a lease, and in its heartbeat."""


@asynccontextmanager
async def open_agenda(settings: Settings) -> AsyncIterator[Agenda]:
    """The tasks and reminders of the settings' data folder, closed when the block ends.

    Raises:
        BackendError: the data folder or the database cannot be used.
    """
    async with SqliteDatabase.open(settings.home / DATABASE_FILE) as database:
        await migrate(database)
        ports = Ports(database, None, FileBlobs(settings.home / BLOB_FOLDER), None)
        served = notifiers_of(settings)
        yield Agenda(
            settings=settings,
            database=database,
            ports=ports,
            notifiers=served,
            policy=DeliveryPolicy(desktop_user=settings.user if DESKTOP in served else None),
            secret=await link_secret(database),
            holder=f"{os.getpid()}-{secrets.token_hex(4)}",
        )
