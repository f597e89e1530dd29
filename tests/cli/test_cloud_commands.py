"""`cloud init`, `status` and `destroy` on a simulated account."""

import io
import stat
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES
from dome_mcp.store.schema import MIGRATIONS
from tests.cli.conftest import Cli
from tests.simulators.cloudflare.account import failure
from tests.simulators.cloudflare.r2 import BUCKET
from tests.simulators.cloudflare.served import Served, served_account

NAME = ("--name", BUCKET)
ALL = {"database": [BUCKET], "index": [BUCKET], "bucket": [BUCKET], "queue": [BUCKET]}
NONE = {kind: [] for kind in (*ALL, "gateway")}


@pytest.fixture
def served() -> Iterator[Served]:
    with served_account() as opened:
        yield opened


@pytest.fixture
def cloud(cli: Cli, served: Served) -> Cli:
    environ = {name: text for name, text in cli.environ.items() if name != "DOME_EMBEDDING_MODEL"}
    return replace(cli, environ={**environ, **served.settings})


def config(cloud: Cli) -> dict[str, object]:
    return tomllib.loads((cloud.home / "config.toml").read_text("utf-8"))


def test_the_plan_is_shown_and_nothing_is_made_without_a_yes(cloud: Cli, served: Served) -> None:
    ran = cloud("cloud", "init", *NAME)
    assert ran.code == 2
    assert "Add --yes" in ran.err
    for words in ("D1 database", "be made", "Vectorize Edit", "4,882 chunks", "$0.75 per GB-month"):
        assert words in ran.out
    assert served.resources.names == NONE
    assert not (cloud.home / "config.toml").exists()


def test_everything_is_made_and_the_settings_name_it_but_for_the_token(
    cloud: Cli, served: Served
) -> None:
    ran = cloud("cloud", "init", "--yes", *NAME)
    assert ran.code == 0, ran.err
    assert served.resources.names == {**ALL, "gateway": []}
    index = served.resources.vectorize.indexes[BUCKET]
    assert (index.dimensions, index.metric) == (1024, "cosine")
    assert set(index.metadata_indexes) == set(METADATA_INDEXES)
    (database_id,), (queue_id,) = served.resources.databases.names, served.resources.queues.names
    assert config(cloud) == {
        "backend": "cloudflare",
        "cloudflare_account_id": served.account.account_id,
        "d1_database_id": database_id,
        "vectorize_index": BUCKET,
        "r2_bucket": BUCKET,
        "queue_id": queue_id,
    }
    assert stat.S_IMODE((cloud.home / "config.toml").stat().st_mode) == 0o600
    assert served.account.token not in (cloud.home / "config.toml").read_text("utf-8")
    assert served.account.token not in ran.out + ran.err
    statements = served.resources.databases.simulators[database_id].statements
    assert sum(sql.startswith("INSERT INTO d1_migrations") for sql in statements) == len(MIGRATIONS)


def test_a_note_can_be_stored_and_found_right_after(cloud: Cli) -> None:
    cloud("cloud", "init", "--yes", *NAME)
    assert cloud("ingest", "-", stdin="The boiler is in the cellar.").code == 0
    found = cloud("search", "boiler", "--json").json
    assert [hit["text"] for hit in found["passages"]] == ["The boiler is in the cellar."]


def test_a_second_run_adopts_what_the_first_made(cloud: Cli, served: Served) -> None:
    cloud("cloud", "init", "--yes", *NAME)
    before = config(cloud)
    ran = cloud("cloud", "init", "--yes", "--json")
    assert [each["made"] for each in ran.json["resources"]] == [False] * 4
    assert served.resources.names == {**ALL, "gateway": []}
    assert config(cloud) == before


def test_what_a_user_wrote_into_the_settings_stays(cloud: Cli) -> None:
    cloud.home.mkdir(parents=True)
    (cloud.home / "config.toml").write_text(
        '# mine\nbackend = "embedded" # for now\ntimezone = "Europe/Paris"\n', encoding="utf-8"
    )
    assert cloud("cloud", "init", "--yes", *NAME).code == 0
    text = (cloud.home / "config.toml").read_text("utf-8")
    assert text.startswith('# mine\nbackend = "cloudflare"\ntimezone = "Europe/Paris"\n')


def test_a_machine_with_notes_of_its_own_goes_on_using_them(cloud: Cli) -> None:
    cloud("ingest", "-", stdin="Local note", DOME_EMBEDDING_MODEL="off")
    ran = cloud("cloud", "init", "--yes", *NAME)
    assert "dome-mcp push --switch" in ran.out
    assert "backend" not in config(cloud)
    assert len(cloud.note_ids()) == 1


CREATIONS = ("/d1/database", "/vectorize/v2/indexes", "/r2/buckets", "/queues", "/gateways")


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", CREATIONS)
def test_an_init_that_was_cut_off_goes_on_and_makes_nothing_twice(
    cloud: Cli, served: Served, place: str, is_after: bool
) -> None:
    served.account.fail_next(f"POST {place}", 500, times=1, is_after_the_work=is_after)
    served.account.fail_next(f"POST /ai-gateway{place}", 500, times=1, is_after_the_work=is_after)
    first = cloud("cloud", "init", "--yes", "--gateway", *NAME)
    assert first.code == (0 if is_after else 1), first.err
    assert cloud("cloud", "init", "--yes", "--gateway", *NAME).code == 0
    assert served.resources.names == {**ALL, "gateway": [BUCKET]}
    assert served.resources.gateways.made[BUCKET]["collect_logs"] is False


def test_an_index_of_other_dimensions_is_not_adopted_and_nothing_is_made(
    cloud: Cli, served: Served
) -> None:
    served.resources.vectorize.create(384, name=BUCKET)
    ran = cloud("cloud", "init", "--yes", *NAME)
    assert ran.code == 1
    assert "384 dimensions" in ran.err
    assert served.resources.names == {**NONE, "index": [BUCKET]}
    small = cloud("cloud", "init", "--yes", "--model", "@cf/baai/bge-small-en-v1.5", *NAME)
    assert small.code == 0, small.err


def test_a_database_with_something_else_in_it_is_not_adopted(cloud: Cli, served: Served) -> None:
    database_id = served.resources.databases.add(BUCKET)
    path = f"{served.account.base_url}/accounts/{served.account.account_id}/d1/database"
    httpx.post(
        f"{path}/{database_id}/raw",
        headers={"Authorization": f"Bearer {served.account.token}"},
        json={"sql": "CREATE TABLE shop (id TEXT)"},
    ).raise_for_status()
    ran = cloud("cloud", "init", "--yes", *NAME)
    assert ran.code == 1
    assert "something else" in ran.err
    assert served.resources.names == {**NONE, "database": [BUCKET]}


def test_a_permission_that_the_token_lacks_is_named_before_anything_is_made(
    cloud: Cli, served: Served
) -> None:
    refusal = failure(10000, "Authentication error")
    served.account.fail_next("GET /queues", 403, refusal, times=9)
    ran = cloud("cloud", "init", "--yes", *NAME)
    assert ran.code == 1
    assert "Queues Edit" in ran.err
    assert served.resources.names == NONE


def test_another_name_than_the_settings_have_is_refused(cloud: Cli, served: Served) -> None:
    cloud("cloud", "init", "--yes", *NAME)
    before = config(cloud)
    for command in (("init", "--yes"), ("destroy", "--confirm", "other")):
        assert cloud("cloud", *command, "--name", "other").code == (1 if "init" in command else 2)
    assert config(cloud) == before
    assert served.resources.names == {**ALL, "gateway": []}


def test_without_an_account_it_is_said_where_a_token_is_made(cli: Cli) -> None:
    ran = cli("cloud", "init", "--yes")
    assert ran.code == 2
    for words in ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN", "dash.cloudflare.com"):
        assert words in ran.err


def test_status_tells_what_is_there_and_how_much_it_holds(cloud: Cli) -> None:
    cloud("cloud", "init", "--yes", *NAME)
    cloud("ingest", "-", stdin="The boiler is in the cellar.")
    ran = cloud("cloud", "status", "--json")
    assert ran.code == 0, ran.err
    by_kind = {each["kind"]: each for each in ran.json["resources"]}
    assert by_kind["database"]["file_size"] == 1_250_000
    assert (by_kind["index"]["vectors"], by_kind["index"]["dimensions"]) == (1, 1024)
    assert by_kind["queue"]["backlog"] == 0
    assert ran.json["notes"] == 1
    shown = cloud("cloud", "status", *NAME)
    assert "1.2 MB" in shown.out


def test_status_says_what_is_missing_and_what_may_not_be_seen(cloud: Cli, served: Served) -> None:
    cloud("cloud", "init", "--yes", *NAME)
    served.resources.buckets.jurisdictions.clear()
    served.account.fail_next("GET /queues", 403, failure(10000, "no"), times=9)
    ran = cloud("cloud", "status", *NAME)
    assert ran.code == 1
    assert "R2 bucket\tdome-blobs\tno" in ran.out
    assert "not to be seen" in ran.out
    assert "cloud init" in ran.out


@pytest.fixture
def filled(cloud: Cli, served: Served) -> Cli:
    """A cloud with a short note, and one whose text is a file of the bucket."""
    cloud("cloud", "init", "--yes", *NAME)
    cloud("ingest", "-", stdin="The boiler is in the cellar.")
    cloud("ingest", "-", stdin="A long story. " * 4000)
    assert served.resources.r2.stored.objects
    return cloud


def test_destroy_asks_for_the_name_and_does_nothing_without(filled: Cli, served: Served) -> None:
    assert filled("cloud", "destroy", *NAME).code == 2
    assert filled("cloud", "destroy", "--confirm", "dome", *NAME).code == 2
    assert served.resources.names == {**ALL, "gateway": []}


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "is_removed"), [(BUCKET, True), ("yes", False)])
def test_the_name_typed_is_what_removes_it(
    filled: Cli, served: Served, typed: str, is_removed: bool
) -> None:
    terminal = _Terminal(io.BytesIO(f"{typed}\n".encode()), encoding="utf-8")
    filled.monkeypatch.setattr(sys, "stdin", terminal)
    ran = filled("cloud", "destroy", "--no-export", *NAME)
    assert ran.code == (0 if is_removed else 1)
    assert f"Type {BUCKET}" in ran.err
    assert (served.resources.names == NONE) == is_removed


def test_destroy_leaves_a_whole_copy_here_and_nothing_there(filled: Cli, served: Served) -> None:
    ran = filled("cloud", "destroy", "--confirm", BUCKET, "--json", *NAME)
    assert ran.code == 0, ran.err
    assert served.resources.names == NONE
    assert set(config(filled)) == {"cloudflare_account_id"}
    copy = ran.json["copy"]
    listed = filled("notes", "list", "--json", "--home", copy, DOME_EMBEDDING_MODEL="off")
    assert len(listed.json["notes"]) == 2
    long = max(listed.json["notes"], key=lambda note: note["characters"])
    shown = filled(
        "notes", "show", long["note_id"], "--json", "--home", copy, DOME_EMBEDDING_MODEL="off"
    )
    assert shown.json["text"].count("A long story.") == 4000


def test_a_copy_that_is_not_whole_keeps_everything(filled: Cli, served: Served) -> None:
    served.resources.r2.stored.objects.clear()
    ran = filled("cloud", "destroy", "--confirm", BUCKET, *NAME)
    assert ran.code == 1
    assert "nothing was removed" in ran.err
    assert served.resources.names == {**ALL, "gateway": []}


def test_what_is_not_domes_stays_in_the_bucket_and_the_bucket_with_it(
    filled: Cli, served: Served
) -> None:
    objects = served.resources.r2.stored.objects
    objects["photos/cat.jpg"] = next(iter(objects.values()))
    ran = filled("cloud", "destroy", "--no-export", "--confirm", BUCKET, *NAME)
    assert ran.code == 1
    assert list(objects) == ["photos/cat.jpg"]
    assert served.resources.names["database"] == [BUCKET]
