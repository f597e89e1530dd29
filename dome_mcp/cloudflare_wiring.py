"""The drivers on Cloudflare, made as the settings say; imported only where they name an account."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dome_mcp.app import Converter
from dome_mcp.backends.cloudflare.ai_gateway import (
    Gateway,
    ProviderKey,
    ProviderLanguageModel,
    ProviderName,
)
from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.embedding_models import (
    DEFAULT_EMBEDDING_MODEL as DEFAULT_EMBEDDING_MODEL,
)
from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.cloudflare.http import Account, CloudflareApi
from dome_mcp.backends.cloudflare.markdown import WorkersAiConverter
from dome_mcp.backends.cloudflare.matrix_scores import matrix_scores
from dome_mcp.backends.cloudflare.next_vectors import VectorizeNextVectors
from dome_mcp.backends.cloudflare.r2 import R2Blobs
from dome_mcp.backends.cloudflare.r2_access import find_access_key
from dome_mcp.backends.cloudflare.r2_requests import Bucket
from dome_mcp.backends.cloudflare.reranking import workers_ai_reranker
from dome_mcp.backends.cloudflare.sigv4 import AccessKey
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import VectorizeIndex
from dome_mcp.backends.cloudflare.workers_ai import workers_ai_embedder
from dome_mcp.backends.cloudflare.workers_ai_chat import WorkersAiLanguageModel
from dome_mcp.cloudflare_settings import is_by_provider
from dome_mcp.core.errors import ConfigurationError
from dome_mcp.core.ports import (
    BlobStore,
    Database,
    Embedder,
    LanguageModel,
    Reranker,
    VectorIndex,
)
from dome_mcp.settings import Settings, variable
from dome_mcp.store import vector_indexes, vector_ledger

if TYPE_CHECKING:
    from dome_mcp.backends.cloudflare.vectorize_lookup import Ledger

# A module, whose constants pyright takes for literals.
_LEDGER = cast("Ledger", vector_ledger)


@dataclass(frozen=True, slots=True)
class CloudDrivers:
    """The drivers of one account, all over one pool of connections; making one asks nothing."""

    settings: Settings
    api: CloudflareApi
    provider: LanguageModel | None = None
    """The chat model that is asked of its own provider, which is at another address."""

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> "AsyncIterator[CloudDrivers]":
        """The drivers of the settings' account, closed with the block; nothing is sent yet.

        Raises:
            ConfigurationError: the settings name no account.
        """
        places = settings.cloudflare
        token = places.cloudflare_api_token
        account = Account(
            _needed(settings, "cloudflare_account_id"),
            token.value if token else _needed(settings, "cloudflare_api_token"),
            places.cloudflare_base_url,
        )
        async with CloudflareApi.open(account) as api, _provider(settings, account) as provider:
            yield cls(settings, api, provider)

    def database(self) -> Database:
        return D1Database(self.api, _needed(self.settings, "d1_database_id"))

    @asynccontextmanager
    async def blobs(self) -> AsyncIterator[BlobStore]:
        """The bucket; one call finds the token's access key where the settings have none.

        Source: https://developers.cloudflare.com/r2/api/s3/api/ (2026-10), for its address.

        Raises:
            BackendError: the access key cannot be found.
        """
        places = self.settings.cloudflare
        account_id = _needed(self.settings, "cloudflare_account_id")
        bucket = Bucket(
            endpoint=places.r2_endpoint or f"https://{account_id}.r2.cloudflarestorage.com",
            name=_needed(self.settings, "r2_bucket"),
            access_key=await self._access_key(),
        )
        async with R2Blobs.open(bucket) as blobs:
            yield blobs

    def vectors(
        self, database: Database, embedder: Embedder, *, moved_to: str | None
    ) -> VectorIndex:
        """The index, for the embedder's vectors, with its ledger in `database`.

        It is the one of the settings where `moved_to` names no other.
        """
        name = moved_to or _needed(self.settings, "vectorize_index")
        return VectorizeVectors(
            VectorizeIndex(self.api, name),
            database,
            ledger=_LEDGER,
            score=matrix_scores,
            model=embedder.model,
            dimensions=embedder.dimensions,
            known_as=moved_to or vector_ledger.FIRST,
        )

    def next_vectors(
        self, database: Database, embedder: Embedder, *, first: str
    ) -> VectorizeNextVectors:
        """An index beside the present one; `first` is the one that vectors were in at first."""
        return VectorizeNextVectors(
            self.api,
            database,
            ledger=_LEDGER,
            register=vector_indexes,
            first=first,
            model=embedder.model,
            dimensions=embedder.dimensions,
        )

    def embedder(self, name: str | None) -> Embedder:
        """The model of that name, None for the default.

        Raises:
            ConfigurationError: DOME does not know how to ask such a model.
        """
        model = embedding_model(name or DEFAULT_EMBEDDING_MODEL)
        return workers_ai_embedder(self.api, model, headers=self._gateway_headers())

    def reranker(self, name: str) -> Reranker:
        """The reranker of that name.

        Raises:
            ConfigurationError: DOME does not know how to ask such a model.
        """
        return workers_ai_reranker(self.api, name, headers=self._gateway_headers())

    def language_model(self, name: str) -> LanguageModel:
        """The chat model of the settings, by its name."""
        if self.provider is not None:
            return self.provider
        is_set = "llm_context_tokens" in self.settings.origins
        return WorkersAiLanguageModel(
            self.api,
            name,
            gateway=self._gateway(),
            context_tokens=self.settings.llm_context_tokens if is_set else None,
        )

    def converter(self) -> Converter | None:
        """What reads documents that DOME has no parser for, where the settings want that."""
        wanted = self.settings.cloudflare.convert == "cloudflare"
        return WorkersAiConverter(self.api) if wanted else None

    def _gateway(self) -> Gateway | None:
        name = self.settings.cloudflare.ai_gateway
        return Gateway(name) if name else None

    def _gateway_headers(self) -> Mapping[str, str] | None:
        gateway = self._gateway()
        return gateway.headers() if gateway else None

    async def _access_key(self) -> AccessKey:
        places = self.settings.cloudflare
        if places.r2_access_key_id and places.r2_secret_access_key:
            return AccessKey(places.r2_access_key_id, places.r2_secret_access_key.value)
        token = places.cloudflare_api_token
        return await find_access_key(self.api, token.value if token else "")


@asynccontextmanager
async def _provider(settings: Settings, account: Account) -> AsyncIterator[LanguageModel | None]:
    """The chat model, where the settings name one of another provider and a key for it."""
    name, key = settings.llm_model, settings.llm_api_key
    is_elsewhere = settings.llm_url is not None or not is_by_provider(name, has_key=key is not None)
    if name is None or key is None or is_elsewhere:
        yield None
        return
    provider, _, model = name.partition("/")
    async with ProviderLanguageModel.connect(
        account.account_id,
        Gateway(_needed(settings, "ai_gateway")),
        ProviderKey(cast("ProviderName", provider), key.value, account.token),
        model=model,
        context_tokens=settings.llm_context_tokens,
        base_url=settings.cloudflare.ai_gateway_url,
    ) as driver:
        yield driver


def _needed(settings: Settings, name: str) -> str:
    value: str | None = getattr(settings.cloudflare, name)
    if value is None:
        raise ConfigurationError([f"{variable(name)} is not set"])
    return value
