"""Answers do not depend on how alike an embedding model finds everything."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.models import LazyEmbedder, describe
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.closeness import STATEMENTS
from dome_mcp.core.ports import Ports
from dome_mcp.services.answer import answer
from dome_mcp.services.asking import Question
from dome_mcp.services.comparing import closeness_to_each, closeness_to_question, question_vector
from dome_mcp.services.ingest import ingest
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.notes_for_tests import NOW, USER, draft
from tests.services.squeezed import SqueezedEmbedder

pytestmark = pytest.mark.anyio

NOTES = (
    "The boiler was serviced on 4 November 2025 by Ulrich Brandt. The invoice came to 238 EUR.",
    "We fly to Lisbon on 9 May at 06:45. The booking code is XK7PLM.",
)
QUESTIONS = {
    "Who serviced the boiler?": "Ulrich Brandt",
    "What is the booking code of the flight?": "XK7PLM",
    "What is the booking code of the hotel in Berlin?": None,
    "Who serviced the car?": None,
    "What is the telephone number of Ulrich Brandt?": None,
}
"""What a right answer has in it; None where the notes hold none."""


def carried() -> LazyEmbedder:
    return LazyEmbedder(describe(None, cache=Path()))


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    """Two notes without vectors: what is found is the same with every model."""
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, tmp_path, None)
        for text in NOTES:
            await ingest(draft(text), ports, user_id=USER, now=NOW)
        yield ports


@pytest.mark.parametrize("is_squeezed", [False, True], ids=["as it is", "squeezed"])
async def test_what_is_answered_and_what_is_not_is_the_same_with_both_models(
    ports: Ports, is_squeezed: bool
) -> None:
    embedder = SqueezedEmbedder(carried()) if is_squeezed else carried()
    await embedder.warm_up()
    ports = replace(ports, embedder=embedder)
    for question, wanted in QUESTIONS.items():
        found = await answer(Question(question), ports, user_id=USER)
        assert found.answered == (wanted is not None), question
        assert wanted is None or wanted in found.text


async def test_a_claim_is_as_close_to_a_sentence_with_both_models() -> None:
    embedder = carried()
    await embedder.warm_up()
    claims, texts = ["Ulrich Brandt looked after the boiler."], list(NOTES)
    plain = await closeness_to_each(claims, texts, embedder)
    distorted = await closeness_to_each(claims, texts, SqueezedEmbedder(embedder))
    assert plain is not None
    assert distorted is not None
    assert distorted[0] == pytest.approx(plain[0], abs=1e-4)
    assert plain[0][0] > 0.6 > 0.2 > plain[0][1]


async def test_a_model_is_measured_once_and_in_the_request_that_embeds_the_texts() -> None:
    words = WordEmbedder(model="words/never measured before")
    embedder = SqueezedEmbedder(words)
    for _ in range(2):
        asked = await question_vector("Who serviced the boiler?", embedder)
        assert await closeness_to_question(asked, NOTES, embedder) is not None
    assert embedder.batches == [len(STATEMENTS) + len(NOTES), len(NOTES)]


async def test_without_texts_no_model_is_asked() -> None:
    embedder = SqueezedEmbedder(WordEmbedder())
    assert await closeness_to_question([1.0], [], embedder) == []
    assert embedder.batches == []
