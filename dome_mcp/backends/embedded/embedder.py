"""An embedding model in onnxruntime: texts in, unit vectors out.

Each text runs alone, in one thread and at its own length. A batch would be no faster, as its texts
are padded to the longest, would need its memory many times over, and would give a text other
vectors in other company, because an int8 network scales its activations over the whole batch.

This module imports numpy, onnxruntime and kitoken; `models.py` loads it when first needed.
"""

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import onnxruntime

from dome_mcp.backends.embedded.model_files import ModelSpec, Pooling
from dome_mcp.backends.embedded.tokenizer import Tokenizer
from dome_mcp.core.errors import BackendRejected, BackendUnavailable

Floats = npt.NDArray[np.float32]

_BACKEND = "embedder"
TOKEN_CHARACTERS = 64
"""More characters than a token has; what a text has beyond that is not even tokenised."""

_TINY = 1e-12

_QUIET = 3
"""Errors only: onnxruntime warns on stderr about devices and graphs that are not our concern."""

_SLOWER_FUSIONS = ["SkipLayerNormFusion"]
"""Optimisations that are none: this fused CPU kernel costs a quarter of the whole throughput
(74 against 94 documents of 200 tokens a second, onnxruntime 1.32)."""

_PROVIDERS = ["CPUExecutionProvider"]


def open_session(network: Path) -> onnxruntime.InferenceSession:
    """A network, which runs in the thread that asks."""
    onnxruntime.set_default_logger_severity(_QUIET)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(
        str(network), options, providers=_PROVIDERS, disabled_optimizers=_SLOWER_FUSIONS
    )


def pooled(states: Floats, pooling: Pooling) -> Floats:
    """A text's vector `(d,)` from its tokens' `(tokens, d)`."""
    match pooling:
        case "cls":
            return states[0]
        case "last":
            return states[-1]
        case "mean":
            return states.mean(axis=0)


class OnnxModel:
    """A loaded model. `embed` may run in several threads at once.

    Raises:
        BackendUnavailable: the files are not there, are broken, or do not belong together.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        try:
            self._session = open_session(spec.network)
            self._tokenizer = Tokenizer(spec.tokenizer, max_tokens=spec.max_tokens)
        except Exception as exc:  # both libraries raise bare subclasses of it
            raise _unusable(spec, f"cannot be loaded ({type(exc).__name__})") from exc
        inputs = {entry.name for entry in self._session.get_inputs()}
        unknown = inputs - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown:
            raise _unusable(spec, f"wants unknown inputs: {', '.join(sorted(unknown))}")
        self._inputs = inputs
        outputs = self._session.get_outputs()
        names = [entry.name for entry in outputs]
        chosen = outputs[names.index("last_hidden_state") if "last_hidden_state" in names else 0]
        self._output = chosen.name
        width = chosen.shape[-1]
        if isinstance(width, int) and width != spec.dimensions:
            raise _unusable(spec, f"has {width} dimensions, its configuration {spec.dimensions}")

    def embed(self, texts: Sequence[str]) -> list["array[float]"]:
        """One unit vector per text, in order; a longer text is cut to what the model reads.

        Raises:
            BackendRejected: onnxruntime refuses the input.
        """
        return [array("f", self._vector(text).tobytes()) for text in texts]

    def _vector(self, text: str) -> Floats:
        cut = text[: self._spec.max_tokens * TOKEN_CHARACTERS]
        try:
            ids = np.array([self._tokenizer.encode(cut) or [0]], np.int64)
            inputs = {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": np.zeros_like(ids),
            }
            wanted = {name: inputs[name] for name in self._inputs}
            outputs = self._session.run([self._output], wanted)
        except Exception as exc:  # onnxruntime raises bare subclasses of it
            raise BackendRejected(
                _BACKEND, "embed", f"The model refuses a text ({type(exc).__name__})."
            ) from exc
        states = cast("Floats", outputs[0])[0]
        vector = states if states.ndim == 1 else pooled(states, self._spec.pooling)
        return vector / max(float(np.linalg.norm(vector)), _TINY)


def _unusable(spec: ModelSpec, problem: str) -> BackendUnavailable:
    return BackendUnavailable(
        _BACKEND,
        "load",
        f"The embedding model {spec.model} {problem}.",
        "Pull it again with `dome-mcp model pull`, or unset DOME_EMBEDDING_MODEL.",
    )
