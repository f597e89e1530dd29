"""While Vectorize lags by minutes, whatever was written is found, and what is gone is not."""

from collections.abc import AsyncIterator

import pytest

from dome_mcp.backends.cloudflare.vectorize_shapes import MAX_TOP_K
from dome_mcp.core.model import Document, NoteChanges, NoteFilter, SearchMode
from dome_mcp.core.ports import Statement
from dome_mcp.services.ingest import ingest, ingest_many
from dome_mcp.services.notes import delete_note
from dome_mcp.services.revising import update_note
from dome_mcp.services.search import SearchRequest, search
from tests.services.clouds import Process, Site, process_at
from tests.services.cut_off import check_found_and_sound
from tests.services.notes_for_tests import NOW, USER, draft, later
from tests.services.writes import index_all

pytestmark = pytest.mark.anyio

BOILER = "The boiler was serviced in May by Hansen."
ROOF = "The roof of the shed is made of tin."
MANY = 300
UNSETTLED = "SELECT chunk_id FROM vector_ledger WHERE is_settled = 0"


@pytest.fixture
async def writer(site: Site) -> AsyncIterator[Process]:
    """The process that writes."""
    async with process_at(site.place) as process:
        yield process


@pytest.fixture
async def reader(site: Site, writer: Process) -> AsyncIterator[Process]:
    """Another one, which shares with it only what is at Cloudflare."""
    del writer  # makes the tables first
    async with process_at(site.place) as process:
        yield process


async def store(process: Process, text: str, *, context: str | None = None) -> str:
    """The id of a new note."""
    made = await ingest(draft(text, context=context), process.ports, user_id=USER, now=NOW)
    return made.note.note_id


async def store_many(process: Process, count: int) -> list[str]:
    """The ids of so many notes about shelves, with their vectors."""
    drafts = [draft(f"Shelf number {number} holds jars of plums.") for number in range(count)]
    for start in range(0, count, 100):
        some = drafts[start : start + 100]
        await ingest_many(some, process.ports, user_id=USER, now=NOW)
    await index_all(process.ports, limit=100)
    return [each.note_id for each in drafts]


async def found(
    process: Process,
    query: str,
    *,
    mode: SearchMode = "semantic",
    limit: int = 10,
    among: NoteFilter | None = None,
) -> list[str]:
    """The texts of what is found, best first."""
    request = SearchRequest(query, mode=mode, limit=limit, among=among or NoteFilter())
    result = await search(request, process.ports, user_id=USER)
    return [passage.text for passage in result.passages]


@pytest.mark.parametrize("mode", ["semantic", "keyword", "hybrid"])
async def test_a_note_just_ingested_is_found_by_its_process_and_by_another(
    writer: Process, reader: Process, mode: SearchMode
):
    await store(writer, ROOF)
    await store(writer, BOILER)
    assert await writer.held() == set()
    for process in (writer, reader):
        assert (await found(process, "boiler serviced", mode=mode))[0] == BOILER


async def test_a_revised_note_is_found_by_what_it_says_now_and_not_by_what_it_said(
    site: Site, writer: Process, reader: Process
):
    note_id = await store(writer, BOILER)
    site.let_the_lag_pass()
    await writer.settled()
    site.lag_again()
    await store(writer, ROOF)
    changes = NoteChanges(document=Document("Ferns need shade.", "text/plain"))
    await update_note(note_id, changes, writer.ports, user_id=USER, now=later(1))
    held = await writer.held()
    for process in (writer, reader):
        assert await found(process, "ferns need shade", limit=1) == ["Ferns need shade."]
        assert BOILER not in await found(process, "boiler serviced")
        assert await found(process, "boiler serviced", mode="keyword") == []
    assert await writer.held() == held, "Vectorize has heard of it already"
    await check_found_and_sound(reader, site, "after the revision")


async def test_a_deleted_note_is_gone_at_once_though_vectorize_still_has_it(
    site: Site, writer: Process, reader: Process
):
    note_id = await store(writer, BOILER)
    await store(writer, ROOF)
    site.let_the_lag_pass()
    await writer.settled()
    site.lag_again()
    await delete_note(note_id, writer.ports, user_id=USER, now=later(1))
    assert len(await reader.held()) == 2
    for process in (writer, reader):
        assert await found(process, "boiler serviced") == [ROOF]
        assert await found(process, "boiler serviced", mode="hybrid") == [ROOF]
    await check_found_and_sound(reader, site, "after the deletion")


async def test_a_note_deleted_before_vectorize_heard_of_it_never_appears(
    site: Site, writer: Process, reader: Process
):
    note_id = await store(writer, BOILER)
    await store(writer, ROOF)
    await delete_note(note_id, writer.ports, user_id=USER, now=later(1))
    assert await found(reader, "boiler serviced") == [ROOF]
    await check_found_and_sound(reader, site, "after the deletion")


async def test_hundreds_of_vectors_on_their_way_are_found_and_then_leave_the_ledger(
    site: Site, writer: Process, reader: Process
):
    await store(writer, BOILER)
    await store_many(writer, MANY)
    await store(writer, ROOF)
    assert await reader.held() == set()
    assert await reader.vectors.settle() == MANY + 2
    await check_many_found(reader)
    site.let_the_lag_pass()
    await reader.settled()
    assert len(await reader.held()) == MANY + 2
    assert not await reader.ports.database.query(Statement(UNSETTLED))
    await check_many_found(reader)


async def check_many_found(process: Process) -> None:
    """The oldest and the newest note are found among many, and as many as were asked for."""
    assert (await found(process, "boiler serviced in May"))[0] == BOILER
    assert (await found(process, "the roof is made of tin"))[0] == ROOF
    assert len(await found(process, "jars of plums", limit=50)) == 50


async def test_notes_behind_all_that_vectorize_names_are_found_when_those_are_gone(
    site: Site, writer: Process, reader: Process
):
    await store(writer, ROOF)
    shelves = await store_many(writer, MAX_TOP_K + 10)
    site.let_the_lag_pass()
    await writer.settled()
    site.lag_again()
    for note_id in shelves:
        await delete_note(note_id, writer.ports, user_id=USER, now=later(1))
    assert len(await reader.held()) == len(shelves) + 1
    assert await found(reader, "shelf with jars of plums") == [ROOF]


async def test_a_filter_holds_for_what_is_on_its_way_and_for_a_note_that_moves(
    site: Site, writer: Process, reader: Process
):
    garden, cellar = NoteFilter(context="garden"), NoteFilter(context="cellar")
    note_id = await store(writer, BOILER, context="cellar")
    await store(writer, ROOF, context="garden")
    assert await found(reader, "boiler serviced", among=garden) == [ROOF]
    site.let_the_lag_pass()
    await writer.settled()
    site.lag_again()
    moved = NoteChanges(context="garden")
    await update_note(note_id, moved, writer.ports, user_id=USER, now=later(1))
    assert (await found(reader, "boiler serviced", among=garden))[0] == BOILER
    assert await found(reader, "boiler serviced", among=cellar) == []
    await check_found_and_sound(reader, site, "after the move")
    assert (await found(reader, "boiler serviced", among=garden))[0] == BOILER
