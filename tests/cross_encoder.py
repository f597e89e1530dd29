"""A cross-encoder whose network the tests write themselves, in ONNX's own format.

Its score is how many pairs of a token of the question and a token of the text are the same token.
It tells the two apart by their token types, so it counts nothing where these are wrong.
Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (2026-11), for the field numbers.
"""

import json
import shutil
from pathlib import Path

from dome_mcp.backends.embedded.models import CARRIED_FOLDER

CONFIG = {"architectures": ["BertForSequenceClassification"], "max_position_embeddings": 512}
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
NETWORK = "onnx/model.onnx"

_FLOAT, _INT64, _BOOL = 1, 7, 9
_Step = tuple[str, tuple[str, ...], str, tuple[tuple[str, int], ...]]
_MATCHING: tuple[_Step, ...] = (
    ("Transpose", ("input_ids",), "ids_down", ()),
    ("Equal", ("ids_down", "input_ids"), "same", ()),
    ("Cast", ("token_type_ids",), "of_text", (("to", _BOOL),)),
    ("Not", ("of_text",), "of_question", ()),
    ("Transpose", ("of_question",), "of_question_down", ()),
    ("And", ("of_question_down", "of_text"), "apart", ()),
    ("And", ("same", "apart"), "matching", ()),
    ("Cast", ("matching",), "counted", (("to", _FLOAT),)),
    ("ReduceSum", ("counted",), "score", ()),
)
"""The network: operator, inputs, output, and what is set of the operator."""


def cross_encoder_folder(
    folder: Path, *, inputs: tuple[str, ...] = INPUTS, labels: int = 1
) -> Path:
    """A model's folder as its authors publish it, with the tokenizer of the carried model."""
    (folder / "onnx").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    shutil.copy(CARRIED_FOLDER / "tokenizer.json", folder)
    (folder / NETWORK).write_bytes(network(inputs=inputs, labels=labels))
    return folder


def network(*, inputs: tuple[str, ...] = INPUTS, labels: int = 1) -> bytes:
    """The network as a file, which gives the score `labels` times."""
    repeated: _Step = ("Concat", ("score",) * labels, "logits", (("axis", 1),))
    nodes = b"".join(_field(1, _node(*step)) for step in (*_MATCHING, repeated))
    declared = b"".join(_field(11, _value(name, _INT64, "one", "tokens")) for name in inputs)
    output = _field(12, _value("logits", _FLOAT, "one", labels))
    graph = nodes + _field(2, "matching") + declared + output
    return _field(1, 8) + _field(8, _field(2, 13)) + _field(7, graph)


def _node(
    operator: str, inputs: tuple[str, ...], output: str, set_to: tuple[tuple[str, int], ...]
) -> bytes:
    named = b"".join(_field(1, name) for name in inputs)
    numbers = (_field(1, name) + _field(3, number) + _field(20, 2) for name, number in set_to)
    given = b"".join(_field(5, number) for number in numbers)
    return named + _field(2, output) + _field(4, operator) + given


def _value(name: str, kind: int, *shape: str | int) -> bytes:
    """A tensor's name, type and shape; a size that is not fixed has a name."""
    sizes = (_field(1, size) if isinstance(size, int) else _field(2, size) for size in shape)
    dimensions = b"".join(_field(1, size) for size in sizes)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, dimensions)))


def _field(number: int, value: int | str | bytes) -> bytes:
    """A field of a Protocol Buffers message: a number, a text or a message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
