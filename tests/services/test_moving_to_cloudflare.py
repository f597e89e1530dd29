"""A move to D1 and Vectorize: within the account's limits, and safe where an answer is lost."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.matrix_scores import matrix_scores
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import VectorizeIndex
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.core.errors import BackendError
from dome_mcp.core.model import Document, NoteChanges, NoteFilter
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.indexing import index_step
from dome_mcp.services.ingest import ingest_many
from dome_mcp.services.moving import NOTES, Sides, move_user
from dome_mcp.services.moving_check import verify_user
from dome_mcp.services.moving_progress import VectorReader
from dome_mcp.services.notes import list_notes
from dome_mcp.services.revising import update_note
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.store import vector_ledger
from dome_mcp.store.schema import migrate
from tests.services.conftest import WordEmbedder
from tests.services.moving_for_tests import content, contradictions, reader, stock, world
from tests.services.notes_for_tests import NOW, USER, draft, later
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.provisioning import Resources
from tests.simulators.cloudflare.vectorize import INDEX_NAME

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Cloud:
    """DOME on a simulated account, and the account."""

    ports: Ports
    api: CloudflareApi
    account: SimulatedAccount
    resources: Resources


def ledger(there: Cloud) -> VectorReader:
    """Reads the vectors that Vectorize is to hold."""
    assert isinstance(there.ports.vectors, VectorReader)
    return there.ports.vectors


async def _no_wait(_seconds: float) -> None:
    """Time does not pass here."""


@asynccontextmanager
async def cloud(folder: Path) -> AsyncIterator[Cloud]:
    account, resources, embedder = SimulatedAccount(), Resources(), WordEmbedder()
    resources.serve(account)
    resources.vectorize.create(embedder.dimensions)
    database_id = resources.databases.add("dome")
    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=_no_wait
    ) as api:
        database = D1Database(api, database_id)
        await migrate(database)
        index = VectorizeIndex(api, INDEX_NAME)
        vectors = VectorizeVectors(
            index,
            database,
            ledger=vector_ledger,
            score=matrix_scores,
            model=embedder.model,
            dimensions=embedder.dimensions,
        )
        yield Cloud(Ports(database, vectors, FileBlobs(folder), embedder), api, account, resources)
    resources.close()


async def test_everything_arrives_and_comes_back_as_it_was(tmp_path: Path) -> None:
    async with (
        world(tmp_path / "a") as source,
        cloud(tmp_path / "b") as there,
        world(tmp_path / "c") as back,
    ):
        await stock(source)
        sides = Sides(source, there.ports, USER, reader(source))
        await move_user(sides)
        assert (await verify_user(sides)).is_equal
        found = await search(SearchRequest("red paint", mode="semantic"), there.ports, user_id=USER)
        assert found.passages[0].text == "Paint it red."
        await move_user(Sides(there.ports, back, USER, ledger(there)))
        before, after = await content(source), await content(back)
        assert after == before
        assert await contradictions(back) == []
        alike = await search(SearchRequest("red paint", mode="semantic"), back, user_id=USER)
        assert alike.passages[0].text == "Paint it red."
        assert isinstance(back.embedder, WordEmbedder)
        assert back.embedder.embedded == []


async def test_vectors_of_another_model_are_not_taken_back(tmp_path: Path) -> None:
    other = WordEmbedder(model="words/2")
    async with cloud(tmp_path / "a") as there, world(tmp_path / "b", other) as back:
        await stock(there.ports)
        await move_user(Sides(there.ports, back, USER, ledger(there)))
        rows = await back.database.query(Statement("SELECT embedded_with FROM chunks"))
        assert {row["embedded_with"] for row in rows} == {None}


async def test_vectors_reach_vectorize_with_the_move_and_leave_it_with_their_chunks(
    tmp_path: Path,
) -> None:
    async with world(tmp_path / "a") as source, cloud(tmp_path / "b") as there:
        await stock(source)
        await move_user(Sides(source, there.ports, USER, reader(source)))
        there.resources.vectorize.advance(300)
        held = there.resources.vectorize.indexes[INDEX_NAME].vectors
        chunks = (await content(source))["chunks"]
        assert len(held) == len(chunks)
        page = await list_notes(NoteFilter(), source, user_id=USER)
        short = next(note for note in page.notes if note.title == "Edited")
        changes = NoteChanges(document=Document("Another text altogether.", "text/plain"))
        await update_note(short.note_id, changes, source, user_id=USER, now=later(60))
        await move_user(Sides(source, there.ports, USER))
        there.resources.vectorize.advance(300)
        held = there.resources.vectorize.indexes[INDEX_NAME].vectors
        assert len(held) == len(chunks) - 1


async def test_a_note_larger_than_a_parameter_of_d1_is_moved(tmp_path: Path) -> None:
    async with world(tmp_path / "a") as source, cloud(tmp_path / "b") as there:
        large = draft("Some words of a very long book. " * 70_000)
        await ingest_many([large], replace(source, vectors=None), user_id=USER, now=NOW)
        sides = Sides(source, there.ports, USER)
        assert (await move_user(sides))[NOTES].moved == 1
        assert (await verify_user(sides)).is_equal


async def test_ten_thousand_notes_take_fewer_than_two_hundred_requests_each_way(
    tmp_path: Path,
) -> None:
    """Moved with their vectors, and read back from both sides."""
    async with (
        world(tmp_path / "a") as source,
        cloud(tmp_path / "b") as there,
        world(tmp_path / "c") as back,
    ):
        for start in range(0, 10_000, 1_000):
            texts = [f"Item {number} is about a house." for number in range(start, start + 1_000)]
            drafts = [draft(text) for text in texts]
            await ingest_many(drafts, replace(source, vectors=None), user_id=USER, now=NOW)
        while (await index_step(source, user_id=USER, holder="me", now=later(1), limit=2_000)).left:
            pass
        pushed = await _calls_of_moving(Sides(source, there.ports, USER, reader(source)), there)
        pulled = await _calls_of_moving(Sides(there.ports, back, USER, ledger(there)), there)
        assert await contradictions(back) == []
    assert pushed < 200
    assert pulled < 200


async def _calls_of_moving(sides: Sides, there: Cloud) -> int:
    """How many requests it took to move ten thousand notes and to compare them."""
    before = there.api.calls
    moves = await move_user(sides)
    verdict = await verify_user(sides)
    assert moves[NOTES].moved == 10_000
    assert verdict.is_equal
    return there.api.calls - before


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
async def test_an_answer_that_is_lost_anywhere_ends_as_one_that_is_not(
    tmp_path: Path, is_after: bool
) -> None:
    async with world(tmp_path / "a") as source:
        await stock(source)
        expected = await content(source)
        number = 0
        while True:
            async with cloud(tmp_path / f"{number}") as there:
                sides = Sides(source, there.ports, USER, reader(source), notes_at_once=2)
                calls = await _with_lost_answer(sides, there, number, is_after=is_after)
                assert await content(there.ports) == expected, f"lost answer {number}"
                assert (await verify_user(sides)).is_equal
            number += 1
            if number >= calls:
                break
    assert number > 10


class Killed(Exception):
    """The process is no more."""


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
async def test_a_push_that_is_killed_at_any_request_goes_on_from_there(
    tmp_path: Path, is_after: bool
) -> None:
    async with world(tmp_path / "a") as source:
        await stock(source)
        expected = await content(source)
        number, is_killed = 0, True
        while is_killed:
            async with cloud(tmp_path / f"{number}") as there:
                sides = Sides(source, there.ports, USER, reader(source), notes_at_once=2)
                is_killed = await _is_killed(sides, there, number, is_after=is_after)
                assert await content(there.ports) == expected, f"killed at {number}"
            number += 1
    assert number > 10


async def test_a_pull_that_is_killed_at_any_request_goes_on_from_there(tmp_path: Path) -> None:
    """Nothing is written there, so it is the same before and after a request's work."""
    async with world(tmp_path / "a") as source, cloud(tmp_path / "b") as there:
        await stock(source)
        expected = await content(source)
        await move_user(Sides(source, there.ports, USER, reader(source)))
        number, is_killed = 0, True
        while is_killed:
            async with world(tmp_path / f"{number}") as back:
                sides = Sides(there.ports, back, USER, ledger(there), notes_at_once=2)
                is_killed = await _is_killed(sides, there, number, is_after=False)
                assert await content(back) == expected, f"killed at {number}"
                assert await contradictions(back) == []
            number += 1
    assert number > 10


async def _is_killed(sides: Sides, there: Cloud, number: int, *, is_after: bool) -> bool:
    """Moves, is killed at a request, and moves again; False where there are fewer requests."""
    account, died = there.account, Killed()
    _at_request(account, number, lambda: account.break_next("", died, is_after_the_work=is_after))
    try:
        await move_user(sides)
    except Killed:
        await move_user(sides)
        return True
    finally:
        account.calls = list(account.calls)
    return False


def _at_request(account: SimulatedAccount, number: int, act: Callable[[], None]) -> None:
    """Has something done when so many requests were sent and the next one comes."""
    first = len(account.calls)

    class Watched(list[httpx.Request]):
        def append(self, request: httpx.Request) -> None:
            super().append(request)
            if len(self) == number + first + 1:
                act()

    account.calls = Watched(account.calls)


async def _with_lost_answer(sides: Sides, there: Cloud, number: int, *, is_after: bool) -> int:
    """Moves with the answer of one request lost, and again where that stopped it."""
    first = len(there.account.calls)
    account = there.account
    _at_request(
        account,
        number,
        lambda: account.fail_next("", 500, times=1, is_after_the_work=is_after),
    )
    try:
        await move_user(sides)
    except BackendError:
        await move_user(sides)
    return len(account.calls) - first
