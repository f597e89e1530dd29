"""Downloads a model from a model hub, once, on an explicit request.

A model's folder holds one folder a revision, whole or not there at all, and the file `revision`,
which names the one in use. Nothing reads the hub again until the next pull.
"""

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
import httpx

from dome_mcp.backends.embedded.model_files import (
    NETWORKS,
    CrossEncoderSpec,
    ModelSpec,
    is_cross_encoder,
)
from dome_mcp.backends.embedded.models import REVISION_FILE, describe, hub_folder, is_hub_id
from dome_mcp.backends.embedded.rerankers import describe_reranker
from dome_mcp.core.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    InvalidInput,
    NotFound,
)

HUB_URL = "https://huggingface.co"

_BACKEND = "model hub"
_REQUIRED = ("config.json", "tokenizer.json")
_OPTIONAL = (
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "tokenizer_config.json",
)
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMEOUT = httpx.Timeout(30.0)


async def pull(
    name: str, *, revision: str = "main", cache: Path, base_url: str = HUB_URL
) -> ModelSpec | CrossEncoderSpec:
    """The model `name` at a branch, tag or commit, downloaded into `cache` and put to use.

    The commit that `revision` means now is pinned. A file with a sha256 at the hub is checked
    against it. A pull that fails or is cancelled leaves the model that was in use.

    Raises:
        InvalidInput: `name` is no hub id, or `revision` cannot be one.
        NotFound: the hub has no such model or revision, or keeps it from the public.
        BackendRejected: the model has no ONNX file or no tokenizer.json.
        BackendUnavailable: the hub cannot be reached, or broke off.
        BackendProtocolError: what came is not what the hub announced.
        ConfigurationError: the model is here, but needs what DOME cannot do.
    """
    if not is_hub_id(name):
        raise InvalidInput(f"{name!r} is no model id.", "Send OWNER/NAME.")
    if not _REVISION.fullmatch(revision):
        raise InvalidInput(f"{revision!r} is no revision.", "Send a branch, a tag or a commit.")
    folder = hub_folder(name, cache)
    folder.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
    url = f"{base_url}/{name}/resolve"
    try:
        async with httpx.AsyncClient(follow_redirects=True, timeout=_TIMEOUT) as client:
            commit = await _commit(client, f"{url}/{revision}", folder=partial, name=name)
            if not (folder / commit).is_dir():
                await _download(client, f"{url}/{commit}", folder=partial, name=name)
                await anyio.to_thread.run_sync(partial.rename, folder / commit)
        await anyio.to_thread.run_sync(_put_to_use, folder, commit)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    if is_cross_encoder(folder / commit):
        return describe_reranker(name, cache=cache)
    return describe(name, cache=cache)


async def _commit(client: httpx.AsyncClient, url: str, *, folder: Path, name: str) -> str:
    """The commit that a revision means now."""
    config = await _fetch(client, f"{url}/config.json", folder=folder, path="config.json")
    if config is None:
        raise NotFound("model", name, "Check its name and revision at the hub.")
    if config.commit is None:
        raise _broken("The hub does not say which commit this is.")
    return config.commit


async def _download(client: httpx.AsyncClient, url: str, *, folder: Path, name: str) -> None:
    """Fills the folder with the files of a commit."""
    for path in (*_REQUIRED, *_OPTIONAL):
        found = await _fetch(client, f"{url}/{path}", folder=folder, path=path)
        if found is None and path in _REQUIRED:
            raise _unsuitable(f"{name} has no {path}.")
    for path in NETWORKS:
        if await _fetch(client, f"{url}/{path}", folder=folder, path=path):
            # Large networks keep their weights in a second file.
            await _fetch(client, f"{url}/{path}_data", folder=folder, path=f"{path}_data")
            return
    raise _unsuitable(f"{name} has no ONNX file.")


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What the hub said about a file that is here now."""

    commit: str | None


async def _fetch(
    client: httpx.AsyncClient, url: str, *, folder: Path, path: str
) -> _Fetched | None:
    """Downloads a file of the model; None when the hub has none."""
    try:
        async with client.stream("GET", url) as response:
            if response.status_code in (401, 403, 404):
                return None
            if not response.is_success:
                raise _refused(response.status_code)
            digest = await _save(response, folder / path)
    except httpx.HTTPError as exc:
        raise BackendUnavailable(
            _BACKEND,
            "pull",
            f"The model hub did not deliver {path} ({type(exc).__name__}).",
            "Check the network, then pull again.",
        ) from exc
    except OSError as exc:
        raise BackendRejected(
            _BACKEND, "pull", f"{path} cannot be written: {exc.strerror}."
        ) from exc
    expected = _header(response, "x-linked-etag", _SHA256)
    if expected not in (None, digest):
        raise _broken(f"{path} did not arrive as the hub has it.")
    return _Fetched(_header(response, "x-repo-commit", _COMMIT))


async def _save(response: httpx.Response, path: Path) -> str:
    """Writes the body to a file and returns its sha256."""
    digest = hashlib.sha256()
    path.parent.mkdir(parents=True, exist_ok=True)
    async with await anyio.open_file(path, "wb") as file:
        async for piece in response.aiter_bytes():
            digest.update(piece)
            await file.write(piece)
    return digest.hexdigest()


def _header(response: httpx.Response, name: str, pattern: re.Pattern[str]) -> str | None:
    """A header of the answer or of a redirect that led to it, when it looks as it should."""
    for answer in (*response.history, response):
        found = pattern.search(answer.headers.get(name, ""))
        if found:
            return found[0]
    return None


def _put_to_use(folder: Path, commit: str) -> None:
    """Writes the file that names the revision in use; readers see the old one or the new one."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=folder, prefix=".partial-", delete=False
    ) as pointer:
        pointer.write(f"{commit}\n")
    Path(pointer.name).replace(folder / REVISION_FILE)


def _refused(status: int) -> BackendError:
    message = f"The model hub answered {status}."
    if status == 429 or status >= 500:
        return BackendUnavailable(_BACKEND, "pull", message, "Try again later.")
    return BackendProtocolError(_BACKEND, "pull", message)


def _broken(message: str) -> BackendProtocolError:
    return BackendProtocolError(_BACKEND, "pull", message, "Pull again.")


def _unsuitable(message: str) -> BackendRejected:
    return BackendRejected(
        _BACKEND, "pull", message, "Choose a model that is published with ONNX files."
    )
