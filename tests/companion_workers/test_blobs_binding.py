"""The blob suite over an R2 binding, inside a Python Worker."""

import httpx
import pytest

from tests.companion_workers.remote import Binding, RemoteBlobs
from tests.conformance.blob_suite import *  # noqa: F403 - pytest collects the suite from here


@pytest.fixture
async def blobs(client: httpx.AsyncClient) -> RemoteBlobs:
    """An empty blob store."""
    store = RemoteBlobs(Binding(client, "BLOBS"))
    for key in await store.keys():
        await store.delete(key)
    return store
