"""What happens when somebody else writes between two steps of ours."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from dome_mcp.core.model import Document, NoteChanges
from dome_mcp.core.ports import BlobStore, Database, Ports, Row, Statement, Vector
from dome_mcp.services.blobs import original_of
from dome_mcp.services.indexing import index_step, semantics
from dome_mcp.services.ingest import ingest, ingest_many
from dome_mcp.services.notes import get_note
from dome_mcp.services.revising import update_note
from dome_mcp.services.search import SearchRequest, search
from tests.services.conftest import WordEmbedder
from tests.services.notes_for_tests import NOW, USER, draft, later

pytestmark = pytest.mark.anyio

LONG_TEXT = "The long plan has many words. " * 2000
Meddling = Callable[[], Awaitable[object]]


@dataclass
class DatabaseWithRival:
    """Lets a rival write once, just before our first batch."""

    inner: Database
    rival: Meddling | None

    async def query(self, statement: Statement) -> Sequence[Row]:
        return await self.inner.query(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        rival, self.rival = self.rival, None
        if rival:
            await rival()
        return await self.inner.batch(statements)


@dataclass
class BlobsWithRival:
    """Lets a rival write once, just before our first read."""

    inner: BlobStore
    rival: Meddling | None

    async def put(self, key: str, data: bytes) -> None:
        await self.inner.put(key, data)

    async def get(self, key: str) -> bytes:
        rival, self.rival = self.rival, None
        if rival:
            await rival()
        return await self.inner.get(key)

    async def delete(self, key: str) -> None:
        await self.inner.delete(key)

    async def keys(self, prefix: str = "") -> Sequence[str]:
        return await self.inner.keys(prefix)


async def test_two_that_store_the_same_content_get_one_note_and_leave_no_blob(ports: Ports):
    async def rival() -> None:
        await ingest(draft(LONG_TEXT, origin="file:///a"), ports, user_id=USER, now=NOW)

    raced = replace(ports, database=DatabaseWithRival(ports.database, rival))
    mine = draft(LONG_TEXT, origin="file:///b", now=later(1))
    result = await ingest(mine, raced, user_id=USER, now=later(1))
    assert result.duplicate
    assert result.note.source == "file:///a"
    assert len(await ports.blobs.keys()) == 2
    assert await original_of(result.note, ports.blobs) == LONG_TEXT.encode()


async def test_a_batch_that_loses_a_race_for_one_note_stores_the_others(ports: Ports):
    async def rival() -> None:
        await ingest(draft("two"), ports, user_id=USER, now=NOW)

    raced = replace(ports, database=DatabaseWithRival(ports.database, rival))
    drafts = [draft(text, now=later(1)) for text in ("one", "two", "three")]
    results = await ingest_many(drafts, raced, user_id=USER, now=later(1))
    assert [result.duplicate for result in results] == [False, True, False]


async def test_a_text_that_is_replaced_while_it_is_read_is_read_anew(ports: Ports):
    note = (await ingest(draft(LONG_TEXT), ports, user_id=USER, now=NOW)).note
    newer = LONG_TEXT.replace("long", "new")

    async def rival() -> None:
        changes = NoteChanges(document=Document(newer, "text/plain"))
        await update_note(note.note_id, changes, ports, user_id=USER, now=later(1))

    raced = replace(ports, blobs=BlobsWithRival(ports.blobs, rival))
    assert (await get_note(note.note_id, raced, user_id=USER)).text == newer


async def test_a_note_that_changes_while_it_is_embedded_is_embedded_anew(
    ports: Ports, embedder: WordEmbedder
):
    await ingest_many([draft("Turn the valve left.")], ports, user_id=USER, now=NOW)
    found = await search(SearchRequest("valve", mode="keyword"), ports, user_id=USER)
    note_id = found.passages[0].note_id

    class Slow(WordEmbedder):
        async def embed_passages(self, texts: Sequence[str]) -> Sequence[Vector]:
            changes = NoteChanges(title="Radiator manual")
            unwatched = replace(ports, embedder=None)
            await update_note(note_id, changes, unwatched, user_id=USER, now=later(1))
            return await super().embed_passages(texts)

    await index_step(replace(ports, embedder=Slow()), user_id=USER, holder="a", now=NOW)
    assert (await semantics(ports, user_id=USER)).state.pending_chunks == 1
    await index_step(ports, user_id=USER, holder="a", now=NOW)
    assert (await semantics(ports, user_id=USER)).state.pending_chunks == 0
    assert "Radiator manual" in embedder.embedded[-1]


async def test_a_file_does_not_take_the_place_of_what_the_user_wrote_into_its_note(ports: Ports):
    uri = "file:///plan.txt"
    old = (await ingest(draft("Paint it red.", origin=uri), ports, user_id=USER, now=NOW)).note
    changes = NoteChanges(document=Document("Paint it red, says Ada.", "text/plain"))
    await update_note(old.note_id, changes, ports, user_id=USER, now=later(1))
    newer = draft("Paint it blue.", origin=uri, now=later(2))
    result = await ingest(newer, ports, user_id=USER, now=later(2))
    assert not result.updated
    kept = await get_note(old.note_id, ports, user_id=USER)
    assert kept.text == "Paint it red, says Ada."
