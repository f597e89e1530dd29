"""Answers that quote, where a question asks for several things or the notes disagree."""

from datetime import UTC, datetime

import pytest

from dome_mcp.core.answering import NOT_FOUND
from dome_mcp.core.follow_ups import sought
from dome_mcp.core.model import Answer
from dome_mcp.core.periods import Days, Period
from dome_mcp.core.ports import Ports
from dome_mcp.services.gathering import Gathered, Part
from dome_mcp.services.ingest import ingest
from dome_mcp.services.quoting import quoted
from dome_mcp.services.search import SearchRequest, search
from tests.services.conftest import WordEmbedder
from tests.services.notes_for_tests import NOW, USER, draft

pytestmark = pytest.mark.anyio

BOILER = "The boiler was serviced by Ulrich Brandt. The boiler stands in the cellar."
WORKTOP = "The worktop is made of oak and 40 mm thick."


async def remember(ports: Ports, *texts: str, at: datetime = NOW) -> None:
    for text in texts:
        await ingest(draft(text, created_at=at), ports, user_id=USER, now=NOW)


async def quoted_for(ports: Ports, *questions: str, period: Period | None = None) -> Answer:
    """The answer to questions that were asked as one."""
    request = SearchRequest(" ".join(questions))
    result = await search(request, ports, user_id=USER)
    parts = [
        Part(sought(each, []), await _vector(each, ports), each, period=period)
        for each in questions
    ]
    return await quoted(Gathered(tuple(parts), result), ports)


async def _vector(text: str, ports: Ports):
    return await ports.embedder.embed_query(text) if ports.embedder else None


async def test_each_thing_asked_is_answered_from_its_own_note(ports: Ports) -> None:
    await remember(ports, BOILER, WORKTOP)
    found = await quoted_for(ports, "Who serviced the boiler?", "how thick is the worktop?")
    assert found.text.splitlines() == [
        "The boiler was serviced by Ulrich Brandt. [1]",
        f"{WORKTOP} [2]",
    ]
    assert 0 < found.confidence < 1


async def test_the_thing_that_no_note_answers_is_named(ports: Ports) -> None:
    await remember(ports, BOILER, WORKTOP)
    found = await quoted_for(ports, "who painted the ceiling?", "how thick is the worktop?")
    missing = "Not in your notes: who painted the ceiling."
    assert found.text.splitlines() == [f"{WORKTOP} [1]", missing]
    assert (found.answered, found.warnings) == (True, (missing,))


async def test_where_no_note_answers_anything_the_answer_is_one_denial(ports: Ports) -> None:
    await remember(ports, BOILER, WORKTOP)
    found = await quoted_for(ports, "who painted the ceiling?", "when does the choir rehearse?")
    assert (found.text, found.answered, found.confidence) == (NOT_FOUND, False, 0.0)


async def test_the_newest_note_wins_and_the_older_one_is_cited(ports: Ports) -> None:
    await remember(
        ports, "The boiler was serviced by Ms Okafor.", at=datetime(2026, 5, 3, tzinfo=UTC)
    )
    await remember(
        ports, "The boiler was serviced by Mr Lind.", at=datetime(2026, 9, 8, tzinfo=UTC)
    )
    found = await quoted_for(ports, "Who serviced the boiler?")
    assert found.text.splitlines() == [
        "The boiler was serviced by Mr Lind. [1]",
        "An older note (3 May 2026) says otherwise: The boiler was serviced by Ms Okafor. [2]",
    ]
    assert [each.created_at.month for each in found.citations] == [9, 5]
    assert found.confidence > 0.5


async def test_what_many_other_sentences_say_as_well_is_not_guessed(ports: Ports) -> None:
    await remember(
        ports, " ".join(f"Door {n} has the code {n}, and nobody may ever know." for n in range(9))
    )
    assert not (await quoted_for(ports, "What is the code of the door?")).answered


async def test_an_answer_from_another_time_than_asked_about_says_so(ports: Ports) -> None:
    await remember(ports, BOILER)
    of_the_note = Period(Days.of_month(NOW.year, NOW.month), UTC)
    before = Period(Days.of_year(NOW.year - 1), UTC)
    then = await quoted_for(ports, "Who serviced the boiler?", period=of_the_note)
    other = await quoted_for(ports, "Who serviced the boiler?", period=before)
    assert then.text == "The boiler was serviced by Ulrich Brandt. [1]"
    assert other.text == f"{then.text}\nNothing quoted here is of the time asked about (2025)."


async def test_one_warning_says_that_meanings_could_not_be_compared(
    ports: Ports, embedder: WordEmbedder
) -> None:
    await remember(ports, BOILER, WORKTOP)
    embedder.refused = "boiler"
    found = await quoted_for(
        ports, "Who serviced the boiler?", "what of the boiler is in the cellar?"
    )
    assert [warning for warning in found.warnings if "by their words only" in warning] == [
        "The embedding model did not answer; sentences were compared by their words only."
    ]
