"""The composition root: settings become drivers, drivers become the application."""

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dome_mcp.app import Dome
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.llm import ChatCompletions
from dome_mcp.backends.embedded.models import LazyEmbedder, describe
from dome_mcp.backends.embedded.next_vectors import SqliteNextVectors
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import VECTOR_SCHEMA, SqliteVectors
from dome_mcp.cloudflare_settings import WORKERS_AI_PREFIX
from dome_mcp.core.errors import ConfigurationError, InvalidInput
from dome_mcp.core.ports import Database, Embedder, LanguageModel, Ports, Statement, VectorIndex
from dome_mcp.services.indexing import index_shape
from dome_mcp.services.reindexing import NextModel, NextVectors
from dome_mcp.settings import NO_MODEL, Settings
from dome_mcp.store import meta
from dome_mcp.store.notes import eligible_notes
from dome_mcp.store.schema import migrate
from dome_mcp.stores import Stores, open_stores

if TYPE_CHECKING:
    from dome_mcp.cloudflare_wiring import CloudDrivers

MODEL_FOLDER = "models"
EMBEDDED = "embedded"
"""As the place of the vectors: in the database itself."""

_INDEX_FACTS = (
    meta.EMBEDDING_MODEL,
    meta.EMBEDDING_SHAPE,
    meta.EMBEDDING_NAME,
    meta.VECTOR_PLACE,
)


@asynccontextmanager
async def open_services(settings: Settings, *, is_adopting: bool = False) -> AsyncIterator[Dome]:
    """The application on the backends that the settings name, closed when the block ends.

    `is_adopting` is for whoever is about to make all vectors anew, wherever they were.

    Raises:
        ConfigurationError: the settings name a model that is not there, or a place for the vectors
            that they are not in.
        BackendError: the data folder, the database or the account cannot be used.
    """
    async with (
        open_stores(settings) as stores,
        _open_on(settings, stores, is_adopting=is_adopting) as dome,
    ):
        yield dome


@dataclass(frozen=True, slots=True)
class Moving:
    """The application as it is, the model to move it to, and its ports once it has been moved."""

    dome: Dome
    target: NextModel
    ports: Ports


@asynccontextmanager
async def open_moving(settings: Settings, name: str) -> AsyncIterator[Moving]:
    """The application, and what it takes to move it to the embedding model `name`.

    Raises:
        InvalidInput: the settings switch search by meaning off, or vectors cannot be moved there.
        ConfigurationError, BackendError: as for `open_services`, or there is no such model.
    """
    async with open_stores(settings) as stores, _open_on(settings, stores) as dome:
        if dome.ports.embedder is None:
            raise InvalidInput("Search by meaning is off.", "Unset DOME_EMBEDDING_MODEL.")
        embedder = embedder_of(settings, stores.cloud, name)
        target = NextModel(embedder, _next_vectors(settings, stores, embedder), name)
        ports = replace(dome.ports, embedder=embedder, vectors=_vectors(settings, stores, embedder))
        yield Moving(dome, target, ports)


@asynccontextmanager
async def _open_on(
    settings: Settings, stores: Stores, *, is_adopting: bool = False
) -> AsyncIterator[Dome]:
    async with AsyncExitStack() as stack:
        database = stores.database
        await migrate(database)
        vectors = embedder = None
        if settings.embedding_model != NO_MODEL:
            known = await index_facts(database)
            embedder = embedder_of(settings, stores.cloud, model_name(settings, known))
            vectors = _vectors(settings, stores, embedder)
            elsewhere = await _own_index(settings, database, embedder, known=known)
            if elsewhere is not None and not is_adopting:
                raise ConfigurationError([_not_here(elsewhere, vector_place(settings))])
        if isinstance(stores.blobs, FileBlobs):
            await stores.blobs.sweep(datetime.now(UTC))
        ports = Ports(
            database=database,
            vectors=vectors,
            blobs=stores.blobs,
            embedder=embedder,
            language_model=await _language_model(settings, stores, stack),
        )
        yield Dome.of_owner(settings, ports, holder=f"{os.getpid()}-{secrets.token_hex(4)}")


def _not_here(stored: str, wanted: str) -> str:
    return (
        f"the vectors of this database are in {stored}, the settings say {wanted}; set "
        "DOME_VECTORS and DOME_VECTORIZE_INDEX back, or run `dome-mcp reindex` to make them there"
    )


async def index_facts(database: Database) -> Mapping[str, str]:
    """What the database says of its vectors and of the model that made them, by name.

    Raises:
        BackendError: the database cannot be read.
    """
    rows = await database.query(meta.facts(_INDEX_FACTS))
    return {str(row["name"]): str(row["value"]) for row in rows}


def model_name(settings: Settings, known: Mapping[str, str]) -> str | None:
    """The model that is set, or else the one that `reindex --to` moved to; None is the default."""
    if settings.embedding_model is not None:
        return settings.embedding_model
    name = known.get(meta.EMBEDDING_NAME)
    is_theirs = name is not None and name.startswith(WORKERS_AI_PREFIX)
    return name if is_theirs == (settings.cloudflare.embeddings == "cloudflare") else None


def embedder_of(settings: Settings, cloud: "CloudDrivers | None", name: str | None) -> Embedder:
    """The model of that name, None for the default of the backend that embeds.

    Raises:
        ConfigurationError: there is no such model.
    """
    if cloud is not None and settings.cloudflare.embeddings == "cloudflare":
        return cloud.embedder(name)
    return LazyEmbedder(describe(name, cache=settings.home / MODEL_FOLDER))


async def _own_index(
    settings: Settings, database: Database, embedder: Embedder, *, known: Mapping[str, str]
) -> str | None:
    """Makes the index, which the first model to open a database owns; returns where it is not.

    That is where the vectors are, when the settings name another place; None when all is well.
    """
    place = vector_place(settings)
    model = known.get(meta.EMBEDDING_MODEL)
    fallback = place if model is None or not isinstance(database, SqliteDatabase) else EMBEDDED
    stored = known.get(meta.VECTOR_PLACE, fallback)
    statements: list[Statement] = []
    if model is None:
        statements.append(meta.set_fact_once(meta.EMBEDDING_MODEL, embedder.model))
    if meta.EMBEDDING_SHAPE not in known and model in (None, embedder.model):
        statements.append(meta.set_fact_once(meta.EMBEDDING_SHAPE, index_shape(embedder)))
    if meta.VECTOR_PLACE not in known:
        statements.append(meta.set_fact_once(meta.VECTOR_PLACE, stored))
    if place == EMBEDDED and (statements or stored != place):
        statements = [*(Statement(sql) for sql in VECTOR_SCHEMA), *statements]
    await database.batch(statements)
    return None if stored == place else stored


def vector_place(settings: Settings) -> str:
    """Where the settings want the vectors to be, as the database remembers it."""
    places = settings.cloudflare
    return EMBEDDED if places.vectors == "embedded" else f"vectorize/{places.vectorize_index}"


def _vectors(settings: Settings, stores: Stores, embedder: Embedder) -> VectorIndex:
    database = stores.database
    if stores.cloud is not None and settings.cloudflare.vectors == "cloudflare":
        return stores.cloud.vectors(database, embedder)
    return SqliteVectors(
        _watched(database),
        model=embedder.model,
        dimensions=embedder.dimensions,
        eligible=eligible_notes,
    )


def _next_vectors(settings: Settings, stores: Stores, embedder: Embedder) -> NextVectors:
    if settings.cloudflare.vectors == "cloudflare":
        raise InvalidInput(
            "Vectors in Vectorize cannot be moved beside the old ones yet.",
            "Set DOME_EMBEDDING_MODEL to the model and run `dome-mcp reindex`; until it is done, "
            "search is by keyword.",
        )
    return SqliteNextVectors(stores.database, model=embedder.model, dimensions=embedder.dimensions)


def _watched(database: Database) -> SqliteDatabase:
    """The database on this machine, which embedded vectors need; settings see to that."""
    if not isinstance(database, SqliteDatabase):
        raise ConfigurationError(["DOME_VECTORS=embedded needs DOME_DATABASE=embedded"])
    return database


async def _language_model(
    settings: Settings, stores: Stores, stack: AsyncExitStack
) -> LanguageModel | None:
    if settings.llm_model is None:
        return None
    if settings.llm_url is None:
        return stores.cloud.language_model(settings.llm_model) if stores.cloud else None
    key = settings.llm_api_key
    return await stack.enter_async_context(
        ChatCompletions.connect(
            settings.llm_url,
            settings.llm_model,
            api_key=key.value if key else None,
            context_tokens=settings.llm_context_tokens,
        )
    )
