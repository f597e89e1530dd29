"""The network of all-MiniLM-L6-v2 as ONNX operators: BERT, six layers of 384 numbers a token."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Weights = dict[str, npt.NDArray[np.float32]]

LAYERS, HEADS, HIDDEN = 6, 12, 384
MASKED = np.float32(-10_000)


def author(weights: Weights, *, int8_words: bool) -> onnx.ModelProto:
    """The network: token ids and their mask in, the hidden state of each token out."""
    graph = Graph()
    hidden = embeddings(graph, weights, int8_words=int8_words)
    mask = graph.op(
        "Mul",
        graph.op(
            "Sub",
            graph.constant("one", np.float32(1)),
            graph.op(
                "Cast",
                graph.op("Unsqueeze", "attention_mask", graph.constant("mask_axes", [1, 2])),
                to=TensorProto.FLOAT,
            ),
        ),
        graph.constant("masked", MASKED),
    )
    for number in range(LAYERS):
        hidden = layer(graph, weights, f"encoder.layer.{number}", hidden=hidden, mask=mask)
    graph.nodes[-1].output[0] = "last_hidden_state"
    model = helper.make_model(
        graph.closed(inputs=("input_ids", "attention_mask"), output="last_hidden_state"),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="dome",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def embeddings(graph: "Graph", weights: Weights, *, int8_words: bool) -> str:
    words = weights["embeddings.word_embeddings.weight"]
    if int8_words:
        scales = (np.abs(words).max(axis=1, keepdims=True) / 127).astype(np.float32)
        codes = graph.constant("word_codes", np.rint(words / scales).astype(np.int8))
        word = graph.op(
            "Mul",
            graph.op("Cast", graph.op("Gather", codes, "input_ids"), to=TensorProto.FLOAT),
            graph.op("Gather", graph.constant("word_scales", scales), "input_ids"),
        )
    else:
        word = graph.op("Gather", graph.constant("words", words), "input_ids")
    # A sentence is all of segment 0, so its vector can be added to the positions once and for all.
    places = (
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    length = graph.op(
        "Slice",
        graph.op("Shape", "input_ids"),
        graph.constant("from_1", [1]),
        graph.constant("to_2", [2]),
    )
    place = graph.op(
        "Slice", graph.constant("places", places), graph.constant("from_0", [0]), length
    )
    return norm(graph, weights, "embeddings.LayerNorm", graph.op("Add", word, place))


def layer(graph: "Graph", weights: Weights, name: str, *, hidden: str, mask: str) -> str:
    attended = attention(graph, weights, f"{name}.attention.self", hidden=hidden, mask=mask)
    output = dense(graph, weights, f"{name}.attention.output.dense", attended)
    hidden = norm(
        graph, weights, f"{name}.attention.output.LayerNorm", graph.op("Add", output, hidden)
    )
    wide = gelu(graph, dense(graph, weights, f"{name}.intermediate.dense", hidden))
    output = dense(graph, weights, f"{name}.output.dense", wide)
    return norm(graph, weights, f"{name}.output.LayerNorm", graph.op("Add", output, hidden))


def attention(graph: "Graph", weights: Weights, name: str, *, hidden: str, mask: str) -> str:
    by_head = graph.constant("by_head", [0, 0, HEADS, HIDDEN // HEADS])

    def heads(part: str, order: Sequence[int], scale: float = 1.0) -> str:
        projected = dense(graph, weights, f"{name}.{part}", hidden, scale=scale)
        return graph.op("Transpose", graph.op("Reshape", projected, by_head), perm=order)

    query = heads("query", (0, 2, 1, 3), scale=1 / math.sqrt(HIDDEN / HEADS))
    key = heads("key", (0, 2, 3, 1))
    value = heads("value", (0, 2, 1, 3))
    scores = graph.op("Add", graph.op("MatMul", query, key), mask)
    mixed = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), value)
    together = graph.op("Transpose", mixed, perm=(0, 2, 1, 3))
    return graph.op("Reshape", together, graph.constant("flat", [0, 0, HIDDEN]))


def dense(graph: "Graph", weights: Weights, name: str, x: str, *, scale: float = 1.0) -> str:
    matrix = weights[f"{name}.weight"].T * np.float32(scale)
    bias = weights[f"{name}.bias"] * np.float32(scale)
    product = graph.op("MatMul", x, graph.constant(f"{name}.weight", matrix))
    return graph.op("Add", product, graph.constant(f"{name}.bias", bias))


def norm(graph: "Graph", weights: Weights, name: str, x: str) -> str:
    scale = graph.constant(f"{name}.weight", weights[f"{name}.weight"])
    bias = graph.constant(f"{name}.bias", weights[f"{name}.bias"])
    return graph.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-12)


def gelu(graph: "Graph", x: str) -> str:
    """x * (1 + erf(x / sqrt 2)) / 2, in the shape that onnxruntime knows and fuses."""
    root = graph.constant("root_2", np.float32(math.sqrt(2)))
    inner = graph.op("Erf", graph.op("Div", x, root))
    whole = graph.op("Mul", x, graph.op("Add", inner, graph.constant("one", np.float32(1))))
    return graph.op("Mul", whole, graph.constant("half", np.float32(0.5)))


@dataclass(slots=True)
class Graph:
    """ONNX nodes and constants as they are written down; `op` returns its output's name."""

    nodes: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict[str, onnx.TensorProto])

    def constant(self, name: str, value: object) -> str:
        """A named constant; the same name again is the same constant."""
        if name not in self.constants:
            array = np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value)
            self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def closed(self, *, inputs: Sequence[str], output: str) -> onnx.GraphProto:
        tokens = ["batch", "sequence"]
        return helper.make_graph(
            self.nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info(name, TensorProto.INT64, tokens) for name in inputs],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [*tokens, HIDDEN])],
            list(self.constants.values()),
        )
