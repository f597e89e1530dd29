"""The drivers on Cloudflare, made as the settings say; imported only where they name an account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dome_mcp.backends.cloudflare.ai_gateway import Gateway
from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.cloudflare.http import Account, CloudflareApi
from dome_mcp.backends.cloudflare.r2 import R2Blobs
from dome_mcp.backends.cloudflare.r2_access import find_access_key
from dome_mcp.backends.cloudflare.r2_requests import Bucket
from dome_mcp.backends.cloudflare.sigv4 import AccessKey
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import VectorizeIndex
from dome_mcp.backends.cloudflare.workers_ai import WorkersAiEmbedder
from dome_mcp.backends.cloudflare.workers_ai_chat import WorkersAiLanguageModel
from dome_mcp.core.errors import ConfigurationError
from dome_mcp.core.ports import (
    BlobStore,
    Database,
    Embedder,
    LanguageModel,
    VectorIndex,
)
from dome_mcp.settings import Settings, variable
from dome_mcp.store import vector_ledger

if TYPE_CHECKING:
    from dome_mcp.backends.cloudflare.vectorize_lookup import Ledger

DEFAULT_EMBEDDING_MODEL = "@cf/baai/bge-m3"
"""Many languages, 1024 dimensions, and cheaper than the small English ones."""


@dataclass(frozen=True, slots=True)
class CloudDrivers:
    """The drivers of one account, all over one pool of connections; making one asks nothing."""

    settings: Settings
    api: CloudflareApi

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
        async with CloudflareApi.open(account) as api:
            yield cls(settings, api)

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

    def vectors(self, database: Database, embedder: Embedder) -> VectorIndex:
        """The index, for the embedder's vectors, with its ledger in `database`."""
        return VectorizeVectors(
            VectorizeIndex(self.api, _needed(self.settings, "vectorize_index")),
            database,
            # A module, whose constants pyright takes for literals.
            ledger=cast("Ledger", vector_ledger),
            model=embedder.model,
            dimensions=embedder.dimensions,
        )

    def embedder(self, name: str | None) -> Embedder:
        """The model of that name, None for the default.

        Raises:
            ConfigurationError: DOME does not know how to ask such a model.
        """
        gateway = self._gateway()
        return WorkersAiEmbedder(
            self.api,
            embedding_model(name or DEFAULT_EMBEDDING_MODEL),
            headers=gateway.headers() if gateway else None,
        )

    def language_model(self, name: str) -> LanguageModel:
        is_set = "llm_context_tokens" in self.settings.origins
        return WorkersAiLanguageModel(
            self.api,
            name,
            gateway=self._gateway(),
            context_tokens=self.settings.llm_context_tokens if is_set else None,
        )

    def _gateway(self) -> Gateway | None:
        name = self.settings.cloudflare.ai_gateway
        return Gateway(name) if name else None

    async def _access_key(self) -> AccessKey:
        places = self.settings.cloudflare
        if places.r2_access_key_id and places.r2_secret_access_key:
            return AccessKey(places.r2_access_key_id, places.r2_secret_access_key.value)
        token = places.cloudflare_api_token
        return await find_access_key(self.api, token.value if token else "")


def _needed(settings: Settings, name: str) -> str:
    value: str | None = getattr(settings.cloudflare, name)
    if value is None:
        raise ConfigurationError([f"{variable(name)} is not set"])
    return value
