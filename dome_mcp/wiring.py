"""The composition root: settings become drivers, drivers become the application."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from dome_mcp.app import Dome
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.llm import ChatCompletions
from dome_mcp.backends.embedded.models import LazyEmbedder, describe
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import VECTOR_SCHEMA, SqliteVectors
from dome_mcp.core.ports import LanguageModel, Ports, Statement
from dome_mcp.settings import BLOB_FOLDER, DATABASE_FILE, NO_MODEL, Settings
from dome_mcp.store import meta
from dome_mcp.store.notes import eligible_notes
from dome_mcp.store.schema import migrate

MODEL_FOLDER = "models"


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Dome]:
    """The application on the backend that the settings name, closed when the block ends.

    Raises:
        ConfigurationError: the settings name a model that is not there.
        BackendError: the data folder or the database cannot be used.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            SqliteDatabase.open(settings.home / DATABASE_FILE)
        )
        await migrate(database)
        embedder = _embedder(settings)
        blobs = FileBlobs(settings.home / BLOB_FOLDER)
        await blobs.sweep(datetime.now(UTC))
        ports = Ports(
            database=database,
            vectors=embedder and await _vectors(database, embedder),
            blobs=blobs,
            embedder=embedder,
            language_model=await _language_model(settings, stack),
        )
        yield Dome.of_owner(settings, ports, holder=f"{os.getpid()}-{secrets.token_hex(4)}")


async def _vectors(database: SqliteDatabase, embedder: LazyEmbedder) -> SqliteVectors:
    """The index for the embedder's vectors; the first model to open a database owns its index."""
    if await meta.fact(database, meta.EMBEDDING_MODEL) is None:
        await database.batch(
            [
                *(Statement(sql) for sql in VECTOR_SCHEMA),
                meta.set_fact_once(meta.EMBEDDING_MODEL, embedder.model),
            ]
        )
    return SqliteVectors(
        database,
        model=embedder.model,
        dimensions=embedder.dimensions,
        eligible=eligible_notes,
    )


def _embedder(settings: Settings) -> LazyEmbedder | None:
    if settings.embedding_model == NO_MODEL:
        return None
    return LazyEmbedder(describe(settings.embedding_model, cache=settings.home / MODEL_FOLDER))


async def _language_model(settings: Settings, stack: AsyncExitStack) -> LanguageModel | None:
    if settings.llm_url is None or settings.llm_model is None:
        return None
    key = settings.llm_api_key
    return await stack.enter_async_context(
        ChatCompletions.connect(
            settings.llm_url,
            settings.llm_model,
            api_key=key.value if key else None,
            context_tokens=settings.llm_context_tokens,
        )
    )
