"""What is gathered for a question: its parts, its period, and the passages in their order."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dome_mcp.core.model import EVERY_NOTE, NoteFilter
from dome_mcp.core.ports import Lookup, Ports, Vector, VectorIndex
from dome_mcp.core.sessions import Exchange
from dome_mcp.services.asking import Question
from dome_mcp.services.gathering import Gathered, gather
from dome_mcp.services.ingest import ingest
from tests.services.conftest import WordEmbedder, make_ports, open_database
from tests.services.notes_for_tests import USER, draft

pytestmark = pytest.mark.anyio

NOVEMBER = datetime(2026, 11, 24, 17, tzinfo=UTC)
MARCH = datetime(2026, 3, 10, 9, tzinfo=UTC)
MAY = datetime(2026, 5, 10, 9, tzinfo=UTC)


@dataclass
class CountedEmbedder(WordEmbedder):
    """Remembers which questions it was asked to embed."""

    questions: list[str] = field(default_factory=list)

    async def embed_query(self, text: str) -> Vector:
        self.questions.append(text)
        return await WordEmbedder.embed_query(self, text)


@dataclass
class CountedIndex:
    """A vector index that remembers among which notes it was asked to search."""

    index: VectorIndex
    searched: list[NoteFilter] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        return getattr(self.index, name)

    async def look_up(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Lookup:
        self.searched.append(among)
        return await self.index.look_up(user_id, vector, limit=limit, among=among)


@dataclass
class Place:
    """Ports that are watched."""

    ports: Ports
    embedder: CountedEmbedder
    index: CountedIndex

    async def remember(self, text: str, at: datetime, *, origin: str | None = None) -> None:
        await ingest(draft(text, now=at, origin=origin), self.ports, user_id=USER, now=at)

    async def ask(
        self,
        text: str,
        *earlier: str,
        now: datetime | None = NOVEMBER,
        limit: int = 8,
        among: NoteFilter = EVERY_NOTE,
    ) -> Gathered:
        before = tuple(Exchange("e", "s", each, "", (), NOVEMBER) for each in earlier)
        question = Question(text, limit=limit, among=among, earlier=before)
        return await gather(question, self.ports, user_id=USER, now=now)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    embedder = CountedEmbedder()
    async with open_database("sqlite", tmp_path / "dome.db") as database:
        ports = await make_ports(database, tmp_path, embedder)
        assert ports.vectors is not None
        index = CountedIndex(ports.vectors)
        yield Place(replace(ports, vectors=index), embedder, index)


def texts(found: Gathered) -> list[str]:
    return [passage.text for passage in found.result.passages]


def periods(found: Gathered) -> list[str | None]:
    return [part.period and part.period.describe() for part in found.parts]


async def test_a_simple_question_is_one_embedding_and_one_search(place: Place) -> None:
    await place.remember("The worktop is 40 mm thick.", MARCH)
    found = await place.ask("How thick is the worktop?")
    assert texts(found) == ["The worktop is 40 mm thick."]
    assert [part.text for part in found.parts] == ["How thick is the worktop?"]
    assert place.embedder.questions == ["How thick is the worktop?"]
    assert place.index.searched == [NoteFilter()]


async def test_each_part_is_searched_for_and_their_passages_take_turns(place: Place) -> None:
    oak, wiring = "The worktop is oak, 40 mm thick.", "Elena does the wiring on Tuesday."
    for text in (oak, "A worktop of beech is thick.", wiring, "The wiring is old."):
        await place.remember(text, MARCH)
    found = await place.ask("How thick is the oak worktop and who does the wiring?", limit=3)
    assert [part.text for part in found.parts] == [
        "How thick is the oak worktop",
        "who does the wiring?",
    ]
    assert place.embedder.questions == [part.meant.text for part in found.parts]
    assert {oak, wiring} == set(texts(found)[:2])
    assert len(texts(found)) == 3


async def test_a_part_without_a_subject_takes_it_from_the_part_before(place: Place) -> None:
    found = await place.ask("How thick is the worktop, and which oil does it need each year?")
    part = found.parts[1]
    assert part.meant.text == "which oil does it need each year? (thick worktop)"
    assert part.meant.asked == part.text == "which oil does it need each year?"


async def test_what_is_of_the_period_comes_first_and_the_rest_behind(place: Place) -> None:
    old, new = "Boiler: pressure was low, refilled.", "Boiler serviced, all well with the boiler."
    await place.remember(new, MAY)
    await place.remember(old, MARCH)
    found = await place.ask("What did I write about the boiler last March?")
    assert texts(found) == [old, new]
    assert periods(found) == ["1–31 March 2026"]


async def test_a_period_finds_what_many_other_notes_would_hide(place: Place) -> None:
    for day in range(1, 13):
        await place.remember(f"The boiler of house {day} was fine.", MAY.replace(day=day))
    await place.remember("Called a plumber about a noise in that old boiler.", MARCH)
    found = await place.ask("What about the boiler last March?", limit=4)
    assert len(texts(found)) == 4
    assert texts(found)[0].startswith("Called a plumber")


async def test_a_busy_period_leaves_a_place_to_what_is_not_from_it(place: Place) -> None:
    await place.remember("Boiler manual: boiler pressure 2 bar, boiler type.", MAY)
    for day in range(1, 10):
        await place.remember(f"Entry {day}: boiler pressure read.", MARCH.replace(day=day))
    found = await place.ask("What was the boiler pressure in March?", limit=4)
    assert sum(text.startswith("Entry") for text in texts(found)[:3]) == 3
    assert texts(found)[3].startswith("Boiler manual")


async def test_a_date_in_the_text_puts_a_note_into_the_period(place: Place) -> None:
    await place.remember("The budget for the garden is 900 EUR, a garden budget.", MAY)
    await place.remember("Garden budget 2027: 1200 EUR.", MARCH)
    found = await place.ask("What is the garden budget for 2027?")
    assert texts(found)[0] == "Garden budget 2027: 1200 EUR."
    assert "2027" in found.parts[0].meant.asked
    # What has not come yet has no notes of its own, and costs no search.
    assert len(place.index.searched) == 1


async def test_evidence_need_not_say_when_it_was_written(place: Place) -> None:
    await place.remember("We had dinner with Olga.", MARCH)
    found = await place.ask("Who did we have dinner with in March 2026?", now=None)
    assert found.parts[0].meant.asked == "Who did we have dinner with?"
    assert found.parts[0].meant.text.endswith("in March 2026?")


async def test_a_period_stays_within_what_is_asked_about(place: Place) -> None:
    await place.remember("Boiler checked.", MARCH)
    await place.remember("Boiler repaired.", MAY)
    since_april = NoteFilter(since=datetime(2026, 4, 1, tzinfo=UTC))
    found = await place.ask("What about the boiler in March 2026?", among=since_april)
    assert texts(found) == ["Boiler repaired."]
    assert place.index.searched == [since_april]


async def test_a_follow_up_that_is_only_a_period_replaces_the_one_before(place: Place) -> None:
    found = await place.ask("And in 2023?", "What did I spend on heating in 2024?")
    assert found.parts[0].meant.text == "What did I spend on heating in 2023?"
    assert periods(found) == ["2023"]


async def test_a_follow_up_stays_in_the_period_unless_it_names_one(place: Place) -> None:
    before = "What did heating cost in 2024?"
    assert periods(await place.ask("And who paid for it?", before)) == ["2024"]
    found = await place.ask("And who paid for it in 2023?", before)
    assert periods(found) == ["2023"]
    assert "2024" not in found.parts[0].meant.text


async def test_a_period_in_front_is_that_of_every_part(place: Place) -> None:
    found = await place.ask("In 2024, what did heating cost and who repaired the roof?")
    assert periods(found) == ["2024", "2024"]
    found = await place.ask("When does the course start and what did heating cost in 2024?")
    assert periods(found) == [None, "2024"]


async def test_time_is_counted_from_an_event_that_a_note_tells_of(place: Place) -> None:
    await place.remember("My knee operation was yesterday.", MAY)
    before, after = "Knee hurts, took tablets.", "Knee is fine without tablets, tablets stopped."
    await place.remember(before, MARCH)
    await place.remember(after, MAY.replace(day=20))
    found = await place.ask("Which tablets did I take after my knee operation?")
    assert periods(found) == ["since 9 May 2026"]
    assert texts(found).index(after) < texts(found).index(before)
    found = await place.ask("Which tablets did I take before my knee operation?")
    assert periods(found) == ["until 8 May 2026"]
    assert texts(found).index(before) < texts(found).index(after)


async def test_an_event_that_no_note_tells_of_is_no_period(place: Place) -> None:
    await place.remember("The wedding dress has been paid for.", MAY)
    found = await place.ask("What did I weigh before the wedding?")
    assert periods(found) == [None]
    assert texts(found)


async def test_an_event_told_without_a_date_was_on_the_day_of_its_note(place: Place) -> None:
    await place.remember("We moved to Porto!", MAY)
    found = await place.ask("What did we buy after we moved to Porto?")
    assert periods(found) == ["since 10 May 2026"]


async def test_without_a_model_time_is_not_counted_from_events(place: Place) -> None:
    await place.remember("My knee operation was yesterday.", MAY)
    place.embedder.is_ready = False
    found = await place.ask("What hurt after my knee operation?")
    assert periods(found) == [None]
    assert texts(found) == ["My knee operation was yesterday."]


async def test_passages_of_the_documents_meant_stand_before_the_others(place: Place) -> None:
    slide = "Ferry crossing at noon."
    for day in range(1, 13):
        await place.remember(f"Ferry notes {day}: the ferry, its ferry time.", MAY.replace(day=day))
    await place.remember(slide, MARCH, origin="trip.pptx")
    found = await place.ask("When does the ferry go, according to the slides?", limit=4)
    assert texts(found)[0] == slide
    assert len(texts(found)) == 2
    assert "slides" not in found.parts[0].meant.asked
    # One search for all, one for the documents meant, one among these.
    assert [bool(among.note_ids) for among in place.index.searched] == [False, False, True]


async def test_without_such_documents_nothing_changes(place: Place) -> None:
    await place.remember("The ferry slides to the left.", MARCH)
    question = "When does the ferry go, according to the slides?"
    found = await place.ask(question)
    assert texts(found) == ["The ferry slides to the left."]
    assert found.parts[0].meant.asked == question


async def test_documents_that_know_nothing_of_it_leave_the_question_as_it_is(place: Place) -> None:
    await place.remember("ISBN 978-0817638177", MARCH, origin="book.pdf")
    await place.remember("Rent and tyres", MARCH, origin="budget.csv")
    question = "What is the ISBN in the spreadsheet?"
    found = await place.ask(question)
    assert texts(found)[0] == "Rent and tyres"
    assert found.parts[0].meant.asked == question


async def test_a_document_and_a_period_are_both_heeded(place: Place) -> None:
    await place.remember("Boiler pressure low.", MAY, origin="boiler.csv")
    await place.remember("Boiler pressure fine.", MARCH, origin="boiler.csv#2")
    await place.remember("Boiler pressure high.", MARCH, origin="boiler-march.csv")
    found = await place.ask("What was the boiler pressure in the spreadsheet last March?")
    assert texts(found)[0] == "Boiler pressure high."
    assert periods(found) == ["1–31 March 2026"]


async def test_documents_meant_are_looked_for_within_what_is_asked_about(place: Place) -> None:
    await place.remember("Boiler pressure low.", MARCH, origin="boiler.csv")
    since_april = NoteFilter(since=datetime(2026, 4, 1, tzinfo=UTC))
    found = await place.ask("What is the boiler pressure in the spreadsheet?", among=since_april)
    assert texts(found) == []


async def test_a_follow_up_may_be_about_another_document_only(place: Place) -> None:
    await place.remember("Rent: 900", MARCH, origin="budget.csv")
    await place.remember("Rent: 950", MARCH, origin="lease.pdf")
    found = await place.ask("And in the PDF?", "What is the rent in the spreadsheet?")
    assert texts(found)[0] == "Rent: 950"
    assert found.parts[0].text == "And in the PDF?"
