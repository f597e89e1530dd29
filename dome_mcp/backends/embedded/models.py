"""Which embedding model is used, and the embedder that loads it when it is first needed.

Nothing here needs numpy or onnxruntime, so that a server can answer its handshake at once.
"""

import importlib
import re
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio
import anyio.to_thread

# Only to be imported in a thread that lasts, for a millisecond: once the thread that first imported
# kitoken 0.11 has ended, its next use anywhere is a segmentation fault, and worker threads do end.
import kitoken  # noqa: F401  see above

from dome_mcp.backends.embedded.model_files import ModelSpec, read_model
from dome_mcp.core.errors import ConfigurationError

if TYPE_CHECKING:
    from dome_mcp.backends.embedded.embedder import OnnxModel

CARRIED = "all-MiniLM-L6-v2"
"""The model that comes with DOME: English, 384 dimensions, reads 256 tokens."""

CARRIED_FOLDER = Path(__file__).parents[2] / "model"
REVISION_FILE = "revision"

_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_SLICE_TEXTS = 8
_MAX_BATCH = 32


def describe(name_or_path: str | None, *, cache: Path) -> ModelSpec:
    """The model of that name, None for the one that comes with DOME.

    A name is a folder's path, or a hub id such as `BAAI/bge-small-en-v1.5` that was pulled into
    `cache` before; nothing is downloaded here.

    Raises:
        ConfigurationError: there is no such model on this machine, or it cannot be used.
    """
    if name_or_path is None or name_or_path == CARRIED:
        return read_model(CARRIED_FOLDER, name=CARRIED)
    folder, name = model_folder(name_or_path, cache=cache, kind="embedding model")
    return read_model(folder, name=name)


def model_folder(name_or_path: str, *, cache: Path, kind: str) -> tuple[Path, str]:
    """Where the files of a model are that is named as for `describe`, and its name alone.

    `kind` is what a refusal calls it.

    Raises:
        ConfigurationError: there is no such model on this machine.
    """
    folder = Path(name_or_path).expanduser()
    if folder.is_dir():
        return folder, folder.resolve().name
    if not is_hub_id(name_or_path):
        raise ConfigurationError(
            [f"the {kind} {name_or_path!r} is neither a folder nor an id OWNER/NAME"]
        )
    pulled = pulled_folder(name_or_path, cache)
    if pulled is None:
        raise ConfigurationError(
            [
                f"the {kind} {name_or_path} is not on this machine; "
                f"run `dome-mcp model pull {name_or_path}` once"
            ]
        )
    return pulled, name_or_path.rpartition("/")[2]


def is_hub_id(name: str) -> bool:
    """Whether this is an id such as `BAAI/bge-small-en-v1.5`, safe to be part of a path."""
    return _HUB_ID.fullmatch(name) is not None


def hub_folder(name: str, cache: Path) -> Path:
    """Where the revisions of a hub model are kept."""
    return cache / name.replace("/", "--")


def pulled_folder(name: str, cache: Path) -> Path | None:
    """The folder of the revision that was pulled last, None where none was."""
    folder = hub_folder(name, cache)
    try:
        revision = (folder / REVISION_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return folder / revision if (folder / revision).is_dir() else None


class LazyEmbedder:
    """The `Embedder` port on an ONNX model, which is loaded in a worker thread at the first call.

    A load that failed is tried again by the next call. Passages and questions have a worker
    thread each, so a question never waits for a long document, and a call that is cancelled stops
    after the slice of texts that is being embedded.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._network: OnnxModel | None = None
        self._loading = anyio.Lock()
        self._reading = anyio.CapacityLimiter(1)
        self._asking = anyio.CapacityLimiter(1)

    @property
    def model(self) -> str:
        return self._spec.model

    @property
    def dimensions(self) -> int:
        return self._spec.dimensions

    @property
    def pooling(self) -> str:
        """How a text's vector is made of its tokens'; the model's id does not tell."""
        return self._spec.pooling

    @property
    def max_batch(self) -> int:
        return _MAX_BATCH

    @property
    def is_ready(self) -> bool:
        return self._network is not None

    async def warm_up(self) -> None:
        """Loads the model; at once when it is loaded.

        Raises:
            BackendUnavailable: its files cannot be loaded.
        """
        await self._loaded()

    async def embed_passages(self, texts: Sequence[str]) -> Sequence["array[float]"]:
        """One unit vector per text (see `Embedder.embed_passages`)."""
        network = await self._loaded()
        prefixed = [self._spec.passage_prefix + text for text in texts]
        vectors: list[array[float]] = []
        for start in range(0, len(prefixed), _SLICE_TEXTS):
            some = prefixed[start : start + _SLICE_TEXTS]
            vectors += await anyio.to_thread.run_sync(network.embed, some, limiter=self._reading)
        return vectors

    async def embed_query(self, text: str) -> "array[float]":
        """The unit vector of a question (see `Embedder.embed_query`)."""
        network = await self._loaded()
        question = [self._spec.query_prefix + text]
        return (await anyio.to_thread.run_sync(network.embed, question, limiter=self._asking))[0]

    async def _loaded(self) -> "OnnxModel":
        if self._network is None:
            async with self._loading:
                if self._network is None:
                    self._network = await anyio.to_thread.run_sync(_load, self._spec)
        return self._network


def _load(spec: ModelSpec) -> "OnnxModel":
    # Imported here, in a worker thread: numpy and onnxruntime cost half a second that
    # no client's handshake should wait for.
    module = importlib.import_module("dome_mcp.backends.embedded.embedder")
    return cast("OnnxModel", module.OnnxModel(spec))
