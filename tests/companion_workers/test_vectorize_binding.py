"""The vector suite over a Vectorize binding, its ledger in D1, and the cosines of a Worker."""

import httpx
import pytest

from dome_mcp.backends.cloudflare.matrix_scores import matrix_scores
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_scores import packed, plain_scores
from dome_mcp.core.errors import BackendRejected, BackendUnavailable
from dome_mcp.store import vector_ledger
from dome_mcp.store.schema import migrate
from tests.companion_workers.remote import Binding, RemoteDatabase
from tests.companion_workers.remote_ai import RemoteIndex
from tests.companion_workers.remote_bindings import RemoteBindings
from tests.conformance.vector_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.conformance.vector_suite import DIMENSIONS, found, store, toward


@pytest.fixture
def bound(client: httpx.AsyncClient, remote: RemoteBindings) -> RemoteIndex:
    """The index of the binding, with nothing in it."""
    remote.empty("VECTORIZE", dimensions=DIMENSIONS)
    return RemoteIndex(Binding(client, "VECTORIZE"))


@pytest.fixture
async def index(database: RemoteDatabase, bound: RemoteIndex) -> VectorizeVectors:
    await migrate(database)
    return VectorizeVectors(
        bound,
        database,
        ledger=vector_ledger,
        score=plain_scores,
        model="test-model/fp32",
        dimensions=DIMENSIONS,
    )


async def test_what_is_settled_is_found_by_the_binding_and_gone_when_removed(
    database: RemoteDatabase, index: VectorizeVectors, bound: RemoteIndex
) -> None:
    await store(database, index, near=10, far=80)
    while await index.settle():
        continue
    assert (await bound.info()).vectors == 2
    assert await bound.nearest(toward(0), namespace="ada") == ["near", "far"]
    await database.batch(index.unstage(["near"]))
    while await index.settle():
        continue
    assert (await bound.info()).vectors == 1
    assert await found(index, 0) == ["far"]


async def test_an_index_for_other_dimensions_is_refused_by_name(bound: RemoteIndex) -> None:
    assert not await bound.make(DIMENSIONS)
    with pytest.raises(BackendRejected, match="other dimensions"):
        await bound.make(DIMENSIONS + 1)
    with pytest.raises(BackendRejected, match="other dimensions"):
        await bound.nearest([1.0], namespace="ada")


async def test_what_vectorize_fails_at_is_told_as_an_outage(
    bound: RemoteIndex, remote: RemoteBindings
) -> None:
    remote.account.fail_next("/query", 500, "<html>Internal error</html>")
    with pytest.raises(BackendUnavailable, match="Vectorize failed"):
        await bound.nearest(toward(0), namespace="ada")


async def test_a_workers_cosines_are_those_of_numpy() -> None:
    stored = {f"c{angle}": packed(toward(angle)) for angle in range(0, 360, 7)}
    stored["of another model"] = packed(toward(3))[:8]
    plain = await plain_scores(toward(33), stored)
    assert plain == pytest.approx(await matrix_scores(toward(33), stored), abs=1e-6)
    assert "of another model" not in plain
