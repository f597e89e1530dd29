"""`reindex --to`: another model without a gap, whatever happens on the way."""

import subprocess
from contextlib import suppress
from typing import cast

import apsw

from dome_mcp.backends.embedded.models import CARRIED_FOLDER
from tests.cli.conftest import Cli, Ran, jsonl

WITH_MODEL = {"DOME_EMBEDDING_MODEL": ""}
OTHER = str(CARRIED_FOLDER)
"""The carried model under another name, as far as DOME can tell."""
OTHER_ID = f"{CARRIED_FOLDER.name}/int8"
TOMATOES = "Tomatoes need sun."
LINES = jsonl([{"text": TOMATOES}, {"text": "The boiler is old."}])
MANY = 150
LEFTOVERS = "SELECT name FROM sqlite_master WHERE name IN ('moved_chunks', 'next_vectors')"


def search(cli: Cli, **settings: str) -> Ran:
    return cli("search", "gardening", "--mode", "semantic", "--limit", "1", "--json", **settings)


def query(cli: Cli, sql: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(cli.home / "dome.db"))
    try:
        connection.set_busy_timeout(5_000)
        return list(connection.execute(sql))
    except apsw.SQLError:
        return []  # the table is not there yet
    finally:
        connection.close()


def test_the_next_model_is_the_one_that_is_used_from_then_on(cli: Cli) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **WITH_MODEL)
    ran = cli("reindex", "--to", OTHER, "--json", **WITH_MODEL)
    assert (ran.code, ran.json["model"], ran.json["embedded"]) == (0, OTHER_ID, 2)
    found = search(cli, **WITH_MODEL)
    assert (found.json["passages"][0]["text"], found.json["index_state"]) == (TOMATOES, "ready")
    assert query(cli, "SELECT DISTINCT embedded_with FROM chunks") == [(OTHER_ID,)]
    doctor = cli("doctor", "--json", **WITH_MODEL)
    assert doctor.code == 0
    model = [each for each in doctor.json["findings"] if each["check"] == "embedding model"]
    assert OTHER_ID in model[0]["message"]


def test_a_setting_that_names_the_old_model_is_told(cli: Cli) -> None:
    old = {"DOME_EMBEDDING_MODEL": "all-MiniLM-L6-v2"}
    cli("ingest", "--jsonl", "-", stdin=LINES, **old)
    ran = cli("reindex", "--to", OTHER, **old)
    assert f"set DOME_EMBEDDING_MODEL={OTHER}" in ran.err
    assert "dome-mcp reindex" in cli("search", "sun", "--json", **old).json["index_state"]


def test_moving_to_the_present_model_does_nothing(cli: Cli) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **WITH_MODEL)
    ran = cli("reindex", "--to", "all-MiniLM-L6-v2", "--json", **WITH_MODEL)
    assert (ran.code, ran.json["embedded"]) == (0, 0)


def test_what_an_old_process_still_wrote_is_made_anew_by_the_next_run(cli: Cli) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **WITH_MODEL)
    cli("reindex", "--to", OTHER, **WITH_MODEL)
    query(cli, "UPDATE chunks SET embedded_with = 'all-MiniLM-L6-v2/int8' WHERE chunk_key = 1")
    assert cli("reindex", "--to", OTHER, **WITH_MODEL).code == 0
    assert query(cli, "SELECT DISTINCT embedded_with FROM chunks") == [(OTHER_ID,)]


def test_a_model_that_is_not_there_leaves_all_as_it_was(cli: Cli) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **WITH_MODEL)
    ran = cli("reindex", "--to", "someone/some-model", "--json", **WITH_MODEL)
    assert ran.code == 2
    assert "dome-mcp model pull someone/some-model" in ran.json["error"]["message"]
    assert search(cli, **WITH_MODEL).json["passages"][0]["text"] == TOMATOES


def test_without_search_by_meaning_there_is_nothing_to_move(cli: Cli) -> None:
    ran = cli("reindex", "--to", OTHER)
    assert ran.code == 2
    assert "DOME_EMBEDDING_MODEL" in ran.err


def test_after_a_kill_the_old_model_is_searched_and_the_next_run_goes_on(cli: Cli) -> None:
    lines = jsonl([{"text": f"Fact {number} about the house."} for number in range(MANY)])
    cli("ingest", "--jsonl", "-", stdin=LINES + lines, **WITH_MODEL)
    with cli.start("reindex", "--to", OTHER, DOME_EMBEDDING_MODEL="") as process:
        moved = killed_once_it_has_begun(process, cli)
    assert 0 < moved < MANY
    assert search(cli, **WITH_MODEL).json["passages"][0]["text"] == TOMATOES
    assert query(cli, "SELECT DISTINCT embedded_with FROM chunks") == [("all-MiniLM-L6-v2/int8",)]

    ran = cli("reindex", "--to", OTHER, "--json", **WITH_MODEL)
    assert (ran.code, ran.json["chunks"]) == (0, MANY + 2)
    assert ran.json["embedded"] <= MANY + 2 - moved
    assert search(cli, **WITH_MODEL).json["passages"][0]["text"] == TOMATOES
    assert query(cli, LEFTOVERS) == []


def killed_once_it_has_begun(process: subprocess.Popen[str], cli: Cli) -> int:
    """How many chunks had been moved a moment before the process was killed."""
    try:
        while process.poll() is None:
            ((moved,),) = query(cli, "SELECT count(*) FROM moved_chunks") or [(0,)]
            if moved:
                return cast("int", moved)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
    finally:
        process.kill()
    raise AssertionError(f"it ended by itself: {process.communicate()}")
