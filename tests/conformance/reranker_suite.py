"""What every `Reranker` driver keeps.

A test module takes the tests in with `from … import *` and provides the fixture `reranker`.
"""

import anyio
import pytest

from dome_mcp.core.ports import Reranker

pytestmark = pytest.mark.anyio

QUESTION = "When does the plumber fix the sink?"
TEXTS = [
    "For the cake: three eggs, sugar, flour and a lemon.",
    "The plumber comes on Tuesday at nine to fix the sink.",
    "The sink is white.",
]


async def test_the_text_that_answers_has_the_highest_score(reranker: Reranker) -> None:
    for turn in range(len(TEXTS)):
        texts = TEXTS[turn:] + TEXTS[:turn]
        scores = await reranker.rerank(QUESTION, texts)
        assert texts[scores.index(max(scores))] == TEXTS[1]


async def test_every_text_has_a_score_however_many_there_are(reranker: Reranker) -> None:
    texts = [f"note number {number}" for number in range(80)]
    assert len(await reranker.rerank(QUESTION, texts)) == 80


async def test_no_texts_have_no_scores(reranker: Reranker) -> None:
    assert list(await reranker.rerank(QUESTION, [])) == []


async def test_any_text_is_taken(reranker: Reranker) -> None:
    texts = ["", "\x00\x07", "👩‍👩‍👧 ﷽ 日本語", "half a \ud83d pair", "sink " * 50_000]
    assert len(await reranker.rerank("sink \ud83d", texts)) == len(texts)


async def test_calls_at_once_do_not_mix_their_scores(reranker: Reranker) -> None:
    expected = list(await reranker.rerank(QUESTION, TEXTS))

    async def rank() -> None:
        assert list(await reranker.rerank(QUESTION, TEXTS)) == pytest.approx(expected, abs=1e-3)
        backwards = await reranker.rerank(QUESTION, TEXTS[::-1])
        assert list(backwards) == pytest.approx(expected[::-1], abs=1e-3)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(rank)


async def test_it_says_what_it_is(reranker: Reranker) -> None:
    assert reranker.model
