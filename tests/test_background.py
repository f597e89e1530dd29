"""Vectors are made for every user, in turn, whatever is the matter with one of them."""

import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
import pytest

from dome_mcp.app import Dome
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.background import catch_up_all, keep_indexed
from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Vector
from dome_mcp.services.indexing import semantics, users_with_pending
from dome_mcp.services.ingest import ingest, ingest_many
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.notes_for_tests import NOW, draft, long_document
from tests.serving import settings_in

pytestmark = pytest.mark.anyio

USERS = ("anna", "ben", "me")


class FailingEmbedder(WordEmbedder):
    """Fails, as it is told to, for every text with the word poison in it."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.failure = failure or BackendUnavailable("words", "embed", "Out of memory.")

    async def embed_passages(self, texts: Sequence[str]) -> Sequence[Vector]:
        if any("poison" in text for text in texts):
            raise self.failure
        return await super().embed_passages(texts)


@pytest.fixture
def embedder() -> FailingEmbedder:
    return FailingEmbedder()


@pytest.fixture
async def dome(tmp_path: Path, embedder: FailingEmbedder) -> AsyncIterator[Dome]:
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, tmp_path, embedder)
        yield Dome.of_owner(settings_in(tmp_path), ports, holder="test")


async def store(dome: Dome, user_id: str, *texts: str) -> None:
    """Stores notes whose chunks are pending."""
    drafts = [draft(text, user_id=user_id) for text in texts]
    await ingest_many(drafts, dome.ports, user_id=user_id, now=NOW)


async def pending(dome: Dome, user_id: str) -> int:
    return (await semantics(dome.ports, user_id=user_id)).state.pending_chunks


async def test_the_users_with_pending_chunks_are_each_told_once(dome: Dome) -> None:
    assert await users_with_pending(dome.ports) == ()
    for user_id in ("me", "anna", "ben"):
        await store(dome, user_id, "one", "two")
    assert await users_with_pending(dome.ports) == USERS


async def test_every_user_has_vectors_in_the_end(dome: Dome) -> None:
    for user_id in USERS:
        await store(dome, user_id, f"a note of {user_id}")
    assert await catch_up_all(dome)
    assert [await pending(dome, user_id) for user_id in USERS] == [0, 0, 0]


async def test_users_take_turns_so_that_a_long_document_keeps_nobody_waiting(
    dome: Dome, embedder: FailingEmbedder
) -> None:
    made = draft_note(long_document(200), Labels(), user_id="anna", now=NOW)
    await ingest(made, dome.ports, user_id="anna", now=NOW)
    assert await pending(dome, "anna") > 64
    await store(dome, "ben", "gate twelve")
    assert await catch_up_all(dome)
    (turn,) = [n for n, text in enumerate(embedder.embedded) if "gate twelve" in text]
    # After one step of Anna's, not after all of them.
    assert turn == 32


@pytest.mark.parametrize(
    "failure", [BackendUnavailable("words", "embed", "Out of memory."), KeyError("poison pill")]
)
async def test_a_user_whose_step_fails_keeps_no_other_waiting_and_is_tried_again(
    dome: Dome,
    embedder: FailingEmbedder,
    failure: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    embedder.failure = failure
    await store(dome, "anna", "the poison pill")
    await store(dome, "ben", "gate twelve")
    with caplog.at_level(logging.WARNING), anyio.fail_after(10):
        assert not await catch_up_all(dome)
    assert (await pending(dome, "anna"), await pending(dome, "ben")) == (1, 0)
    assert "pill" not in caplog.text
    embedder.failure = BackendUnavailable("words", "embed", "Out of memory.")
    assert not await catch_up_all(dome)


async def test_the_loop_serves_whoever_stores_something_later(dome: Dome) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_indexed, dome)
        await anyio.wait_all_tasks_blocked()
        await store(dome, "ben", "gate twelve")
        dome.pending.ring()
        with anyio.fail_after(10):
            while await pending(dome, "ben"):
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
