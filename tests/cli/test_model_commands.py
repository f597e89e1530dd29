"""`reindex` and `model pull`."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import apsw
import pytest

from dome_mcp.backends.embedded.models import CARRIED_FOLDER
from tests.cli.conftest import Cli, jsonl

WITH_MODEL = {"DOME_EMBEDDING_MODEL": ""}
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LINES = jsonl([{"text": "Tomatoes need sun."}, {"text": "The boiler is old."}])


class Hub(BaseHTTPRequestHandler):
    """Has the carried model under a name of its own."""

    folder: ClassVar[Path] = CARRIED_FOLDER

    def do_GET(self) -> None:
        path = self.folder / self.path.partition(f"/resolve/{COMMIT}/")[2]
        if self.path.startswith("/someone/tiny/resolve/main/"):
            path = self.folder / self.path.partition("/resolve/main/")[2]
        if not (self.path.startswith("/someone/tiny/") and path.is_file()):
            self.send_error(404)
            return
        data = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def hub() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def embedded_with(cli: Cli) -> list[str]:
    connection = apsw.Connection(str(cli.home / "dome.db"))
    rows = connection.execute("SELECT DISTINCT embedded_with FROM chunks").fetchall()
    connection.close()
    return [str(row[0]) for row in rows]


def test_a_pulled_model_is_adopted_by_a_reindex(cli: Cli, hub: str) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **WITH_MODEL)
    tiny = {"DOME_EMBEDDING_MODEL": "someone/tiny"}
    missing = cli("search", "sun", "--json", **tiny)
    assert missing.code == 2
    assert "dome-mcp model pull someone/tiny" in missing.json["error"]["message"]

    pulled = cli("model", "pull", "someone/tiny", "--hub", hub, "--json")
    assert (pulled.code, pulled.json["dimensions"]) == (0, 384)
    stale = cli("search", "gardening", "--json", **tiny)
    assert "dome-mcp reindex" in stale.json["index_state"]

    ran = cli("reindex", "--json", **tiny)
    assert (ran.code, ran.json["embedded"], ran.json["pending_chunks"]) == (0, 2, 0)
    assert embedded_with(cli) == [ran.json["model"]] == [pulled.json["model"]]
    assert cli("search", "gardening", "--json", **tiny).json["index_state"] == "ready"


def test_a_model_that_the_hub_does_not_have_is_bad_input(cli: Cli, hub: str) -> None:
    ran = cli("model", "pull", "someone/else", "--hub", hub, "--json")
    assert (ran.code, ran.json["error"]["type"]) == (2, "not_found")


def test_a_reindex_with_the_same_model_has_nothing_to_do_unless_all_is_asked_for(
    cli: Cli,
) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **WITH_MODEL)
    assert cli("reindex", "--json", **WITH_MODEL).json["embedded"] == 0
    assert cli("reindex", "--all", "--json", **WITH_MODEL).json["embedded"] == 2


def test_a_reindex_without_a_model_is_bad_input(cli: Cli) -> None:
    ran = cli("reindex")
    assert ran.code == 2
    assert "DOME_EMBEDDING_MODEL" in ran.err
