"""What becomes of what a language model writes: kept with its citations, or not passed on."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.answering import EXTRACTIVE
from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.errors import BackendRejected, BackendUnavailable, InputTooLong
from dome_mcp.core.model import Answer, Completion, Document, Section, Tokens
from dome_mcp.core.periods import Days, Period
from dome_mcp.core.ports import Ports, Row, Statement
from dome_mcp.services.answer import answer
from dome_mcp.services.asking import Question
from dome_mcp.services.gathering import gather
from dome_mcp.services.ingest import ingest
from dome_mcp.services.rewording import UNSUPPORTED_ANSWER
from dome_mcp.services.writing import written
from dome_mcp.store.passages import neighbours
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.notes_for_tests import NOW, USER, draft
from tests.services.test_answer import ScriptedModel

pytestmark = pytest.mark.anyio

BOILER = "The boiler was serviced on 4 November 2025 by Ulrich Brandt. The invoice came to 238 EUR."
TRIP = "We fly to Lisbon on 9 May at 06:45. The booking code is XK7PLM."
WHO = "Who serviced the boiler?"
RIGHT = "The boiler was serviced by Ulrich Brandt."
WRONG = "The hotel is called Miramar."


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    async with SqliteDatabase.open(None) as database:
        made = await make_ports(database, tmp_path, WordEmbedder())
        for text in (BOILER, TRIP):
            await ingest(draft(text), made, user_id=USER, now=NOW)
        yield made


async def ask(
    ports: Ports, question: str, says: str | Callable[[str], str], *, now: datetime = NOW
) -> tuple[Answer, ScriptedModel]:
    """The answer, and the model that wrote it; `says` may depend on what it is told."""
    model = ScriptedModel(says if callable(says) else lambda _: says)
    ports = replace(ports, language_model=model)
    return await answer(Question(question), ports, user_id=USER, now=now), model


async def test_an_answer_that_no_note_bears_out_is_not_passed_on(ports: Ports) -> None:
    found, _ = await ask(ports, WHO, WRONG)
    assert (found.text, found.model) == (f"{BOILER[:60]} [1]", EXTRACTIVE)
    assert UNSUPPORTED_ANSWER in found.warnings


async def test_nor_is_one_that_is_mostly_not_borne_out(ports: Ports) -> None:
    found, _ = await ask(ports, WHO, f"{WRONG} {RIGHT} The moon is made of cheese.")
    assert found.model == EXTRACTIVE
    found, _ = await ask(ports, WHO, f"{RIGHT} {WRONG}")
    assert found.text == f"{RIGHT} [1] {WRONG} [unsupported]"
    assert found.warnings == (f"Not supported by your notes: {WRONG}",)


async def test_where_neither_model_nor_notes_answer_that_is_said(ports: Ports) -> None:
    found, _ = await ask(ports, "Who painted the living room ceiling?", WRONG)
    assert (found.answered, found.citations) == (False, ())
    assert UNSUPPORTED_ANSWER in found.warnings


async def test_the_confidence_is_how_far_the_statements_are_borne_out(ports: Ports) -> None:
    whole, _ = await ask(ports, WHO, f"{BOILER[:60]} [1]")
    half, _ = await ask(ports, WHO, f"{BOILER[:60]} [1] {WRONG}")
    assert (whole.confidence, half.confidence) == (1.0, 0.5)


@dataclass(slots=True)
class CountingModel(ScriptedModel):
    """Says how many tokens it read and wrote."""

    async def complete(self, *arguments: object, **options: object) -> Completion:
        return Completion(self.say(""), prompt_tokens=90, completion_tokens=7)


@pytest.mark.parametrize(("says", "requests"), [(RIGHT, 1), (WRONG, 2)])
async def test_the_tokens_of_all_requests_are_told_whatever_became_of_the_answer(
    ports: Ports, says: str, requests: int
) -> None:
    ports = replace(ports, language_model=CountingModel(lambda _: says))
    found = await answer(Question(WHO), ports, user_id=USER, now=NOW)
    assert found.tokens == Tokens(90 * requests, 7 * requests)


async def test_tokens_that_nobody_counted_stay_unknown(ports: Ports) -> None:
    found, _ = await ask(ports, WHO, WRONG)
    assert found.tokens == Tokens(None, None)


async def test_a_sentence_of_two_notes_cites_both(ports: Ports) -> None:
    both = "The boiler was serviced by Ulrich Brandt and the booking code is XK7PLM."
    found, _ = await ask(ports, "Who serviced the boiler, and what is the booking code?", both)
    assert found.text == f"{both} [1][2]"
    assert [citation.quote for citation in found.citations] == [BOILER[:60], TRIP[36:]]


async def test_a_link_that_no_note_has_is_taken_out(ports: Ports) -> None:
    found, _ = await ask(ports, WHO, f"{RIGHT[:-1]} ![x](https://evil.example/?q=1) [1].")
    assert "evil" not in found.text
    assert found.answered


async def report(ports: Ports) -> str:
    """Stores a report of three pages, a chunk each, of which only the second speaks of it."""
    pages = [
        "The supplier of the tiles is Otto. " + "All of this was agreed in spring. " * 20,
        "The extractor hood costs 640 EUR. " + "It hums and it glows at night. " * 20,
        "Its guarantee ends in May 2031. " + "Keep the receipt in the drawer. " * 20,
    ]
    text = "\n\n".join(pages)
    places = [text.index(page) for page in pages]
    sections = tuple(
        Section(at, at + len(page), page=n, heading=f"Chapter {n}")
        for n, (at, page) in enumerate(zip(places, pages, strict=True), 1)
    )
    document = Document(text, "text/plain", title="Kitchen", sections=sections)
    made = draft_note(document, Labels(), user_id=USER, now=NOW)
    await ingest(made, ports, user_id=USER, now=NOW)
    return text


async def test_what_stands_beside_a_passage_can_be_answered_from_and_cited_by_its_page(
    ports: Ports,
) -> None:
    text = await report(ports)
    says = "Its guarantee ends in May 2031."
    model = ScriptedModel(lambda _: f"{says} [1]")
    ports = replace(ports, language_model=model)
    question = Question("What does the extractor hood cost?", limit=1)
    found = await answer(question, ports, user_id=USER, now=NOW)
    assert "Page: 1, 2, 3" in model.prompts[0][1].content
    [citation] = found.citations
    assert (citation.page, citation.heading) == (3, "Chapter 3")
    assert text[citation.start : citation.end] == citation.quote == says
    assert citation.chunk_id in {passage.chunk_id for passage in found.passages}


async def test_nothing_stands_beside_another_users_chunk(ports: Ports) -> None:
    await report(ports)
    found = await gather(Question("extractor hood"), ports, user_id=USER, now=NOW)
    chunk_ids = [passage.chunk_id for passage in found.result.passages if passage.ordinal == 1]
    assert len(await ports.database.query(neighbours(USER, chunk_ids))) == 2
    assert await ports.database.query(neighbours("somebody else", chunk_ids)) == []


@dataclass(frozen=True, slots=True)
class WithoutNeighbours:
    """A database that fails as soon as it is asked for what stands beside a chunk."""

    database: SqliteDatabase

    async def query(self, statement: Statement) -> list[Row]:
        if "hit.ordinal - 1" in statement.sql:
            raise BackendUnavailable("database", "query", "It is busy.")
        return list(await self.database.query(statement))


async def test_without_what_stands_beside_the_passages_do(ports: Ports) -> None:
    assert isinstance(ports.database, SqliteDatabase)
    failing = WithoutNeighbours(ports.database)
    gathered = await gather(Question(WHO), ports, user_id=USER, now=NOW)
    found = await written(
        Question(WHO),
        gathered,
        replace(ports, database=failing),  # pyright: ignore[reportArgumentType] - it only reads
        ScriptedModel(lambda _: RIGHT),
        user_id=USER,
        now=NOW,
        follower=None,
    )
    assert (found.text, found.warnings) == (f"{RIGHT} [1]", ())


async def test_a_prompt_that_is_too_long_is_made_shorter_once(ports: Ports) -> None:
    await report(ports)
    told: list[int] = []

    def too_long_at_first(prompt: str) -> str:
        told.append(len(prompt))
        if len(told) == 1:
            raise InputTooLong("language model", "complete", "The prompt is too long.")
        return RIGHT

    question = "Who serviced the boiler, and what does the extractor hood of Otto cost?"
    model = ScriptedModel(too_long_at_first, context_tokens=2200)
    ports = replace(ports, language_model=model)
    found = await answer(Question(question), ports, user_id=USER, now=NOW)
    assert found.text == f"{RIGHT} [1]"
    assert len(told) == 2
    assert told[1] < told[0]


async def test_a_model_that_refuses_every_prompt_leaves_the_notes_quoted(ports: Ports) -> None:
    def refuse(prompt: str) -> str:
        raise BackendRejected("language model", "complete", "The language model refuses the key.")

    found, model = await ask(ports, WHO, refuse)
    assert (found.text, found.model) == (f"{BOILER[:60]} [1]", EXTRACTIVE)
    assert "refuses the key" in found.warnings[-1]
    assert len(model.prompts) == 1


async def test_a_date_counts_in_the_zone_that_the_model_was_told_it_in(ports: Ports) -> None:
    late = datetime(2026, 2, 27, 20, 0, tzinfo=UTC)
    await ingest(draft("The tap in the bath drips.", now=late), ports, user_id=USER, now=late)
    east = NOW.astimezone(ZoneInfo("Asia/Tokyo"))
    says = "On 28 February 2026 the tap in the bath drips."
    found, _ = await ask(ports, "When did the tap in the bath drip?", says, now=east)
    assert found.text == f"{says} [1]"
    says = "On 27 February 2026 the tap in the bath drips."
    found, _ = await ask(ports, "When did the tap in the bath drip?", says, now=east)
    assert found.model == EXTRACTIVE


async def test_the_model_is_told_which_time_a_question_means(ports: Ports) -> None:
    gathered = await gather(Question(WHO), ports, user_id=USER, now=NOW)
    period = Period(Days.of_month(2025, 11), UTC)
    parts = tuple(replace(part, period=period) for part in gathered.parts)
    model = ScriptedModel(lambda _: RIGHT)
    await written(
        Question(WHO),
        replace(gathered, parts=parts),
        ports,
        model,
        user_id=USER,
        now=NOW,
        follower=None,
    )
    assert f"speaks of is {period.describe()}." in model.prompts[0][1].content


async def test_only_what_words_do_not_settle_is_compared_in_meaning(ports: Ports) -> None:
    embedder = ports.embedder
    assert isinstance(embedder, WordEmbedder)
    embedder.embedded.clear()
    await ask(ports, WHO, BOILER)
    assert embedder.embedded == []
    open_claim = "Ulrich Brandt looked after the boiler."
    await ask(ports, WHO, f"{BOILER} {open_claim}")
    assert open_claim in embedder.embedded
    assert TRIP[36:] not in embedder.embedded
