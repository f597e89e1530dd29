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
from dome_mcp.backends.embedded.rerankers import LazyReranker, describe_reranker
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import VECTOR_SCHEMA, SqliteVectors
from dome_mcp.backends.patient_model import PatientModel
from dome_mcp.cloudflare_settings import WORKERS_AI_PREFIX
from dome_mcp.core.errors import ConfigurationError, InvalidInput
from dome_mcp.core.ports import (
    Database,
    Embedder,
    LanguageModel,
    Ports,
    Reranker,
    Statement,
    VectorIndex,
)
from dome_mcp.services.indexing import index_shape
from dome_mcp.services.reindexing import NextModel, NextVectors, index_facts
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
    place: str
    """Where the settings have the vectors (see `vector_place`)."""


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
        place = vector_place(settings, dome.index_facts)
        next_vectors, vectors = _next_vectors(settings, stores, embedder, place=place)
        ports = replace(dome.ports, embedder=embedder, vectors=vectors)
        yield Moving(dome, NextModel(embedder, next_vectors, name), ports, place)


@asynccontextmanager
async def _open_on(
    settings: Settings, stores: Stores, *, is_adopting: bool = False
) -> AsyncIterator[Dome]:
    async with AsyncExitStack() as stack:
        database = stores.database
        await migrate(database)
        vectors = embedder = None
        known: Mapping[str, str] = {}
        if settings.embedding_model != NO_MODEL:
            known = await index_facts(database)
            embedder = embedder_of(settings, stores.cloud, model_name(settings, known))
            place = vector_place(settings, known)
            known = await _own_index(database, embedder, known=known, place=place)
            stored = known[meta.VECTOR_PLACE]
            if stored != place and not is_adopting:
                raise ConfigurationError([_not_here(known.get(meta.VECTOR_INDEX, stored), place)])
            moved_to = known.get(meta.VECTOR_INDEX) if stored == place else None
            vectors = _vectors(settings, stores, embedder, moved_to=moved_to)
        if isinstance(stores.blobs, FileBlobs):
            await stores.blobs.sweep(datetime.now(UTC))
        ports = Ports(
            database=database,
            vectors=vectors,
            blobs=stores.blobs,
            embedder=embedder,
            language_model=await _patient_model(settings, stores, stack),
            reranker=reranker_of(settings, stores.cloud),
        )
        dome = Dome.of_owner(
            settings,
            ports,
            holder=f"{os.getpid()}-{secrets.token_hex(4)}",
            converter=stores.cloud.converter() if stores.cloud else None,
        )
        yield replace(dome, index_facts=known)


def _not_here(stored: str, wanted: str) -> str:
    return (
        f"the vectors of this database are in {stored}, the settings say {wanted}; set "
        "DOME_VECTORS and DOME_VECTORIZE_INDEX back, or run `dome-mcp reindex` to make them there"
    )


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


def reranker_of(settings: Settings, cloud: "CloudDrivers | None") -> Reranker | None:
    """The reranker of the settings, where they name one.

    Raises:
        ConfigurationError: there is no such model.
    """
    name = settings.reranker
    if name is None or name == NO_MODEL:
        return None
    if name.startswith(WORKERS_AI_PREFIX):
        return cloud and cloud.reranker(name)
    return LazyReranker(describe_reranker(name, cache=settings.home / MODEL_FOLDER))


async def _own_index(
    database: Database, embedder: Embedder, *, known: Mapping[str, str], place: str
) -> Mapping[str, str]:
    """Makes the index, which the first model to open a database owns; returns what is known then.

    `place` is where the vectors are to be; they are where the facts say.
    """
    model = known.get(meta.EMBEDDING_MODEL)
    fallback = place if model is None or not isinstance(database, SqliteDatabase) else EMBEDDED
    own = {meta.EMBEDDING_MODEL: embedder.model, meta.VECTOR_PLACE: fallback}
    if model in (None, embedder.model):
        own[meta.EMBEDDING_SHAPE] = index_shape(embedder)
    statements = [meta.set_fact_once(name, own[name]) for name in own.keys() - known.keys()]
    known = {**own, **known}
    if place == EMBEDDED and (statements or known[meta.VECTOR_PLACE] != place):
        statements = [*(Statement(sql) for sql in VECTOR_SCHEMA), *statements]
    await database.batch(statements)
    return known


def vector_place(settings: Settings, known: Mapping[str, str]) -> str:
    """Where the settings want the vectors to be, as the database remembers it.

    The index that vectors were moved to may be named there as well as the one they were moved from.
    """
    places = settings.cloudflare
    if places.vectors == "embedded":
        return EMBEDDED
    if places.vectorize_index == known.get(meta.VECTOR_INDEX):
        return known[meta.VECTOR_PLACE]
    return f"{meta.VECTORIZE}{places.vectorize_index}"


def _vectors(
    settings: Settings, stores: Stores, embedder: Embedder, *, moved_to: str | None
) -> VectorIndex:
    if stores.cloud is not None and settings.cloudflare.vectors == "cloudflare":
        return stores.cloud.vectors(stores.database, embedder, moved_to=moved_to)
    return _sqlite_vectors(stores.database, embedder)


def _sqlite_vectors(database: Database, embedder: Embedder) -> SqliteVectors:
    return SqliteVectors(
        _watched(database),
        model=embedder.model,
        dimensions=embedder.dimensions,
        eligible=eligible_notes,
    )


def _next_vectors(
    settings: Settings, stores: Stores, embedder: Embedder, *, place: str
) -> tuple[NextVectors, VectorIndex]:
    """The next model's vectors as they are made, and as they are searched once they all are."""
    database = stores.database
    if stores.cloud is not None and settings.cloudflare.vectors == "cloudflare":
        first = place.removeprefix(meta.VECTORIZE)
        vectors = stores.cloud.next_vectors(database, embedder, first=first)
        return vectors, vectors.index
    made = SqliteNextVectors(database, model=embedder.model, dimensions=embedder.dimensions)
    return made, _sqlite_vectors(database, embedder)


def _watched(database: Database) -> SqliteDatabase:
    """The database on this machine, which embedded vectors need; settings see to that."""
    if not isinstance(database, SqliteDatabase):
        raise ConfigurationError(["DOME_VECTORS=embedded needs DOME_DATABASE=embedded"])
    return database


async def _patient_model(
    settings: Settings, stores: Stores, stack: AsyncExitStack
) -> LanguageModel | None:
    model = await _language_model(settings, stores, stack)
    return model and PatientModel(model, settings.llm_timeout_seconds)


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
            timeout_seconds=settings.llm_timeout_seconds,
        )
    )
