"""A deleted note leaves nothing in D1, Vectorize and R2."""

import pytest

from dome_mcp.backends.cloudflare.vectorize_index import VectorizeIndex
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.indexing import index_step
from dome_mcp.services.ingest import ingest
from dome_mcp.services.notes import delete_note
from dome_mcp.services.search import SearchRequest, search
from tests.services.notes_for_tests import NOW, USER, draft, later
from tests.workers.indexes import settled

pytestmark = pytest.mark.anyio

TABLES = ("chunks", "chunks_fts", "vector_ledger", "note_tags")


async def test_deleted_is_deleted_everywhere(ports: Ports, index: VectorizeIndex) -> None:
    assert ports.vectors is not None
    document = draft("Secret plan. " * 4000, origin="file:///plan.txt", tags=("plan",))
    note = (await ingest(document, ports, user_id=USER, now=NOW)).note
    while (await index_step(ports, user_id=USER, holder="test", now=NOW)).left:
        continue
    await settled(ports.vectors)
    assert len(await ports.blobs.keys()) == 2
    assert (await index.info()).vectors > 0
    await delete_note(note.note_id, ports, user_id=USER, now=later(1))
    for mode in ("keyword", "semantic", "hybrid"):
        found = await search(SearchRequest("secret plan", mode=mode), ports, user_id=USER)
        assert found.passages == ()
    await settled(ports.vectors)
    assert await ports.blobs.keys() == []
    assert (await index.info()).vectors == 0
    for table in TABLES:
        (row,) = await ports.database.query(Statement(f"SELECT count(*) AS n FROM {table}"))  # noqa: S608 - a name of ours
        assert row["n"] == 0, table
