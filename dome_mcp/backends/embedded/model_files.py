"""A model as files: how its own configuration says it is to be used.

A folder looks as its authors publish it: `config.json`, `tokenizer.json`, the network as ONNX, and
where they are there `modules.json`, `1_Pooling/config.json`, `sentence_bert_config.json` and
`config_sentence_transformers.json`. A cross-encoder has the first three.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from dome_mcp.core.errors import ConfigurationError

Pooling = Literal["mean", "cls", "last"]
Json = Mapping[str, object]

NETWORKS: Mapping[str, str] = {
    "onnx/model_quantized.onnx": "int8",
    "onnx/model_int8.onnx": "int8",
    "onnx/model.onnx": "fp32",
    "model_quantized.onnx": "int8",
    "model.onnx": "fp32",
}
"""Where the network may be, the first found is used: int8 is twice as fast and as good."""

_POOLING_FLAGS: Mapping[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "last",
}
_POSITIONS_FROM_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Model types that count positions from their padding id, so that two of them are no tokens."""

_KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")
_DEFAULT_TOKENS = 512
_CROSS_ENCODERS = "ForSequenceClassification"
"""What the architecture of a model that gives a text, or two texts together, a score ends with."""

_BGE_QUERY = "Represent this sentence for searching relevant passages: "
_FAMILIES: tuple[tuple[str, str, str], ...] = (
    (r"(^|-)e5-(?!.*instruct)", "query: ", "passage: "),
    (r"^bge-.*-en", _BGE_QUERY, ""),
    (r"^bge-.*-zh", "为这个句子生成表示以用于检索相关文章：", ""),
    (r"^mxbai-embed-", _BGE_QUERY, ""),
    (r"^snowflake-arctic-embed-.*v2", "query: ", ""),
    (r"^snowflake-arctic-embed-", _BGE_QUERY, ""),
    (r"^nomic-embed-text", "search_query: ", "search_document: "),
)
"""Query and passage prefixes by name, for models whose files leave them to the model card."""

_CLS_FAMILIES = r"^(bge|mxbai-embed|snowflake-arctic-embed|gte-.*v1\.5)"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model and how to use it. `model` is the id that stands with its vectors."""

    model: str
    network: Path
    tokenizer: Path
    dimensions: int
    max_tokens: int
    pooling: Pooling
    query_prefix: str = ""
    passage_prefix: str = ""


@dataclass(frozen=True, slots=True)
class CrossEncoderSpec:
    """A model that reads a question and a text together; `model` is its id."""

    model: str
    network: Path
    tokenizer: Path
    max_tokens: int


def read_model(folder: Path, *, name: str) -> ModelSpec:
    """The model in a folder, under `name`.

    Raises:
        ConfigurationError: a file is missing or broken, or the model needs what DOME cannot do.
    """
    config = _read(folder / "config.json")
    pooling = _read(folder / "1_Pooling" / "config.json", optional=True)
    network = _network(folder)
    dimensions = pooling.get("word_embedding_dimension") or config.get("hidden_size")
    if not isinstance(dimensions, int):
        raise _unusable(folder, "does not say its hidden_size in config.json")
    _check_modules(folder)
    query_prefix, passage_prefix = _prefixes(folder, name)
    return ModelSpec(
        model=f"{name}/{NETWORKS[network]}",
        network=folder / network,
        tokenizer=folder / "tokenizer.json",
        dimensions=dimensions,
        max_tokens=_max_tokens(folder, config),
        pooling=_pooling(folder, pooling, name=name),
        query_prefix=query_prefix,
        passage_prefix=passage_prefix,
    )


def read_cross_encoder(folder: Path, *, name: str) -> CrossEncoderSpec:
    """The cross-encoder in a folder, under `name`.

    Raises:
        ConfigurationError: a file is missing or broken, or the model is none.
    """
    config = _read(folder / "config.json")
    if not _is_cross_encoder(config):
        raise _unusable(folder, f"is no cross-encoder: config.json names no …{_CROSS_ENCODERS}")
    network = _network(folder)
    return CrossEncoderSpec(
        model=f"{name}/{NETWORKS[network]}",
        network=folder / network,
        tokenizer=folder / "tokenizer.json",
        max_tokens=_max_tokens(folder, config),
    )


def is_cross_encoder(folder: Path) -> bool:
    """Whether the model in a folder is one for `read_cross_encoder`.

    Raises:
        ConfigurationError: its config.json is missing or broken.
    """
    return _is_cross_encoder(_read(folder / "config.json"))


def _is_cross_encoder(config: Json) -> bool:
    match config.get("architectures"):
        case [str(architecture), *_]:
            return architecture.endswith(_CROSS_ENCODERS)
        case _:
            return False


def _network(folder: Path) -> str:
    """The path of the network, one of NETWORKS, in a folder that has a tokenizer as well."""
    network = next((path for path in NETWORKS if (folder / path).is_file()), None)
    if network is None:
        raise _unusable(folder, "has no ONNX file, such as onnx/model.onnx")
    if not (folder / "tokenizer.json").is_file():
        raise _unusable(folder, "has no tokenizer.json")
    return network


def _max_tokens(folder: Path, config: Json) -> int:
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and config.get("model_type") in _POSITIONS_FROM_PADDING:
        positions -= 2
    limits = [
        positions,
        _read(folder / "sentence_bert_config.json", optional=True).get("max_seq_length"),
        _read(folder / "tokenizer_config.json", optional=True).get("model_max_length"),
    ]
    return min((limit for limit in limits if isinstance(limit, int)), default=_DEFAULT_TOKENS)


def _pooling(folder: Path, pooling: Json, *, name: str) -> Pooling:
    if not pooling:
        return "cls" if re.match(_CLS_FAMILIES, name.lower()) else "mean"
    flags = [flag for flag, is_on in pooling.items() if flag.startswith("pooling_mode_") and is_on]
    if len(flags) != 1 or flags[0] not in _POOLING_FLAGS:
        raise _unusable(folder, f"pools by {' and '.join(flags) or 'nothing'}, which DOME cannot")
    return _POOLING_FLAGS[flags[0]]


def _check_modules(folder: Path) -> None:
    path = folder / "modules.json"
    if not path.is_file():
        return
    for module in cast("list[Json]", _parse(path, list)):
        kind = str(module.get("type")).rpartition(".")[2]
        if kind not in _KNOWN_MODULES:
            raise _unusable(folder, f"needs a layer of type {kind}, which DOME cannot run")


def _prefixes(folder: Path, name: str) -> tuple[str, str]:
    config = _read(folder / "config_sentence_transformers.json", optional=True)
    prompts = config.get("prompts")
    if isinstance(prompts, dict) and any(prompts.values()):
        texts = cast("dict[str, str]", prompts)
        return texts.get("query", ""), texts.get("passage", texts.get("document", ""))
    for pattern, query, passage in _FAMILIES:
        if re.search(pattern, name.lower()):
            return query, passage
    return "", ""


def _read(path: Path, *, optional: bool = False) -> Json:
    """A file's JSON object; of an optional file that is not there, an empty one."""
    if optional and not path.is_file():
        return {}
    return cast("Json", _parse(path, dict))


def _parse(path: Path, kind: type) -> object:
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _unusable(path.parent, f"has no {path.name}") from error
    except (OSError, ValueError) as error:
        raise _unusable(path.parent, f"has a {path.name} that cannot be read") from error
    if not isinstance(content, kind):
        raise _unusable(path.parent, f"has a {path.name} that is not understood")
    return content


def _unusable(folder: Path, problem: str) -> ConfigurationError:
    return ConfigurationError([f"the model in {folder} {problem}"])
