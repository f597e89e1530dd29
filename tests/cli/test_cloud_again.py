"""`cloud init` and `destroy` that were cut off, where data has to stay, and what is never told."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dome_mcp.store.schema import MIGRATIONS
from tests.cli.conftest import Cli
from tests.simulators.cloudflare.account import failure
from tests.simulators.cloudflare.r2 import BUCKET
from tests.simulators.cloudflare.served import Served, served_account

NAME = ("--name", BUCKET)
INIT = ("cloud", "init", "--yes", *NAME)
DESTROY = ("cloud", "destroy", "--confirm", BUCKET, *NAME)
NONE = {"database": [], "index": [], "bucket": [], "queue": [], "gateway": []}
OFF = {"DOME_EMBEDDING_MODEL": "off"}


@pytest.fixture
def served() -> Iterator[Served]:
    with served_account() as opened:
        yield opened


@pytest.fixture
def cloud(cli: Cli, served: Served) -> Cli:
    environ = {name: text for name, text in cli.environ.items() if name != "DOME_EMBEDDING_MODEL"}
    return replace(cli, environ={**environ, **served.settings})


@pytest.fixture
def filled(cloud: Cli) -> Cli:
    """A cloud with a short note, and one whose text is a file of the bucket."""
    cloud(*INIT)
    cloud("ingest", "-", stdin="The boiler is in the cellar.")
    cloud("ingest", "-", stdin="A long story. " * 4000)
    return cloud


def config(cloud: Cli) -> dict[str, object]:
    return tomllib.loads((cloud.home / "config.toml").read_text("utf-8"))


def copied_texts(cloud: Cli) -> list[int]:
    """How long the texts of the notes in the copy are."""
    home = ("--home", str(cloud.home.with_name("home-copy")))
    listed = cloud("notes", "list", "--json", *home, **OFF).json["notes"]
    shown = [cloud("notes", "show", each["note_id"], "--json", *home, **OFF) for each in listed]
    return sorted(len(each.json["text"]) for each in shown)


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", ["/raw", "/metadata_index/create"])
def test_an_init_that_broke_off_inside_a_resource_finishes_it_the_next_time(
    cloud: Cli, served: Served, place: str, is_after: bool
) -> None:
    served.account.fail_next(place, 500, times=9 if place == "/raw" else 3)
    assert cloud(*INIT).code == 1
    assert not (cloud.home / "config.toml").exists()
    served.account.work_again()
    served.account.fail_next(place, 500, is_after_the_work=is_after)
    cloud(*INIT)
    assert cloud(*INIT).code == 0
    (database,) = served.resources.databases.simulators.values()
    made = [sql for sql in database.statements if sql.startswith("INSERT INTO d1_migrations")]
    assert len(made) >= len(MIGRATIONS)
    assert set(served.resources.vectorize.indexes[BUCKET].metadata_indexes) == {"context", "day"}
    cloud("ingest", "-", stdin="The boiler is in the cellar.")
    found = cloud("search", "boiler", "--json").json["passages"]
    assert [hit["text"] for hit in found] == ["The boiler is in the cellar."]


REMOVALS = ("/d1/database", "/vectorize/v2", "/r2/buckets", "/queues", "/ai-gateway")


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", REMOVALS)
def test_a_destroy_that_broke_off_at_any_removal_goes_on_and_the_copy_stays_whole(
    filled: Cli, served: Served, place: str, is_after: bool
) -> None:
    filled(*INIT, "--gateway")
    served.account.fail_next(f"DELETE {place}", 400, times=9, is_after_the_work=is_after)
    first = filled(*DESTROY)
    assert first.code == (0 if is_after else 1), first.err
    if not is_after:
        assert served.resources.names["database"] == [BUCKET]
        assert "d1_database_id" in config(filled)
        served.account.work_again()
        again = filled(*DESTROY)
        assert again.code == 0, again.err
    assert served.resources.names == NONE
    assert set(config(filled)) == {"cloudflare_account_id"}
    assert copied_texts(filled) == [28, 4000 * 14 - 1]


def test_a_destroy_that_died_before_it_wrote_the_settings_finishes_them(
    filled: Cli, served: Served
) -> None:
    before = config(filled)
    assert filled(*DESTROY).code == 0
    (filled.home / "config.toml").write_text(
        "".join(f'{name} = "{value}"\n' for name, value in before.items()), encoding="utf-8"
    )
    assert filled("cloud", "destroy", *NAME).code == 2
    assert config(filled) == before
    again = filled(*DESTROY, "--json")
    assert (again.code, again.json["removed"], again.json["copy"]) == (0, [], None)
    assert set(config(filled)) == {"cloudflare_account_id"}
    assert filled(*DESTROY).code == 2


def test_without_the_bucket_a_copy_that_lacks_files_is_no_copy(filled: Cli, served: Served) -> None:
    served.resources.buckets.jurisdictions.clear()
    served.resources.r2.fail_next("GET /", 404, "NoSuchBucket", times=99)
    ran = filled(*DESTROY)
    assert ran.code == 2
    assert "--no-export" in ran.err
    assert served.resources.names["database"] == [BUCKET]
    assert filled(*DESTROY, "--no-export").code == 0
    assert served.resources.names == NONE


def test_an_index_that_vectors_were_moved_to_goes_with_the_first(
    filled: Cli, served: Served
) -> None:
    (database,) = served.resources.databases.simulators.values()
    for name in ("dome-next", "dome-left"):
        served.resources.vectorize.create(384, name=name)
    database.damage("INSERT INTO meta (name, value) VALUES ('vector_index', 'dome-next')")
    database.damage("INSERT INTO vector_indexes (index_name) VALUES ('dome-left')")
    shown = filled("cloud", "status", "--json", *NAME).json["resources"]
    assert [each["name"] for each in shown if each["kind"] == "index"] == ["dome-next"]
    assert filled(*DESTROY, "--no-export").code == 0
    assert served.resources.names == NONE


def test_an_init_after_the_vectors_were_moved_adopts_the_index_that_they_are_in(
    filled: Cli, served: Served
) -> None:
    before, model = config(filled), "@cf/baai/bge-small-en-v1.5"
    assert filled("reindex", "--to", model).code == 0
    (moved_to,) = served.resources.names["index"]
    assert moved_to != BUCKET
    ran = filled(*INIT, "--model", model, "--gateway", "--json")
    assert ran.code == 0, ran.err
    made = {each["kind"]: (each["name"], each["made"]) for each in ran.json["resources"]}
    assert (made["index"], made["gateway"]) == ((moved_to, False), (BUCKET, True))
    assert config(filled) == {**before, "ai_gateway": BUCKET}


def test_data_can_be_kept_in_a_jurisdiction(cloud: Cli, served: Served) -> None:
    ran = cloud(*INIT, "--jurisdiction", "eu")
    assert ran.code == 0, ran.err
    assert "jurisdiction 'eu'" in ran.out
    resources = served.resources
    for made in (resources.databases, resources.buckets, resources.queues):
        assert list(made.jurisdictions.values()) == ["eu"]
    assert config(cloud)["r2_jurisdiction"] == "eu"
    shown = cloud("cloud", "status", *NAME)
    assert "R2 bucket\tdome-blobs\tyes, in eu" in shown.out
    assert cloud(*INIT).code == 0
    assert resources.names["bucket"] == [BUCKET]
    assert cloud(*DESTROY, "--no-export").code == 0
    assert resources.names == NONE
    assert "r2_jurisdiction" not in config(cloud)


def test_a_database_that_is_elsewhere_already_is_not_adopted_into_a_jurisdiction(
    cloud: Cli, served: Served
) -> None:
    served.resources.databases.add(BUCKET)
    ran = cloud(*INIT, "--jurisdiction", "eu")
    assert ran.code == 1
    assert "not in the jurisdiction 'eu'" in ran.err
    assert served.resources.names == {**NONE, "database": [BUCKET]}


def test_status_counts_files_rows_and_vectors_on_their_way(filled: Cli, served: Served) -> None:
    served.resources.vectorize.delay_seconds = 300.0
    filled("ingest", "-", stdin="Just stored.")
    ran = filled("cloud", "status", "--json")
    by_kind = {each["kind"]: each for each in ran.json["resources"]}
    assert (by_kind["bucket"]["objects"], by_kind["bucket"]["bytes"]) == (1, 4000 * 14 - 1)
    assert ran.json["rows"]["notes"] == 3
    assert ran.json["unsettled_vectors"] > 0
    shown = filled("cloud", "status").out
    assert "1 files, 0.1 MB (0% of what is free)" in shown
    assert "3 notes" in shown


def test_a_size_that_may_not_be_asked_stops_nothing(filled: Cli, served: Served) -> None:
    served.account.fail_next("/info", 403, failure(10000, "no"), times=9)
    served.resources.r2.fail_next("GET /", 403, "AccessDenied", times=9)
    ran = filled("cloud", "status")
    assert ran.code == 0
    assert "The size of the R2 bucket cannot be told" in ran.err
    assert "The size of the Vectorize index cannot be told" in ran.err


def test_the_token_is_in_no_output_and_no_file(cloud: Cli, served: Served, tmp_path: Path) -> None:
    """Of commands that do well, and of those that are refused in the middle."""
    token, loud = served.account.token, {"DOME_LOG_LEVEL": "DEBUG"}
    commands = [
        INIT,
        ("ingest", "-"),
        ("doctor",),
        ("cloud", "status", *NAME),
        ("push",),
        ("pull", "--json"),
        ("config", "show"),
        DESTROY,
    ]
    said = ""
    for refusal in (failure(10000, f"Authentication error of {token}"), None):
        for command in commands:
            if refusal is not None:
                served.account.fail_next("", 403, refusal, times=1)
            ran = cloud(*command, stdin="A note.", **loud)
            said += ran.out + ran.err
            served.account.work_again()
    assert served.resources.names == NONE
    assert "refused" in said or "may not" in said
    assert token not in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "config.toml" for path in files)
    assert [path for path in files if token.encode() in path.read_bytes()] == []
