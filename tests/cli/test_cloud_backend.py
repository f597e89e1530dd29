"""Commands with their data on Cloudflare: a simulated account behind a port of this machine."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Cli, Ran, jsonl
from tests.cli.simulated_cloud import TOKEN_ID, SimulatedCloud, simulated_cloud
from tests.simulators.cloudflare.account import TOKEN, failed
from tests.simulators.cloudflare.r2 import SECRETS


class Nothing:
    """A service without any resource."""

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        return failed(404, 10404, f"{path} could not be found")


LINES = jsonl([{"text": "Tomatoes need sun."}, {"text": "The boiler is old."}])
NOT_THERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def cloud() -> Iterator[SimulatedCloud]:
    with simulated_cloud() as cloud:
        yield cloud


def findings(ran: Ran) -> dict[str, dict[str, str]]:
    return {finding["check"]: finding for finding in ran.json["findings"]}


def test_notes_go_to_the_account_and_are_found_there(cli: Cli, cloud: SimulatedCloud) -> None:
    stored = cli("ingest", "--jsonl", "-", "--json", stdin=LINES, **cloud.settings)
    assert stored.code == 0
    found = cli("search", "tomatoes", "--mode", "semantic", "--json", **cloud.settings)
    assert found.json["passages"][0]["text"] == "Tomatoes need sun."
    assert not (cli.home / "dome.db").exists()
    assert len(cloud.vectorize.indexes["dome"].vectors) == 2


def test_a_file_goes_to_the_bucket(cli: Cli, cloud: SimulatedCloud, documents: Path) -> None:
    cli("ingest", str(documents / "boiler.md"), **cloud.settings)
    assert [line for line in cloud.r2.asked if line.startswith("PUT ")]
    assert not (cli.home / "blobs").exists()


def test_ports_can_be_on_either_side(cli: Cli, cloud: SimulatedCloud) -> None:
    mixed = {**cloud.settings, "DOME_BACKEND": "embedded", "DOME_EMBEDDINGS": "cloudflare"}
    cli("ingest", "--jsonl", "-", stdin=LINES, **mixed)
    found = cli("search", "tomatoes", "--mode", "semantic", "--json", **mixed)
    assert found.json["passages"][0]["text"] == "Tomatoes need sun."
    assert {asked.split("/")[1] for asked in cloud.account.asked} == {"ai"}


def test_the_access_key_of_the_bucket_comes_from_the_token(
    cli: Cli, cloud: SimulatedCloud, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SECRETS, TOKEN_ID, hashlib.sha256(TOKEN.encode()).hexdigest())
    keys = {"DOME_R2_ACCESS_KEY_ID": "", "DOME_R2_SECRET_ACCESS_KEY": ""}
    ran = cli("ingest", str(documents / "boiler.md"), **{**cloud.settings, **keys})
    assert ran.code == 0
    assert [line for line in cloud.r2.asked if line.startswith("PUT ")]
    assert TOKEN_ID in cloud.r2.requests[-1].headers["Authorization"]


def test_a_model_of_workers_ai_answers_through_the_gateway(cli: Cli, cloud: SimulatedCloud) -> None:
    models = {"DOME_LLM_MODEL": "@cf/zai-org/glm-4.7-flash", "DOME_AI_GATEWAY": "private"}
    cloud.ai.say = lambda _: "Tomatoes need sun. [1]"
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings, **models)
    ran = cli("ask", "Who needs sun?", "--json", **cloud.settings, **models)
    assert ran.json["model"] == "@cf/zai-org/glm-4.7-flash"
    asked = [call for call in cloud.account.calls if "/ai/" in call.url.path]
    assert {call.url.path.rpartition("/")[2] for call in asked} == {"bge-m3", "completions"}
    assert {call.headers["cf-aig-gateway-id"] for call in asked} == {"private"}


def test_a_search_in_a_new_process_takes_five_requests(cli: Cli, cloud: SimulatedCloud) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    before = len(cloud.account.calls)
    cli("search", "tomatoes", "--mode", "semantic", **cloud.settings)
    assert len(cloud.account.calls) - before == 5


def test_vectors_made_on_this_machine_can_be_kept_in_vectorize(cli: Cli) -> None:
    with simulated_cloud(dimensions=384) as cloud:
        mixed = {**cloud.settings, "DOME_EMBEDDINGS": "embedded", "DOME_BLOBS": "embedded"}
        cli("ingest", "--jsonl", "-", stdin=LINES, **mixed)
        found = cli("search", "gardening", "--mode", "semantic", "--json", **mixed)
        assert found.json["passages"][0]["text"] == "Tomatoes need sun."
        assert findings(cli("doctor", "--json", **mixed))["carried model"]["level"] == "ok"
    assert {asked.split("/")[1] for asked in cloud.account.asked} >= {"d1", "vectorize"}
    assert not [asked for asked in cloud.account.asked if "/ai/" in asked]


def test_a_sound_account_is_healthy(cli: Cli, cloud: SimulatedCloud) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    ran = cli("doctor", "--json", **cloud.settings)
    found = findings(ran)
    assert {name for name, each in found.items() if each["level"] == "problem"} == set()
    assert ran.code == 0
    checked = {"API token", "clock", "D1", "R2", "queue", "embedding model", "Vectorize"}
    assert {found[name]["level"] for name in checked} == {"ok"}
    assert "carried model" not in found
    assert "all migrations applied" in found["D1"]["message"]
    assert TOKEN not in ran.out + ran.err


def test_a_new_account_is_looked_at_before_anything_is_written(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    ran = cli("doctor", "--json", **{**cloud.settings, "DOME_R2_BUCKET": "not-there"})
    found = findings(ran)
    assert (ran.code, found["R2"]["level"]) == (1, "problem")
    assert "applied when DOME starts" in found["D1"]["message"]
    assert cloud.d1.rows_written == 0


def test_a_token_that_cloudflare_does_not_know_is_the_only_problem_told(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    ran = cli("doctor", "--json", **{**cloud.settings, "CLOUDFLARE_API_TOKEN": "another-token"})
    problems = [each for each in ran.json["findings"] if each["level"] == "problem"]
    assert [each["check"] for each in problems] == ["API token"]
    assert "dash.cloudflare.com" in problems[0]["hint"]
    assert "another-token" not in ran.out + ran.err


def test_a_token_that_was_disabled_is_a_problem(cli: Cli, cloud: SimulatedCloud) -> None:
    cloud.tokens.status = "disabled"
    found = findings(cli("doctor", "--json", **cloud.settings))
    assert (found["API token"]["level"], found["API token"]["message"]) == (
        "problem",
        "it is disabled",
    )


def test_a_permission_that_lacks_is_named(cli: Cli, cloud: SimulatedCloud) -> None:
    body = {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}
    cloud.account.fail_next("POST /d1", 403, body, times=9)
    found = findings(cli("doctor", "--json", **cloud.settings))
    assert found["D1"]["level"] == "problem"
    assert "D1 Edit" in found["D1"]["hint"]


@pytest.mark.parametrize(
    ("variable", "value", "check"),
    [
        ("DOME_D1_DATABASE_ID", NOT_THERE, "D1"),
        ("DOME_VECTORIZE_INDEX", "missing", "Vectorize"),
        ("DOME_QUEUE_ID", "0" * 32, "queue"),
        ("DOME_AI_GATEWAY", "missing", "AI Gateway"),
    ],
)
def test_a_resource_that_is_not_there_is_a_problem_that_names_its_setting(
    variable: str, value: str, check: str, cli: Cli, cloud: SimulatedCloud
) -> None:
    cloud.account.register("ai-gateway", Nothing())
    ran = cli("doctor", "--json", **{**cloud.settings, variable: value})
    assert (ran.code, findings(ran)[check]["level"]) == (1, "problem")
    assert variable in findings(ran)[check]["hint"]


def test_an_index_for_another_model_is_a_problem_with_the_command_that_mends_it(cli: Cli) -> None:
    with simulated_cloud(dimensions=384) as cloud:
        found = findings(cli("doctor", "--json", **cloud.settings))
    assert found["Vectorize"]["level"] == "problem"
    assert "wrangler vectorize create dome-2 --dimensions=1024" in found["Vectorize"]["hint"]


def test_an_index_that_cannot_filter_is_a_problem(cli: Cli, cloud: SimulatedCloud) -> None:
    cloud.vectorize.indexes["dome"].metadata_indexes.pop("day")
    found = findings(cli("doctor", "--json", **cloud.settings))["Vectorize"]
    assert "cannot filter by day" in found["message"]
    assert "`dome-mcp reindex`" in found["hint"]
    cli("reindex", **cloud.settings)
    assert findings(cli("doctor", "--json", **cloud.settings))["Vectorize"]["level"] == "ok"


def test_a_model_that_workers_ai_does_not_have_is_a_problem(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    unknown = {**cloud.settings, "DOME_EMBEDDING_MODEL": "@cf/baai/bge-unknown"}
    found = findings(cli("doctor", "--json", **unknown))
    assert found["embedding model"]["level"] == "problem"
    assert "@cf/baai/bge-m3" in found["embedding model"]["message"]


@pytest.mark.parametrize(("minutes", "level"), [(0, "ok"), (5, "warning"), (-20, "problem")])
def test_a_clock_that_is_wrong_is_told(
    minutes: int, level: str, cli: Cli, cloud: SimulatedCloud
) -> None:
    cloud.date = datetime.now(UTC) + timedelta(minutes=minutes)
    assert findings(cli("doctor", "--json", **cloud.settings))["clock"]["level"] == level


def test_a_wrong_clock_is_only_a_warning_where_nothing_is_signed(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    cloud.date = datetime.now(UTC) - timedelta(minutes=20)
    found = findings(cli("doctor", "--json", **{**cloud.settings, "DOME_BLOBS": "embedded"}))
    assert found["clock"]["level"] == "warning"
    assert "ahead of Cloudflare's" in found["clock"]["message"]


def test_an_outage_is_a_problem_and_nothing_is_written(cli: Cli, cloud: SimulatedCloud) -> None:
    cloud.account.fail_next("/tokens/verify", 400, times=9)
    ran = cli("doctor", "--json", **cloud.settings)
    assert (ran.code, findings(ran)["API token"]["level"]) == (1, "problem")
    assert cloud.d1.rows_written == 0


def test_vectors_in_another_index_refuse_the_start_until_they_are_made_again(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    cli("ingest", "--jsonl", "-", stdin=LINES, **cloud.settings)
    cloud.vectorize.create(1024, name="dome-2").metadata_indexes.update({"day": "number"})
    moved = {**cloud.settings, "DOME_VECTORIZE_INDEX": "dome-2"}
    refused = cli("search", "tomatoes", "--json", **moved)
    assert refused.code == 2
    assert "vectorize/dome" in refused.json["error"]["message"]
    assert "dome-mcp reindex" in refused.json["error"]["message"]

    ran = cli("reindex", "--json", **moved)
    assert (ran.code, ran.json["embedded"]) == (0, 0)  # the vectors are the same
    assert len(cloud.vectorize.indexes["dome-2"].vectors) == 2
    assert cli("search", "tomatoes", "--mode", "semantic", "--json", **moved).code == 0


def test_vectors_come_back_from_vectorize_and_go_there_again(
    cli: Cli, cloud: SimulatedCloud
) -> None:
    there = {**cloud.settings, "DOME_DATABASE": "embedded", "DOME_QUEUE": "embedded"}
    here = {**there, "DOME_VECTORS": "embedded"}
    cli("ingest", "--jsonl", "-", stdin=LINES, **there)
    for place in (here, there):
        assert cli("search", "tomatoes", "--json", **place).code == 2
        ran = cli("reindex", "--json", **place)
        assert (ran.code, ran.json["embedded"]) == (0, 2)
        found = cli("search", "tomatoes", "--mode", "semantic", "--json", **place)
        assert found.json["passages"][0]["text"] == "Tomatoes need sun."
