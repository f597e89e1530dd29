"""The embedder in process, the model that DOME carries, and models that others publish."""

import hashlib
import json
import shutil
from array import array
from pathlib import Path

import anyio
import numpy as np
import pytest

from dome_mcp.backends.embedded.embedder import OnnxModel, pooled
from dome_mcp.backends.embedded.model_files import ModelSpec
from dome_mcp.backends.embedded.models import CARRIED_FOLDER, LazyEmbedder, describe
from dome_mcp.core.errors import BackendRejected, BackendUnavailable, ConfigurationError

pytestmark = pytest.mark.anyio

NETWORK = "onnx/model_quantized.onnx"


@pytest.fixture(scope="session")
def carried() -> OnnxModel:
    """The model that comes with DOME."""
    return OnnxModel(describe(None, cache=Path()))


def copy_of_carried(folder: Path, **files: object) -> Path:
    """A model folder as others publish it: the carried one, with some JSON files changed."""
    shutil.copytree(CARRIED_FOLDER, folder)
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.with_suffix(".json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def model_folder(folder: Path, **files: object) -> Path:
    """A model folder with files that only `describe` reads."""
    (folder / "onnx").mkdir(parents=True)
    (folder / "1_Pooling").mkdir()
    for name in ("onnx/model.onnx", "tokenizer.json"):
        (folder / name).touch()
    contents = {"config": {"hidden_size": 384, "max_position_embeddings": 512}} | files
    for name, content in contents.items():
        path = folder / name.replace("pooling", "1_Pooling/config")
        path.with_suffix(".json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def described(folder: Path) -> ModelSpec:
    return describe(str(folder), cache=folder.parent / "cache")


def test_the_carried_files_are_those_of_the_manifest() -> None:
    manifest = json.loads((CARRIED_FOLDER / "manifest.json").read_text(encoding="utf-8"))
    assert NETWORK in manifest["files"]
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((CARRIED_FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_the_carried_model_is_described_without_loading_it() -> None:
    spec = describe(None, cache=Path("nowhere"))
    assert (spec.model, spec.dimensions, spec.max_tokens) == ("all-MiniLM-L6-v2/int8", 384, 256)
    assert (spec.pooling, spec.query_prefix, spec.passage_prefix) == ("mean", "", "")
    assert describe("all-MiniLM-L6-v2", cache=Path("nowhere")) == spec


def test_the_carried_model_agrees_with_the_published_one(carried: OnnxModel) -> None:
    """Source: the similarities that the model's authors show for it at their hub (2026-11)."""
    happy, *others = carried.embed(
        [
            "That is a happy person",
            "That is a happy dog",
            "That is a very happy person",
            "Today is a sunny day",
        ]
    )
    cosines = [float(np.dot(happy, other)) for other in others]
    assert cosines == pytest.approx([0.695, 0.943, 0.257], abs=0.05)


def test_a_text_has_the_same_vector_in_any_company(carried: OnnxModel) -> None:
    (alone,) = carried.embed(["buy milk"])
    together = carried.embed(["a much longer text " * 20, "buy milk", "x"])
    assert together[1] == alone


def test_what_lies_past_the_models_length_changes_nothing(carried: OnnxModel) -> None:
    short, long, longer = carried.embed(["word " * 250, "word " * 254, "word " * 254 + "end"])
    assert long == longer
    assert short != long


def test_vectors_are_arrays_that_numpy_reads_without_a_copy(carried: OnnxModel) -> None:
    (vector,) = carried.embed(["buy milk"])
    assert isinstance(vector, array)
    assert np.frombuffer(vector, np.float32).shape == (384,)


def test_a_text_that_is_no_unicode_is_rejected(carried: OnnxModel) -> None:
    with pytest.raises(BackendRejected):
        carried.embed(["\ud800"])


def test_each_pooling_takes_its_own_tokens() -> None:
    states = np.array([[1, 10], [2, 20], [6, 60]], np.float32)
    assert pooled(states, "cls").tolist() == [1, 10]
    assert pooled(states, "last").tolist() == [6, 60]
    assert pooled(states, "mean").tolist() == [3, 30]


async def test_an_embedder_is_described_at_once_and_loaded_when_it_is_needed() -> None:
    embedder = LazyEmbedder(describe(None, cache=Path()))
    assert not embedder.is_ready
    assert (embedder.model, embedder.dimensions) == ("all-MiniLM-L6-v2/int8", 384)
    assert len(await embedder.embed_query("buy milk")) == 384
    assert embedder.is_ready


async def test_a_load_that_failed_is_tried_again(tmp_path: Path) -> None:
    folder = copy_of_carried(tmp_path / "model")
    (folder / NETWORK).write_bytes(b"not a network")
    embedder = LazyEmbedder(described(folder))
    for _ in range(2):
        with pytest.raises(BackendUnavailable, match="cannot be loaded"):
            await embedder.embed_query("buy milk")
        assert not embedder.is_ready
    shutil.copy(CARRIED_FOLDER / NETWORK, folder / NETWORK)
    await embedder.warm_up()
    assert embedder.is_ready


async def test_prefixes_go_before_questions_and_passages(
    tmp_path: Path, carried: OnnxModel
) -> None:
    prompts = {"prompts": {"query": "ask: ", "document": "tell: "}}
    folder = copy_of_carried(tmp_path / "model", config_sentence_transformers=prompts)
    embedder = LazyEmbedder(described(folder))
    asked, told = carried.embed(["ask: milk", "tell: milk"])
    assert await embedder.embed_query("milk") == asked
    assert await embedder.embed_passages(["milk"]) == [told]


async def test_the_pooling_of_the_files_is_used(tmp_path: Path, carried: OnnxModel) -> None:
    folder = copy_of_carried(
        tmp_path / "model", **{"1_Pooling__config": {"pooling_mode_cls_token": True}}
    )
    embedder = LazyEmbedder(described(folder))
    (by_mean,) = carried.embed(["buy milk"])
    assert np.dot(await embedder.embed_query("buy milk"), by_mean) < 0.95


async def test_dimensions_that_the_network_does_not_have_are_noticed(tmp_path: Path) -> None:
    config = {"hidden_size": 768, "max_position_embeddings": 512}
    folder = copy_of_carried(tmp_path / "model", config=config)
    shutil.rmtree(folder / "1_Pooling")
    with pytest.raises(BackendUnavailable, match="384 dimensions"):
        await LazyEmbedder(described(folder)).warm_up()


async def test_a_question_and_a_note_do_not_wait_for_a_long_document() -> None:
    embedder = LazyEmbedder(describe(None, cache=Path()))
    await embedder.warm_up()
    finished: list[str] = []

    async def embed(name: str, texts: list[str]) -> None:
        await embedder.embed_passages(texts)
        finished.append(name)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(embed, "document", ["many words " * 100] * 60)
            await anyio.lowlevel.checkpoint()
            tasks.start_soon(embed, "note", ["buy milk"])
            await embedder.embed_query("who buys milk?")
            finished.append("question")
    assert finished[2:] == ["document"]


async def test_a_text_without_any_token_has_a_vector(tmp_path: Path) -> None:
    folder = copy_of_carried(tmp_path / "model")
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["post_processor"] = None  # which adds the tokens that begin and end every text
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (vector,) = await LazyEmbedder(described(folder)).embed_passages([""])
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 512),
        ({"sentence_bert_config": {"max_seq_length": 128}}, 128),
        ({"tokenizer_config": {"model_max_length": 10**30}}, 512),
        ({"config": {"hidden_size": 4, "model_type": "xlm-roberta",
                     "max_position_embeddings": 514}}, 512),
        ({"config": {"hidden_size": 4}}, 512),
    ],
)  # fmt: skip
def test_the_length_is_the_least_that_any_file_allows(
    tmp_path: Path, files: dict[str, object], expected: int
) -> None:
    assert described(model_folder(tmp_path / "model", **files)).max_tokens == expected


@pytest.mark.parametrize(
    ("name", "query", "passage", "pooling"),
    [
        ("multilingual-e5-small", "query: ", "passage: ", "mean"),
        ("multilingual-e5-large-instruct", "", "", "mean"),
        ("bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ",
         "", "cls"),
        ("nomic-embed-text-v1.5", "search_query: ", "search_document: ", "mean"),
        ("snowflake-arctic-embed-m-v2.0", "query: ", "", "cls"),
        ("paraphrase-MiniLM-L3-v2", "", "", "mean"),
    ],
)  # fmt: skip
def test_a_known_family_has_its_prefixes_and_pooling(
    tmp_path: Path, name: str, query: str, passage: str, pooling: str
) -> None:
    spec = described(model_folder(tmp_path / name))
    assert (spec.query_prefix, spec.passage_prefix, spec.pooling) == (query, passage, pooling)
    assert spec.model == f"{name}/fp32"


def test_the_files_win_over_the_family(tmp_path: Path) -> None:
    spec = described(
        model_folder(
            tmp_path / "bge-small-en-v1.5",
            pooling={"pooling_mode_lasttoken": True, "pooling_mode_cls_token": False,
                     "word_embedding_dimension": 99},
            config_sentence_transformers={"prompts": {"query": "q: ", "passage": "p: "}},
        )
    )  # fmt: skip
    assert (spec.query_prefix, spec.passage_prefix) == ("q: ", "p: ")
    assert (spec.pooling, spec.dimensions) == ("last", 99)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"config": {}}, "hidden_size"),
        ({"config": []}, "not understood"),
        ({"modules": [{"type": "sentence_transformers.models.Dense"}]}, "Dense"),
        ({"pooling": {"pooling_mode_max_tokens": True}}, "pooling_mode_max_tokens"),
        ({"pooling": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}}, "and"),
    ],
)
def test_a_model_that_needs_more_than_dome_can_do_is_refused(
    tmp_path: Path, files: dict[str, object], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        described(model_folder(tmp_path / "model", **files))


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "onnx/model.onnx"])
def test_a_folder_without_a_needed_file_is_refused_by_its_name(
    tmp_path: Path, missing: str
) -> None:
    folder = model_folder(tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(ConfigurationError, match=missing):
        described(folder)


def test_a_config_that_is_no_json_is_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        described(folder)


def test_a_model_that_was_not_pulled_says_how_to_pull_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"dome-mcp model pull BAAI/bge-small-en-v1\.5"):
        describe("BAAI/bge-small-en-v1.5", cache=tmp_path)


@pytest.mark.parametrize(
    "name", ["../no/such/folder", "a/b/c", "bge small", "/no/such/folder", "a/.."]
)
def test_what_is_neither_folder_nor_id_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="neither a folder nor an id"):
        describe(name, cache=tmp_path)
