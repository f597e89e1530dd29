"""The reranker in process: which models it takes, and what it reads of a text."""

import json
from pathlib import Path

import anyio
import pytest

from dome_mcp.backends.embedded.rerankers import LazyReranker, describe_reranker
from dome_mcp.core.errors import BackendUnavailable, ConfigurationError
from tests.cross_encoder import CONFIG, INPUTS, NETWORK, cross_encoder_folder, network

pytestmark = pytest.mark.anyio


def reranker_of(folder: Path) -> LazyReranker:
    return LazyReranker(describe_reranker(str(folder), cache=folder.parent))


async def test_a_score_counts_for_the_pair_and_not_for_either_text(tmp_path: Path) -> None:
    reranker = reranker_of(cross_encoder_folder(tmp_path / "matching"))
    # One more than the words: the token between the texts is that at the end of the second.
    scores = await reranker.rerank("white sink", ["a white sink", "sink sink sink", "sugar"])
    assert list(scores) == [3.0, 4.0, 1.0]
    assert reranker.model == "matching/fp32"


async def test_what_lies_past_the_models_length_does_not_count(tmp_path: Path) -> None:
    reranker = reranker_of(cross_encoder_folder(tmp_path / "matching"))
    scores = await reranker.rerank("sink", ["sink " * 508, "sink " * 600, "x " * 600 + "sink"])
    assert list(scores) == [509.0, 509.0, 1.0]


async def test_calls_take_turns_and_one_that_is_cancelled_stops_at_its_next_text(
    tmp_path: Path,
) -> None:
    reranker = reranker_of(cross_encoder_folder(tmp_path / "matching"))
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reranker.rerank, "sink", ["sink " * 510] * 20_000)
            assert await reranker.rerank("sink", ["sink"]) == [2.0]
            tasks.cancel_scope.cancel()


async def test_a_load_that_failed_is_tried_again(tmp_path: Path) -> None:
    folder = cross_encoder_folder(tmp_path / "matching")
    (folder / NETWORK).write_bytes(b"not a network")
    reranker = reranker_of(folder)
    for _ in range(2):
        with pytest.raises(BackendUnavailable, match="cannot be loaded") as caught:
            await reranker.rerank("sink", ["sink"])
        assert "DOME_RERANKER" in caught.value.hint
    (folder / NETWORK).write_bytes(network())
    assert await reranker.rerank("sink", ["sink"]) == [2.0]


async def test_a_network_that_is_for_something_else_is_refused(tmp_path: Path) -> None:
    several = reranker_of(cross_encoder_folder(tmp_path / "several", labels=3))
    with pytest.raises(BackendUnavailable, match="3 scores"):
        await several.rerank("sink", ["sink"])
    inputs = (*INPUTS, "pixel_values")
    seeing = reranker_of(cross_encoder_folder(tmp_path / "seeing", inputs=inputs))
    with pytest.raises(BackendUnavailable, match="pixel_values"):
        await seeing.rerank("sink", ["sink"])


async def test_a_tokenizer_that_foresees_no_pair_is_refused(tmp_path: Path) -> None:
    folder = cross_encoder_folder(tmp_path / "matching")
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(BackendUnavailable, match="cannot be loaded"):
        await reranker_of(folder).rerank("sink", ["sink"])


@pytest.mark.parametrize(
    "architectures", [None, [], ["BertModel"], "BertForSequenceClassification"]
)
def test_an_embedding_model_is_no_reranker(tmp_path: Path, architectures: object) -> None:
    folder = cross_encoder_folder(tmp_path / "model")
    config = {**CONFIG, "architectures": architectures}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no cross-encoder"):
        describe_reranker(str(folder), cache=tmp_path)


def test_a_positions_count_is_what_the_kind_of_model_reads(tmp_path: Path) -> None:
    folder = cross_encoder_folder(tmp_path / "model")
    config = {
        "architectures": ["XLMRobertaForSequenceClassification"],
        "model_type": "xlm-roberta",
        "max_position_embeddings": 514,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert describe_reranker(str(folder), cache=tmp_path).max_tokens == 512


def test_a_reranker_that_was_not_pulled_says_how_to_pull_it(tmp_path: Path) -> None:
    name = "cross-encoder/ms-marco-MiniLM-L6-v2"
    with pytest.raises(ConfigurationError, match=f"the reranker .*dome-mcp model pull {name}"):
        describe_reranker(name, cache=tmp_path)
