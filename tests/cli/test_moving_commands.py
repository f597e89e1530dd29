"""`push` and `pull` between this machine and a simulated account."""

import shutil
import threading
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.commands.moving import at_once, move_users
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import BlobStore
from dome_mcp.services.companions import beat
from tests.cli.conftest import Cli, jsonl
from tests.services.moving_for_tests import stock, world
from tests.simulators.cloudflare.d1 import FREE_ROWS_WRITTEN_A_DAY, D1Simulator
from tests.simulators.cloudflare.r2 import BUCKET
from tests.simulators.cloudflare.served import Served, served_account

LONG = "A long story. " * 4000
BOILER = "The boiler is in the cellar."


@pytest.fixture
def served() -> Iterator[Served]:
    with served_account() as opened:
        yield opened


@pytest.fixture
def both(cli: Cli, served: Served) -> Cli:
    """A machine with notes of two users, a task and a channel, and an account made for DOME."""
    both = replace(cli, environ={**cli.environ, **served.settings})
    lines = jsonl([{"text": f"Note number {number}.", "tags": ["n"]} for number in range(5)])
    both("ingest", "--jsonl", "-", stdin=lines)
    both("ingest", "-", stdin=LONG)
    both("ingest", "-", stdin="Theirs.", DOME_USER="ann")
    both("channel", "add", "phone", "--webhook", "http://127.0.0.1:9/x", "--allow-private")
    assert both("cloud", "init", "--yes", "--name", BUCKET).code == 0
    return both


def on_cloudflare(both: Cli) -> Cli:
    return replace(both, environ={**both.environ, "DOME_BACKEND": "cloudflare"})


def database(served: Served) -> D1Simulator:
    (simulator,) = served.resources.databases.simulators.values()
    return simulator


def test_everybodys_data_is_pushed_verified_and_used_from_then_on(both: Cli) -> None:
    ran = both("push", "--switch", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["verified"] is True
    users = ran.json["users"]
    assert users["me"]["moved"]["notes"]["moved"] == 6
    assert users["me"]["moved"]["files"]["moved"] == 1
    assert users["me"]["moved"]["channels"]["moved"] == 1
    assert users["ann"]["moved"]["notes"]["moved"] == 1
    config = tomllib.loads((both.home / "config.toml").read_text("utf-8"))
    assert config["backend"] == "cloudflare"
    before = {path: path.read_bytes() for path in both.home.glob("dome.db*")}
    assert len(both.note_ids()) == 6
    both("ingest", "-", stdin="Only there.")
    assert before == {path: path.read_bytes() for path in both.home.glob("dome.db*")}


def test_a_second_push_moves_nothing_and_says_so(both: Cli) -> None:
    both("push")
    ran = both("push")
    assert ran.code == 0
    assert "6 there already" in ran.out
    assert "everything has arrived" in ran.out
    assert "backend = " in ran.out


def test_what_was_added_on_cloudflare_is_pulled_back(both: Cli) -> None:
    both("push")
    on_cloudflare(both)("ingest", "-", stdin="Noted on the way.")
    ran = both("pull", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["users"]["me"]["moved"]["notes"] == {
        "moved": 1, "unchanged": 6, "kept": 0, "twins": 0, "lost": [],
    }  # fmt: skip
    texts = both("search", "way", "--json").json["passages"]
    assert [hit["text"] for hit in texts] == ["Noted on the way."]


def test_a_companion_that_would_fire_everything_twice_is_told_of(both: Cli) -> None:
    assert "companion" not in both("push").err

    async def beat_here() -> None:
        async with SqliteDatabase.open(both.home / "dome.db") as opened:
            await beat(opened, "c", now=datetime.now(UTC), details={})

    anyio.run(beat_here)
    assert "sent twice" in both("push").err


def test_one_user_can_be_moved_alone(both: Cli) -> None:
    assert list(both("push", "--user", "ann", "--json").json["users"]) == ["ann"]
    assert on_cloudflare(both).note_ids() == []
    assert both("push", "--user", "nobody").code == 2


def test_a_days_rows_that_end_in_the_middle_stop_a_push_and_the_next_day_goes_on(
    both: Cli, served: Served
) -> None:
    simulator = database(served)
    simulator.new_day()
    simulator.max_rows_written = 10
    for _ in ("until it ends", "and again on the same day"):
        ran = both("push", "--switch")
        assert ran.code == 1
        for words in ("rows written (100,000 a day)", "nothing is lost", "command again after"):
            assert words in ran.err
    assert "backend" not in tomllib.loads((both.home / "config.toml").read_text("utf-8"))
    simulator.max_rows_written = FREE_ROWS_WRITTEN_A_DAY
    simulator.new_day()
    ran = both("push", "--json")
    assert ran.json["verified"] is True
    notes = [user["moved"]["notes"] for user in ran.json["users"].values()]
    assert sum(each["moved"] + each["unchanged"] for each in notes) == 7
    assert sum(each["unchanged"] for each in notes) > 0


def test_a_push_that_takes_days_says_so_before_and_none_where_the_rest_fits(both: Cli) -> None:
    """A note with one chunk is 10 rows, and a tag 2."""
    tags = [f"tag-{number}" for number in range(30)]
    lines = jsonl([{"text": f"Long labelled {n}.", "tags": tags} for n in range(1_500)])
    both("ingest", "--jsonl", "-", stdin=lines)
    ran = both("push", "--json")
    assert ran.code == 0, ran.err
    assert "45,005 tags at 2" in ran.err
    assert "2 days in all" in ran.err
    assert 105_000 < ran.json["rows_expected"] < 106_000
    assert ran.json["rows_written"] > 1_500 * 30
    again = both("push", "--json")
    assert "Free plan" not in again.err
    assert again.json["rows_expected"] == 0


class _Watched(list[str]):
    """Statements that tell when the first note is written."""

    def __init__(self) -> None:
        super().__init__()
        self.is_writing = threading.Event()

    def append(self, sql: str) -> None:
        super().append(sql)
        if "INSERT INTO notes" in sql:
            self.is_writing.set()


def test_a_push_that_is_killed_goes_on_where_it_was(both: Cli, served: Served) -> None:
    watched = database(served).statements = _Watched()
    process = both.start("push", "--json")
    assert watched.is_writing.wait(60)
    process.kill()
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert both("push", "--json").json["verified"] is True
    assert len(on_cloudflare(both).note_ids()) == 6


def test_nothing_on_this_machine_is_told_and_makes_nothing(both: Cli) -> None:
    ran = both("push", "--home", str(both.home.with_name("empty")))
    assert ran.code == 2
    assert not both.home.with_name("empty").exists()


def test_a_file_that_is_lost_here_is_told_and_stops_the_switch(both: Cli) -> None:
    for path in (both.home / "blobs").rglob("*.body"):
        path.unlink()
    ran = both("push", "--switch")
    assert ran.code == 1
    assert "lost" in ran.out
    assert "backend" not in tomllib.loads((both.home / "config.toml").read_text("utf-8"))


def test_vectors_of_the_same_model_are_taken_along_and_back(cli: Cli, served: Served) -> None:
    """The model that comes with DOME makes them here; Vectorize holds them there."""
    environ = {name: text for name, text in cli.environ.items() if name != "DOME_EMBEDDING_MODEL"}
    here = replace(cli, environ={**environ, **served.settings, "DOME_EMBEDDINGS": "embedded"})
    here("ingest", "-", stdin=BOILER)
    small = ("--model", "@cf/baai/bge-small-en-v1.5", "--name", BUCKET)
    assert here("cloud", "init", "--yes", *small).code == 0
    ran = here("push", "--switch", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["pending_chunks"] == 0
    assert len(served.resources.vectorize.indexes[BUCKET].vectors) == 1
    question = ("search", "where is the heating?", "--mode", "semantic", "--json")
    assert [hit["text"] for hit in here(*question).json["passages"]] == [BOILER]

    folder = here.home.with_name("other")
    folder.mkdir(mode=0o700)
    shutil.copy(here.home / "config.toml", folder)
    other = ("--home", str(folder))
    ran = here("pull", "--switch", "--json", *other)
    assert ran.code == 0, ran.err
    assert ran.json["pending_chunks"] == 0
    pulled = replace(here, environ={**here.environ, "DOME_EMBEDDINGS": ""})
    assert [hit["text"] for hit in pulled(*question, *other).json["passages"]] == [BOILER]


@pytest.mark.anyio
@pytest.mark.parametrize("failures", [3, 4])
async def test_what_fails_for_a_moment_is_tried_again_and_not_for_ever(
    tmp_path: Path, failures: int
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with world(tmp_path / "a") as source, world(tmp_path / "b") as target:
        await stock(source)
        flaky = replace(target, blobs=_Flaky(target.blobs, failures))
        moving = move_users(["me"], source, flaky, vectors=None, show=_show, sleep=sleep)
        if failures == 4:
            with pytest.raises(BackendUnavailable):
                await moving
        else:
            assert (await moving)["me"].is_whole
        assert waits == [2.0, 7.0, 6.0]


def _show(_label: str, _done: int, _total: int | None) -> None:
    """Nobody watches."""


class _Flaky:
    """Fails so many times before it lists anything; the second time it says when to come back."""

    def __init__(self, inner: BlobStore, failures: int) -> None:
        self.get, self.put, self.delete = inner.get, inner.put, inner.delete
        self._inner = inner
        self._left = failures
        self._failed = 0

    async def keys(self, prefix: str = "") -> Sequence[str]:
        if self._left:
            self._left -= 1
            self._failed += 1
            retry_after = 7.0 if self._failed == 2 else None
            raise BackendUnavailable("b", "keys", "Busy.", retry_after=retry_after)
        return await self._inner.keys(prefix)


@pytest.mark.anyio
async def test_a_file_that_cannot_be_stored_is_one_error_however_many_fail_with_it() -> None:
    async def fail() -> None:
        raise BackendUnavailable("b", "put", "Busy.")

    with pytest.raises(BackendUnavailable):
        await at_once([fail, fail])
