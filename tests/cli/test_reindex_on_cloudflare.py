"""`reindex` with the vectors in Vectorize: to another model without a gap, and after a loss."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest

from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES
from tests.cli.conftest import Cli, Ran, jsonl
from tests.cli.simulated_cloud import SimulatedCloud, simulated_cloud
from tests.simulators.cloudflare.vectorize import INDEX_NAME

SMALL = "@cf/baai/bge-small-en-v1.5"
DEFAULT = "@cf/baai/bge-m3"
ALIKE = "@cf/qwen/qwen3-embedding-0.6b"
"""Of the same dimensions as the default."""
TOMATOES = "Tomatoes need sun."
LINES = jsonl([{"text": TOMATOES}, {"text": "The boiler is old."}])
MANY = 400
KILL_MOMENTS = {
    "the index is being made": re.compile(r"POST /vectorize/v2/indexes"),
    "chunks are embedded": re.compile(r"POST /ai/run/.*"),
    "vectors are sent": re.compile(r"POST /vectorize/.*/upsert"),
    "the old index is being removed": re.compile(r"DELETE /vectorize/.*"),
}


@pytest.fixture
def cloud() -> Iterator[SimulatedCloud]:
    with simulated_cloud() as cloud:
        yield cloud


def search(cli: Cli, cloud: SimulatedCloud, **settings: str) -> Ran:
    return cli(
        *("search", "tomatoes", "--mode", "semantic", "--limit", "1", "--json"),
        **{**cloud.settings, **settings},
    )


def texts(ran: Ran) -> list[str]:
    return [passage["text"] for passage in ran.json["passages"]]


def embedded(cloud: SimulatedCloud, text: str) -> int:
    """How often Workers AI was asked for the vector of a text."""
    calls = [call for call in cloud.account.calls if "/ai/run/" in call.url.path]
    return sum(text.encode() in call.content for call in calls)


def test_the_next_model_has_an_index_of_its_own_and_no_setting_has_to_change(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    ran = cli("reindex", "--to", SMALL, "--json", **cloud.settings)
    assert (ran.code, ran.json["embedded"], ran.json["index_state"]) == (0, 2, "ready")
    (index,) = cloud.vectorize.indexes.values()
    assert (index.dimensions, len(index.vectors)) == (384, 2)
    assert index.name.startswith(f"{INDEX_NAME}-cf-baai-bge-small-en-v1-5-cls-")
    assert index.metadata_indexes == METADATA_INDEXES
    assert texts(search(cli, cloud)) == [TOMATOES]
    assert texts(search(cli, cloud, DOME_VECTORIZE_INDEX=index.name)) == [TOMATOES]
    assert search(cli, cloud, DOME_VECTORIZE_INDEX="another").code == 2
    assert cli("doctor", "--json", **cloud.settings).code == 0
    again = cli("reindex", "--to", SMALL, "--json", **cloud.settings)
    assert (again.code, again.json["embedded"]) == (0, 0)
    assert cli("reindex", "--json", **cloud.settings).json["embedded"] == 0
    back = cli("reindex", "--to", DEFAULT, "--json", **cloud.settings)
    assert (back.code, back.json["embedded"]) == (0, 2)
    assert texts(search(cli, cloud)) == [TOMATOES]
    assert [each.dimensions for each in cloud.vectorize.indexes.values()] == [1024]


def test_what_it_costs_is_told_before_it_begins(cli: Cli, cloud: SimulatedCloud) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    cloud.account.fail_next("POST /vectorize/v2/indexes", 403)
    ran = cli("reindex", "--to", SMALL, **cloud.settings)
    assert ran.code != 0
    assert "To embed: 2 chunks, about 9 tokens; about 1 neurons of 10,000" in ran.err
    assert "stored dimensions 2,048 now, 2,816 while both" in ran.err
    assert "768 then, of 5,000,000 on the Free plan" in ran.err
    assert texts(search(cli, cloud)) == [TOMATOES]


def test_a_model_that_is_not_there_leaves_all_as_it_was(cli: Cli, cloud: SimulatedCloud) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    ran = cli("reindex", "--to", "@cf/baai/bge-unknown", "--json", **cloud.settings)
    assert ran.code == 2
    assert DEFAULT in ran.json["error"]["message"]
    assert set(cloud.vectorize.indexes) == {INDEX_NAME}
    assert texts(search(cli, cloud)) == [TOMATOES]


@pytest.mark.parametrize("moment", KILL_MOMENTS)
def test_after_a_kill_searches_go_on_and_the_next_run_ends_what_was_begun(
    moment: str, cli: Cli, cloud: SimulatedCloud
) -> None:
    lines = jsonl([{"text": f"Fact {number} about the house."} for number in range(MANY)])
    cli("ingest", "--jsonl", "-", stdin=LINES + lines, **cloud.settings)
    with cli.start("reindex", "--to", ALIKE, stdin=subprocess.DEVNULL, **cloud.settings) as process:
        kill_at(moment, process, cloud)
    assert texts(search(cli, cloud)) == [TOMATOES]
    ran = cli("reindex", "--to", ALIKE, "--json", **cloud.settings)
    assert (ran.code, ran.json["chunks"], ran.json["pending_chunks"]) == (0, MANY + 2, 0)
    (index,) = cloud.vectorize.indexes.values()
    assert index.name != INDEX_NAME
    assert (index.dimensions, len(index.vectors)) == (1024, MANY + 2)
    assert texts(search(cli, cloud)) == [TOMATOES]


def kill_at(moment: str, process: subprocess.Popen[str], cloud: SimulatedCloud) -> None:
    """Kills the process as soon as it has sent the request that belongs to the moment."""
    sign, before = KILL_MOMENTS[moment], len(cloud.account.calls)

    def is_sent() -> bool:
        return any(sign.fullmatch(asked) for asked in cloud.account.asked[before:])

    try:
        while process.poll() is None and not is_sent():
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.005)
    finally:
        process.kill()
    assert is_sent(), process.communicate()


@pytest.mark.parametrize("command", [("reindex", "--json"), ("doctor", "--repair", "--json")])
def test_vectors_that_the_index_lost_are_sent_again_and_not_embedded_again(
    command: tuple[str, ...], cli: Cli, cloud: SimulatedCloud
) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    cloud.vectorize.indexes[INDEX_NAME].vectors.clear()
    assert cli(*command, **cloud.settings).code == 0
    assert len(cloud.vectorize.indexes[INDEX_NAME].vectors) == 2
    assert embedded(cloud, TOMATOES) == 1


def test_an_index_that_was_erased_is_made_and_filled_again_by_what_the_error_names(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    del cloud.vectorize.indexes[INDEX_NAME]
    failed = search(cli, cloud)
    assert failed.code != 0
    assert "`dome-mcp reindex` makes it and fills it again" in failed.json["error"]["hint"]
    ran = cli("reindex", **cloud.settings)
    assert "2 are sent again" in ran.err
    assert cloud.vectorize.indexes[INDEX_NAME].metadata_indexes == METADATA_INDEXES
    assert texts(search(cli, cloud)) == [TOMATOES]


def test_an_index_that_replaces_another_is_sent_everything_and_nothing_is_embedded_again(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    old = cloud.vectorize.indexes[INDEX_NAME]
    # It holds as many vectors by then, but of somebody else.
    new = cloud.vectorize.create(1024, name="dome-2")
    new.metadata_indexes.update(METADATA_INDEXES)
    new.vectors.update({f"theirs{n}": each for n, each in enumerate(old.vectors.values())})
    renamed = {**cloud.settings, "DOME_VECTORIZE_INDEX": "dome-2"}
    assert cli("reindex", "--json", **renamed).json["embedded"] == 0
    assert new.vectors.keys() > old.vectors.keys()
    assert embedded(cloud, TOMATOES) == 1
    assert texts(search(cli, cloud, DOME_VECTORIZE_INDEX="dome-2")) == [TOMATOES]


def test_a_metadata_index_that_came_late_is_made_and_all_vectors_are_sent_again(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    index = cloud.vectorize.indexes[INDEX_NAME]
    del index.metadata_indexes["day"]
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    cli("reindex", **cloud.settings)
    assert all("day" in stored.indexed for stored in index.vectors.values())


def test_a_model_that_the_index_cannot_hold_is_not_adopted_and_the_hint_leads_to_it(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    other = {**cloud.settings, "DOME_EMBEDDING_MODEL": SMALL}
    ran = cli("reindex", "--json", **other)
    assert ran.code != 0
    assert "dome-mcp reindex --to MODEL" in ran.json["error"]["hint"]
    assert texts(search(cli, cloud)) == [TOMATOES]
    assert cli("reindex", "--to", SMALL, **other).code == 0
    assert texts(search(cli, cloud, DOME_EMBEDDING_MODEL=SMALL)) == [TOMATOES]


def test_vectors_that_come_back_from_a_moved_index_are_not_looked_for_there(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    there = {**cloud.settings, "DOME_DATABASE": "embedded", "DOME_QUEUE": "embedded"}
    cli("ingest", "--jsonl", "-", stdin=LINES, **there)
    cli("reindex", "--to", SMALL, **there)
    here = {**there, "DOME_VECTORS": "embedded"}
    refused = cli("search", "tomatoes", "--json", **here)
    assert refused.code == 2
    assert f"{INDEX_NAME}-cf-baai" in json.dumps(refused.json["error"])
    assert cli("reindex", "--json", **here).json["embedded"] == 2
    found = cli("search", "tomatoes", "--mode", "semantic", "--json", **here)
    assert texts(found)[0] == TOMATOES
