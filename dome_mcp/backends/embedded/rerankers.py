"""Which cross-encoder reranks, and the reranker that loads it when it is first needed.

Nothing here needs numpy or onnxruntime, as in `models.py`.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

import anyio
import anyio.to_thread

from dome_mcp.backends.embedded.model_files import CrossEncoderSpec, read_cross_encoder
from dome_mcp.backends.embedded.models import model_folder


class _Network(Protocol):
    """A loaded cross-encoder."""

    def score(self, query: str, text: str) -> float: ...


def describe_reranker(name_or_path: str, *, cache: Path) -> CrossEncoderSpec:
    """The cross-encoder of that name: a folder's path, or a hub id that was pulled into `cache`.

    Raises:
        ConfigurationError: there is no such model on this machine, or it cannot be used.
    """
    folder, name = model_folder(name_or_path, cache=cache, kind="reranker")
    return read_cross_encoder(folder, name=name)


class LazyReranker:
    """The `Reranker` port on a cross-encoder, which is loaded in a worker thread at the first call.

    A load that failed is tried again by the next call. Texts are read one after the other, in one
    thread; calls at once take turns, and one that is cancelled stops after the text that is read.
    """

    def __init__(self, spec: CrossEncoderSpec) -> None:
        self._spec = spec
        self._network: _Network | None = None
        self._loading = anyio.Lock()
        self._reading = anyio.CapacityLimiter(1)

    @property
    def model(self) -> str:
        return self._spec.model

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """One score per text, in the order of the texts (see `Reranker.rerank`)."""
        if not texts:
            return []
        network = await self._loaded()
        return [
            await anyio.to_thread.run_sync(network.score, query, text, limiter=self._reading)
            for text in texts
        ]

    async def _loaded(self) -> _Network:
        if self._network is None:
            async with self._loading:
                if self._network is None:
                    self._network = await anyio.to_thread.run_sync(_load, self._spec)
        return self._network


def _load(spec: CrossEncoderSpec) -> _Network:
    # Imported here, in a worker thread, for what `models.py` says of numpy and onnxruntime.
    module = importlib.import_module("dome_mcp.backends.embedded.cross_encoder")
    return cast("_Network", module.OnnxCrossEncoder(spec))
