"""A cross-encoder in onnxruntime: a question and a text in, one score out.

A pair runs alone and in one thread, for the reasons that `embedder.py` gives. This module imports
numpy, onnxruntime and kitoken; `rerankers.py` loads it when first needed.
"""

from typing import cast

import numpy as np

from dome_mcp.backends.embedded.embedder import TOKEN_CHARACTERS, Floats, open_session
from dome_mcp.backends.embedded.model_files import CrossEncoderSpec
from dome_mcp.backends.embedded.tokenizer import Tokenizer
from dome_mcp.core.errors import BackendRejected, BackendUnavailable

_BACKEND = "reranker"
_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})


class OnnxCrossEncoder:
    """A loaded model, which several threads may use at once.

    Raises:
        BackendUnavailable: the files are not there, are broken, or do not belong together.
    """

    def __init__(self, spec: CrossEncoderSpec) -> None:
        self._most_characters = spec.max_tokens * TOKEN_CHARACTERS
        try:
            self._session = open_session(spec.network)
            self._tokenizer = Tokenizer(spec.tokenizer, max_tokens=spec.max_tokens)
            self._tokenizer.encode_pair("", "")
        except Exception as exc:  # both libraries raise bare subclasses of it
            raise _unusable(spec, f"cannot be loaded ({type(exc).__name__})") from exc
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        if unknown := self._inputs - _INPUTS:
            raise _unusable(spec, f"wants unknown inputs: {', '.join(sorted(unknown))}")
        output = self._session.get_outputs()[0]
        self._output = output.name
        width = output.shape[-1]
        if len(output.shape) > 1 and isinstance(width, int) and width != 1:
            raise _unusable(spec, f"gives a text {width} scores, not one")

    def score(self, query: str, text: str) -> float:
        """How well a text answers a question; a longer text is cut to what the model reads.

        Raises:
            BackendRejected: onnxruntime refuses the input.
        """
        try:
            ids, types = self._tokenizer.encode_pair(self._plain(query), self._plain(text))
            input_ids = np.array([ids], np.int64)
            inputs = {
                "input_ids": input_ids,
                "attention_mask": np.ones_like(input_ids),
                "token_type_ids": np.array([types], np.int64),
            }
            wanted = {name: inputs[name] for name in self._inputs}
            outputs = self._session.run([self._output], wanted)
            return cast("Floats", outputs[0]).item()
        except Exception as exc:  # onnxruntime raises bare subclasses of it
            raise BackendRejected(
                _BACKEND, "rerank", f"The model refuses a text ({type(exc).__name__})."
            ) from exc

    def _plain(self, text: str) -> str:
        """The beginning of a text, without halves of characters, which kitoken refuses."""
        return text[: self._most_characters].encode("utf-8", "replace").decode("utf-8")


def _unusable(spec: CrossEncoderSpec, problem: str) -> BackendUnavailable:
    return BackendUnavailable(
        _BACKEND,
        "load",
        f"The reranker {spec.model} {problem}.",
        "Pull it again with `dome-mcp model pull`, or unset DOME_RERANKER.",
    )
