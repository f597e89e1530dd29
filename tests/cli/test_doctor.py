"""`doctor`: healthy means healthy, a fault is named, and `--repair` mends it."""

import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import apsw
import pytest

from dome_mcp.commands.machine import (
    check_carried_model,
    check_embedder,
    check_folder,
    check_language_model,
    check_settings,
    check_sqlite,
)
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.model import Completion, Turn
from dome_mcp.core.ports import Vector
from dome_mcp.settings import load
from tests.cli.conftest import Cli, Ran, jsonl, write_tree

WITH_MODEL = {"DOME_EMBEDDING_MODEL": ""}


def levels(ran: Ran) -> dict[str, str]:
    return {finding["check"]: finding["level"] for finding in ran.json["findings"]}


def run_sql(cli: Cli, sql: str) -> None:
    connection = apsw.Connection(str(cli.home / "dome.db"))
    connection.execute(sql)
    connection.close()


@pytest.fixture
def stocked(cli: Cli, documents: Path) -> Cli:
    (documents / "broken.pdf").unlink()
    cli("ingest", str(documents), **WITH_MODEL)
    return cli


def test_a_sound_installation_is_healthy(stocked: Cli) -> None:
    ran = stocked("doctor", "--json", **WITH_MODEL)
    assert (ran.code, ran.json["healthy"], ran.json["repaired"]) == (0, True, [])
    assert set(levels(ran).values()) == {"ok"}
    assert {"SQLite", "database", "embedding model", "full text", "vectors", "blobs"} <= set(
        levels(ran)
    )


def test_an_empty_home_is_healthy(cli: Cli, documents: Path) -> None:
    ran = cli("doctor")
    assert ran.code == 0
    assert f"ok       allowed roots: {documents}\n" in ran.out
    assert "warning  embedding model: switched off" in ran.out


def test_faults_are_named_and_mended(stocked: Cli) -> None:
    run_sql(stocked, "DELETE FROM chunks_fts WHERE rowid = 1; DELETE FROM vectors")
    sick = stocked("doctor", "--json", **WITH_MODEL)
    assert sick.code == 1
    assert {check for check, level in levels(sick).items() if level != "ok"} == {
        "full text",
        "vectors",
    }
    mended = stocked("doctor", "--repair", "--json", **WITH_MODEL)
    assert (mended.code, mended.json["healthy"]) == (0, True)
    assert "Embedded 2 chunks." in mended.json["repaired"]
    assert stocked("doctor", "--repair", "--json", **WITH_MODEL).json["repaired"] == []
    found = stocked("search", "warranty", "--mode", "keyword", "--json")
    assert len(found.json["passages"]) == 1


def test_a_file_left_behind_goes_when_it_is_an_hour_old(stocked: Cli) -> None:
    folder = stocked.home / "blobs" / "someone" / "note"
    write_tree(folder, {"fresh": "being stored", "old": "left behind"})
    hours_ago = time.time() - 2 * 3600
    os.utime(folder / "old", (hours_ago, hours_ago))
    ran = stocked("doctor", "--json", **WITH_MODEL)
    assert (ran.code, levels(ran)["leftovers"]) == (0, "warning")
    stocked("doctor", "--repair", **WITH_MODEL)
    assert [path.name for path in folder.iterdir()] == ["fresh"]


def test_a_lost_original_is_a_problem_that_no_repair_hides(stocked: Cli) -> None:
    (original,) = (stocked.home / "blobs").rglob("*.txt")
    original.unlink()
    ran = stocked("doctor", "--repair", "--json", **WITH_MODEL)
    assert (ran.code, levels(ran)["blobs"]) == (1, "problem")


def test_bad_settings_are_findings(cli: Cli) -> None:
    ran = cli("doctor", "--json", DOME_TIMEZONE="Mars", DOME_COMPANION="maybe")
    assert ran.code == 1
    assert [finding["check"] for finding in ran.json["findings"]] == ["settings", "settings"]


def test_a_damaged_database_is_a_finding_with_advice_that_helps(cli: Cli) -> None:
    cli.home.mkdir(mode=0o700)
    (cli.home / "dome.db").write_text("this is no database, " * 100)
    ran = cli("doctor", "--json")
    assert (ran.code, levels(ran)["database"]) == (1, "problem")
    hints = [each["hint"] for each in ran.json["findings"] if each["check"] == "database"]
    assert hints == ["Restore it from a backup or an export."]


def test_a_model_that_is_not_there_does_not_keep_the_data_from_being_checked(
    stocked: Cli,
) -> None:
    ran = stocked("doctor", "--json", DOME_EMBEDDING_MODEL="someone/some-model")
    assert ran.code == 1
    assert levels(ran)["embedding model"] == "problem"
    assert levels(ran)["full text"] == "ok"


def test_notes_that_wait_for_vectors_are_a_warning(cli: Cli) -> None:
    cli("ingest", "--jsonl", "-", "--no-wait", stdin=jsonl([{"text": "one"}]), **WITH_MODEL)
    ran = cli("doctor", "--json", **WITH_MODEL)
    assert (ran.code, levels(ran)["index"]) == (0, "warning")
    assert "index" not in levels(cli("doctor", "--repair", "--json", **WITH_MODEL))


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("3.6.23", "ok"),
        ("3.40.1", "warning"),
        ("3.44.5", "warning"),
        ("3.44.6", "ok"),
        ("3.50.7", "ok"),
        ("3.51.2", "warning"),
        ("3.51.3", "ok"),
        ("3.54.1", "ok"),
    ],
)
def test_a_sqlite_that_may_damage_a_shared_file_is_a_warning(version: str, level: str) -> None:
    assert check_sqlite(version).level == level


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_data_folder_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert check_folder(tmp_path).level == "warning"
    tmp_path.chmod(0o700)
    assert check_folder(tmp_path).level == "ok"


def test_a_data_folder_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    write_tree(tmp_path, {"home": "a file"})
    assert check_folder(tmp_path / "home").level == "problem"
    assert check_folder(tmp_path / "not yet").level == "ok"


def test_an_allowed_root_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    environ = {"DOME_HOME": str(tmp_path), "DOME_ALLOWED_ROOTS": str(tmp_path / "gone")}
    found = {each.check: each for each in check_settings(load(environ))}
    assert found["allowed roots"].level == "warning"
    assert str(tmp_path / "gone") in found["allowed roots"].message


def test_a_carried_model_that_was_changed_is_a_problem(tmp_path: Path) -> None:
    write_tree(tmp_path, {"manifest.json": json.dumps({"files": {"a": "0" * 64}}), "a": "x"})
    assert check_carried_model(tmp_path).message == "damaged: a"
    assert check_carried_model(tmp_path / "gone").level == "problem"
    assert check_carried_model().level == "ok"


class Embedder:
    """Promises three dimensions."""

    model = "promising/1"
    dimensions = 3
    max_batch = 1
    is_ready = True

    def __init__(self, vector: Sequence[float] | None) -> None:
        self._vector = vector

    async def warm_up(self) -> None: ...

    async def embed_passages(self, texts: Sequence[str]) -> Sequence[Vector]:
        return [await self.embed_query(text) for text in texts]

    async def embed_query(self, text: str) -> Vector:
        if self._vector is None:
            raise BackendUnavailable("model", "embed", "Its file is gone.")
        return self._vector


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("vector", "level"), [([1.0, 0.0, 0.0], "ok"), ([1.0], "problem"), (None, "problem")]
)
async def test_a_model_that_does_not_embed_as_it_promises_is_a_problem(
    vector: list[float] | None, level: str
) -> None:
    assert (await check_embedder(Embedder(vector))).level == level


class Model:
    model = "chatty"
    context_tokens = 1000

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        if not self._answers:
            raise BackendUnavailable("llm", "complete", "Nobody listens.", "Start the server.")
        return Completion("OK")

    def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        raise NotImplementedError


@pytest.mark.anyio
async def test_a_language_model_that_does_not_answer_is_a_problem() -> None:
    assert (await check_language_model(None)).level == "ok"
    answered = await check_language_model(Model(answers=True))
    assert answered.level == "ok"
    assert answered.message.startswith("chatty answers in ")
    assert "1000 tokens" in answered.message
    silent = await check_language_model(Model(answers=False))
    assert (silent.level, silent.hint) == ("problem", "Start the server.")
