"""A reranker on the command line: pulled, named by the doctor, and used by a search."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, jsonl
from tests.cross_encoder import cross_encoder_folder
from tests.sources.web_server import Page, WebServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAMED = {"DOME_RERANKER": "acme/matching"}
LINES = jsonl([{"text": "A boiler."}, {"text": "It is the boiler of the house, is it not?"}])


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """A hub with one cross-encoder."""
    folder = cross_encoder_folder(tmp_path / "published")
    with WebServer() as server:
        for path in (path for path in folder.rglob("*") if path.is_file()):
            page = Page(path.read_bytes(), headers={"X-Repo-Commit": COMMIT})
            for revision in ("main", COMMIT):
                name = path.relative_to(folder).as_posix()
                server.pages[f"/acme/matching/resolve/{revision}/{name}"] = page
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.url("")
        server.shutdown()
        thread.join()


def reranker_found(cli: Cli, **settings: str) -> list[tuple[str, str]]:
    findings = cli("doctor", "--json", **settings).json["findings"]
    return [(each["level"], each["message"]) for each in findings if each["check"] == "reranker"]


def found_texts(cli: Cli, **settings: str) -> list[str]:
    found = cli("search", "is it the boiler", "--json", **settings).json["passages"]
    return [each["text"] for each in found]


def test_a_pulled_reranker_is_named_and_asked_by_the_doctor_and_orders_what_is_found(
    cli: Cli, hub: str
) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES)
    pulled = cli("model", "pull", "acme/matching", "--hub", hub)
    assert (pulled.code, "DOME_RERANKER=acme/matching" in pulled.out) == (0, True)
    assert reranker_found(cli, **NAMED) == [("ok", "matching/fp32")]
    assert found_texts(cli, **NAMED) == found_texts(cli)[::-1]


def test_a_reranker_that_is_not_there_keeps_nothing_else_from_being_checked(cli: Cli) -> None:
    ran = cli("doctor", "--json", **NAMED)
    levels = {finding["check"]: finding["level"] for finding in ran.json["findings"]}
    assert (ran.code, levels["reranker"], levels["full text"]) == (1, "problem", "ok")
    assert levels["embedding model"] == "warning"


def test_a_reranker_that_does_not_load_is_a_problem(cli: Cli, tmp_path: Path) -> None:
    folder = cross_encoder_folder(tmp_path / "broken")
    (folder / "onnx" / "model.onnx").write_bytes(b"not a network")
    ((level, message),) = reranker_found(cli, DOME_RERANKER=str(folder))
    assert level == "problem"
    assert "cannot be loaded" in message


def test_without_a_reranker_the_doctor_speaks_of_none(cli: Cli) -> None:
    assert reranker_found(cli) == []
