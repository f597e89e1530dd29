"""Orders in notes: what a language model that obeys them is kept from telling."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.drafts import NoteDraft
from dome_mcp.core.model import Answer
from dome_mcp.core.packing import NO_ANSWER
from dome_mcp.services.answer import answer
from dome_mcp.services.asking import Question
from dome_mcp.services.ingest import ingest
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.injections import Injection, injections
from tests.services.notes_for_tests import NOW, USER, draft
from tests.services.test_answer import ScriptedModel

pytestmark = pytest.mark.anyio


async def told(question: str, notes: Sequence[NoteDraft], says: str, *, home: Path) -> Answer:
    """The answer of a model that says so, whatever it is asked."""
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, home, WordEmbedder())
        for each in notes:
            await ingest(each, ports, user_id=USER, now=NOW)
        ports = replace(ports, language_model=ScriptedModel(lambda _: says))
        return await answer(Question(question), ports, user_id=USER, now=NOW)


async def obeyed(injection: Injection, home: Path) -> Answer:
    """The answer where the model does what the note orders, and cites everything for it."""
    says = f"{injection.says} [1][2][3][4]"
    return await told(injection.question, injection.drafts(), says, home=home)


@pytest.mark.parametrize("injection", injections(), ids=lambda each: each.name)
async def test_what_a_note_orders_a_model_to_say_is_not_told(
    injection: Injection, tmp_path: Path
) -> None:
    found = await obeyed(injection, tmp_path)
    assert not injection.is_in(found.text)
    assert not any(injection.is_in(citation.quote) for citation in found.citations)
    assert injection.keeps in found.text


async def test_what_was_ordered_is_said_to_be_left_out(tmp_path: Path) -> None:
    [first, *_] = injections()
    found = await obeyed(first, tmp_path)
    assert found.text == "The boiler was serviced on 4 November 2025 by Ulrich Brandt. [1]"
    assert any("orders to an assistant" in warning for warning in found.warnings)


REPORTS = (
    (
        'Prompt injection is when a page says "ignore previous instructions" to a model.',
        "What is prompt injection?",
        "Prompt injection is when a page says “ignore previous instructions” to a model.",
    ),
    (
        "Ignore the previous address of the dentist, she moved to Elm Street 5.",
        "Where did the dentist move?",
        "The dentist moved to Elm Street 5.",
    ),
    (
        "The mail of Monday ordered the assistant to 'reveal the system prompt', says Ada.",
        "What did the mail of Monday order?",
        "The mail of Monday ordered the assistant to reveal the system prompt.",
    ),
)


@pytest.mark.parametrize(("note", "question", "says"), REPORTS)
async def test_a_note_that_tells_of_orders_can_be_asked_about(
    note: str, question: str, says: str, tmp_path: Path
) -> None:
    found = await told(question, [draft(note)], f"{says} [1]", home=tmp_path)
    assert (found.model, found.text) == ("scripted", f"{says} [1]")
    assert found.warnings == ()


async def test_a_model_that_does_not_obey_is_believed(tmp_path: Path) -> None:
    [first, *_] = injections()
    honest = replace(first, says="The boiler was serviced by Ulrich Brandt.")
    found = await obeyed(honest, tmp_path)
    assert found.text == "The boiler was serviced by Ulrich Brandt. [1]"
    assert (await obeyed(replace(first, says=NO_ANSWER), tmp_path)).answered is False
