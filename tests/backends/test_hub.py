"""Pulling a model, from a server on the loopback that answers as the hub does.

The hub sends large files from elsewhere: a redirect names the commit and the file's sha256.
"""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.hub import pull
from dome_mcp.backends.embedded.model_files import ModelSpec
from dome_mcp.backends.embedded.models import describe
from dome_mcp.backends.embedded.rerankers import describe_reranker
from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    InvalidInput,
    NotFound,
)
from tests.sources.web_server import Page, WebServer

pytestmark = pytest.mark.anyio

NAME = "acme/tiny-e5-base"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER = "f" * 40
CONFIG = b'{"hidden_size": 8, "max_position_embeddings": 64}'
NETWORK = b"the weights" * 1_000
CROSS_ENCODER = b'{"architectures": ["BertForSequenceClassification"]}'
CUT_OFF = Page(b"short", headers={"Content-Length": "9", "Connection": "close"})


@pytest.fixture
def hub() -> Iterator[WebServer]:
    """A hub with one model, whose branch main is at COMMIT."""
    with WebServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        publish(server, COMMIT)
        yield server
        server.shutdown()
        thread.join()


def publish(hub: WebServer, commit: str, *, network: bytes = NETWORK) -> None:
    files = {"config.json": CONFIG, "tokenizer.json": b"{}", "onnx/model.onnx": network}
    for revision in ("main", commit):
        for name, body in files.items():
            page = Page(body, headers={"X-Repo-Commit": commit})
            hub.pages[f"/{NAME}/resolve/{revision}/{name}"] = page
        digest = hashlib.sha256(network).hexdigest()
        large = {
            "Location": f"/elsewhere/{commit}",
            "X-Repo-Commit": commit,
            "X-Linked-ETag": f'"{digest}"',
        }
        hub.pages[f"/{NAME}/resolve/{revision}/onnx/model.onnx"] = Page(status=302, headers=large)
    hub.pages[f"/elsewhere/{commit}"] = Page(network)


def everything_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


async def test_a_pulled_model_can_be_described(hub: WebServer, tmp_path: Path) -> None:
    spec = await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    assert isinstance(spec, ModelSpec)
    assert spec == describe(NAME, cache=tmp_path)
    assert (spec.model, spec.dimensions) == ("tiny-e5-base/fp32", 8)
    assert spec.query_prefix == "query: "
    assert spec.network.read_bytes() == NETWORK


async def test_a_pulled_cross_encoder_is_a_reranker(hub: WebServer, tmp_path: Path) -> None:
    for revision in ("main", COMMIT):
        page = Page(CROSS_ENCODER, headers={"X-Repo-Commit": COMMIT})
        hub.pages[f"/{NAME}/resolve/{revision}/config.json"] = page
    spec = await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    assert spec == describe_reranker(NAME, cache=tmp_path)
    assert (spec.model, spec.max_tokens) == ("tiny-e5-base/fp32", 512)


async def test_the_commit_is_pinned_until_the_next_pull(hub: WebServer, tmp_path: Path) -> None:
    await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    publish(hub, LATER, network=b"newer")
    assert describe(NAME, cache=tmp_path).network.read_bytes() == NETWORK
    spec = await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    assert spec.network.read_bytes() == b"newer"
    back = await pull(NAME, revision=COMMIT, cache=tmp_path, base_url=hub.url(""))
    assert back.network.read_bytes() == NETWORK


async def test_all_files_come_from_the_commit_that_was_current_first(
    hub: WebServer, tmp_path: Path
) -> None:
    await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    from_main = [path for path, _ in hub.requests if "/resolve/main/" in path]
    assert from_main == [f"/{NAME}/resolve/main/config.json"]


async def test_a_commit_that_is_here_is_not_downloaded_again(
    hub: WebServer, tmp_path: Path
) -> None:
    await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    hub.requests.clear()
    await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    assert [path for path, _ in hub.requests] == [f"/{NAME}/resolve/main/config.json"]


async def test_an_int8_network_is_preferred(hub: WebServer, tmp_path: Path) -> None:
    hub.pages[f"/{NAME}/resolve/{COMMIT}/onnx/model_quantized.onnx"] = Page(b"small")
    spec = await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    assert spec.model == "tiny-e5-base/int8"
    assert spec.network.read_bytes() == b"small"


async def test_weights_beside_the_network_come_along(hub: WebServer, tmp_path: Path) -> None:
    hub.pages[f"/{NAME}/resolve/{COMMIT}/onnx/model.onnx_data"] = Page(b"weights")
    spec = await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    assert spec.network.with_name("model.onnx_data").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({f"/elsewhere/{LATER}": Page(b"damaged")}, BackendProtocolError),
        ({f"/elsewhere/{LATER}": Page(status=503)}, BackendUnavailable),
        ({f"/elsewhere/{LATER}": CUT_OFF}, BackendUnavailable),
        ({f"/elsewhere/{LATER}": Page(status=418)}, BackendProtocolError),
        ({f"/{NAME}/resolve/{LATER}/tokenizer.json": Page(status=404)}, BackendRejected),
        ({f"/{NAME}/resolve/{LATER}/onnx/model.onnx": Page(status=404)}, BackendRejected),
        ({f"/{NAME}/resolve/main/config.json": Page(status=401)}, NotFound),
        ({f"/{NAME}/resolve/main/config.json": Page(CONFIG)}, BackendProtocolError),
    ],
)  # fmt: skip
async def test_a_pull_that_fails_leaves_the_model_in_use_and_nothing_else(
    hub: WebServer, tmp_path: Path, change: dict[str, Page], error: type[Exception]
) -> None:
    await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    before = everything_in(tmp_path)
    publish(hub, LATER, network=b"newer")
    hub.pages.update(change)
    with pytest.raises(error):
        await pull(NAME, cache=tmp_path, base_url=hub.url(""))
    assert everything_in(tmp_path) == before
    assert describe(NAME, cache=tmp_path).network.read_bytes() == NETWORK


async def test_a_hub_that_cannot_be_reached_is_an_outage(tmp_path: Path) -> None:
    with WebServer() as server:
        nobody = server.url("")
    with pytest.raises(BackendUnavailable):
        await pull(NAME, cache=tmp_path, base_url=nobody)


@pytest.mark.parametrize("name", ["tiny", "../../etc/passwd", "a/b/c", "a/..", ""])
async def test_what_is_no_id_is_not_asked_for(hub: WebServer, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        await pull(name, cache=tmp_path, base_url=hub.url(""))
    assert hub.requests == []
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("revision", ["../other", "", "a b", "x/../y"])
async def test_what_is_no_revision_is_not_asked_for(
    hub: WebServer, tmp_path: Path, revision: str
) -> None:
    with pytest.raises(InvalidInput):
        await pull(NAME, revision=revision, cache=tmp_path, base_url=hub.url(""))
    assert hub.requests == []
