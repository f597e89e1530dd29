"""What every `Embedder` driver keeps.

A test module takes the tests in with `from … import *` and provides the fixture `embedder`. The
texts are English, as not every model reads more.
"""

import math

import anyio
import pytest

from dome_mcp.core.ports import Embedder, Vector

pytestmark = pytest.mark.anyio

PLUMBER = "The plumber comes on Tuesday at nine to fix the sink."
CAKE = "For the cake: three eggs, sugar, flour and a lemon."
QUARREL = "They had an argument about who should wash the dishes."


def cosine(a: Vector, b: Vector) -> float:
    return math.sumprod(a, b) if hasattr(math, "sumprod") else sum(map(float.__mul__, a, b))


async def test_a_passage_becomes_a_unit_vector_of_the_dimensions(embedder: Embedder) -> None:
    vectors = await embedder.embed_passages([PLUMBER, "x", ""])
    assert [len(vector) for vector in vectors] == [embedder.dimensions] * 3
    assert [cosine(vector, vector) for vector in vectors] == pytest.approx([1.0] * 3, abs=1e-3)


async def test_vectors_come_in_the_order_of_their_texts(embedder: Embedder) -> None:
    texts = [PLUMBER, CAKE, "short", PLUMBER * 3, QUARREL]
    together = await embedder.embed_passages(texts)
    assert len(together) == len(texts)
    for text, vector in zip(texts, together, strict=True):
        (alone,) = await embedder.embed_passages([text])
        assert cosine(alone, vector) == pytest.approx(1.0, abs=1e-3)


async def test_a_full_batch_is_taken(embedder: Embedder) -> None:
    texts = [f"note number {number}" for number in range(embedder.max_batch)]
    assert len(await embedder.embed_passages(texts)) == embedder.max_batch


async def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert list(await embedder.embed_passages([])) == []


async def test_a_question_is_nearest_to_the_passage_that_means_the_same(
    embedder: Embedder,
) -> None:
    passages = [PLUMBER, CAKE, QUARREL]
    vectors = await embedder.embed_passages(passages)
    expected = {
        "When will the kitchen drain be repaired?": PLUMBER,
        "What do I need for baking?": CAKE,
        "Why was there a dispute at home?": QUARREL,
    }
    for question, passage in expected.items():
        asked = await embedder.embed_query(question)
        scores = [cosine(asked, vector) for vector in vectors]
        assert passages[scores.index(max(scores))] == passage


async def test_a_text_longer_than_the_model_reads_is_cut(embedder: Embedder) -> None:
    (vector,) = await embedder.embed_passages([PLUMBER + " More words follow." * 50_000])
    (beginning,) = await embedder.embed_passages([PLUMBER + " More words follow." * 5_000])
    assert cosine(vector, beginning) == pytest.approx(1.0, abs=1e-3)


async def test_any_text_is_taken(embedder: Embedder) -> None:
    texts = ["\x00\x07", "👩‍👩‍👧 ﷽ 日本語", "a" * 5_000, "\n" * 100]
    assert len(await embedder.embed_passages(texts)) == len(texts)


async def test_calls_at_once_do_not_mix_their_vectors(embedder: Embedder) -> None:
    texts = [f"{text} {number}" for number in range(4) for text in (PLUMBER, CAKE)]
    expected = await embedder.embed_passages(texts)

    async def embed(text: str, vector: Vector) -> None:
        (again,) = await embedder.embed_passages([text])
        assert cosine(again, vector) == pytest.approx(1.0, abs=1e-3)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for text, vector in zip(texts, expected, strict=True):
                tasks.start_soon(embed, text, vector)
                tasks.start_soon(embedder.embed_query, text)


async def test_an_embedder_is_ready_once_it_is_warm(embedder: Embedder) -> None:
    await embedder.warm_up()
    assert embedder.is_ready
    await embedder.warm_up()
    assert embedder.is_ready
