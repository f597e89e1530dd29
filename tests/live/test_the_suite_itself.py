"""The live suite, run where it may: on the local Cloudflare and on a simulated account.

What fails there is listed with the reason. All else passes, or something is wrong with the suite,
the drivers or the two accounts.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Kind, Wanted, create
from tests.live.account import MAIL_FROM, MAIL_TO, WORKER_URL, Answer
from tests.live.resources import PREFIX, is_leftover, new_name
from tests.simulators.cloudflare.ai import WorkersAiSimulator
from tests.simulators.cloudflare.email import EmailSimulator
from tests.simulators.cloudflare.served import served_account
from tests.workers.local_cloudflare.embedder_server import embedder_server
from tests.workers.local_cloudflare.running import local_cloudflare

ROOT = Path(__file__).parents[2]
RUN_SECONDS = 900
MOST_CALLS = 1_500
"""A token has 1,200 in five minutes, so a run is over after two of those at most."""
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LEFT_BY_A_RUN_THAT_DIED = f"{PREFIX}20200229120000-0123abcd"
SOMEBODY_ELSES = "dome"
LISTS = {
    "database": "/d1/database",
    "index": "/vectorize/v2/indexes",
    "bucket": "/r2/buckets",
    "queue": "/queues",
}

NOT_LOCALLY: Mapping[str, str] = {
    "test_language_model_on_workers_ai.py::test_the_answer": "no chat model",
    "test_language_model_on_workers_ai.py::test_the_streamed": "no chat model",
    "test_language_model_on_workers_ai.py::test_tasks_may": "no chat model",
    "test_language_model_on_workers_ai.py::test_a_stream": "no chat model",
    "that_repeats_no_message[too long": "no chat model",
    "test_the_chat_model_answers": "no chat model",
    "test_reranker_on_workers_ai.py::test_the_text_that_answers": "no reranker",
    "test_reranker_on_workers_ai.py::test_every_text": "no reranker",
    "test_reranker_on_workers_ai.py::test_any_text": "no reranker",
    "test_reranker_on_workers_ai.py::test_calls_at_once": "no reranker",
    "test_a_query_may_name_a_stored_vector": "Vectorize is played, without vectorId",
    "of_the_budget": "no limit of calls",
    "test_a_call_of_workers_ai_counts": "no limit of calls",
    "test_the_two_poolings": "one model for all, with one pooling",
    "test_a_hundred_texts": "the model on this machine takes any number",
    "test_every_kind_of_document": "nothing converts documents",
    "test_a_document_as_large": "nothing converts documents",
}
"""What the local Cloudflare cannot prove: a part of each test's name, and why."""

ON_SIMULATORS = (
    "test_workers_ai_facts.py",
    "test_language_model_on_workers_ai.py",
    "test_reranker_on_workers_ai.py",
    "test_mail_facts.py",
    "test_python_worker.py",
)
NOT_SIMULATED: Mapping[str, str] = {
    "embeddinggemma": "a model that DOME does not use",
    "test_the_chat_model_answers_run": "chat is simulated in the form that DOME asks for",
    "test_every_kind_of_document": "the list is not simulated",
    "test_the_permission_to_send_mail": "permissions are not simulated",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of each test, by `file::name`, and all that was printed."""

    passed: frozenset[str]
    failed: frozenset[str]
    printed: str


def run_pytest(
    folder: Path, settings: Mapping[str, str], *modules: str
) -> subprocess.CompletedProcess[str]:
    """Asks for the live tests of the modules, all by default, with these settings and no others.

    Its report is `report.xml` in the folder.
    """
    foreign = ("DOME_", "CLOUDFLARE_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    paths = [f"tests/live/{name}" for name in modules] or ["tests/live"]
    options = ["-m", "live", "-p", "no:cacheprovider", f"--basetemp={folder / 'made'}"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *paths, *options, f"--junitxml={folder / 'report.xml'}"],
        cwd=ROOT,
        env={**kept, **settings},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


def run_live(folder: Path, settings: Mapping[str, str], *modules: str) -> Ran:
    """Runs the suite, or some modules of it, to its end."""
    done = run_pytest(folder, settings, *modules)
    assert done.returncode in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), done.stdout
    cases = ElementTree.parse(folder / "report.xml").iter("testcase")  # noqa: S314 - pytest's own
    failed: dict[str, bool] = {}
    for case in cases:
        module = case.attrib["classname"].rpartition(".")[2]
        name = f"{module}.py::{case.attrib['name']}"
        failed[name] = failed.get(name, False) or len(case) > 0
    return Ran(
        frozenset(name for name in failed if not failed[name]),
        frozenset(name for name in failed if failed[name]),
        done.stdout + done.stderr,
    )


def require_only(ran: Ran, listed: Mapping[str, str]) -> None:
    """Every failure is on the list, and everything on the list failed."""
    unlisted = [name for name in ran.failed if not any(part in name for part in listed)]
    assert unlisted == [], ran.printed
    unproven = [name for name in ran.passed if any(part in name for part in listed)]
    assert unproven == [], "they pass by now: take them off the list"
    assert all(any(part in name for name in ran.failed) for part in listed), sorted(ran.failed)


async def make_one_of_each_kind(api: CloudflareApi, name: str) -> None:
    kinds: tuple[Kind, ...] = ("database", "index", "bucket", "queue")
    for kind in kinds:
        await create(api, Wanted(kind, name, dimensions=8))
    await api.call(
        "PUT",
        f"/r2/buckets/{name}/objects/a%20note",
        backend="r2",
        operation="put",
        content=b"x",
        is_repeatable=True,
    )


def names_in(ask: Callable[[str], httpx.Response]) -> dict[str, list[str]]:
    """The names of all that is in an account, by kind."""
    found: dict[str, list[str]] = {}
    for kind, path in LISTS.items():
        result = ask(path).raise_for_status().json()["result"]
        listed = result["buckets"] if kind == "bucket" else result
        found[kind] = sorted(each.get("name") or each["queue_name"] for each in listed)
    return found


@pytest.mark.anyio
async def test_the_suite_passes_on_the_local_cloudflare_and_leaves_nothing_of_its_own(
    tmp_path: Path,
) -> None:
    young = new_name(datetime.now(UTC))
    folder = tmp_path / "cloudflare"
    folder.mkdir()
    with embedder_server() as embedder, local_cloudflare(folder, embedder=embedder) as local:
        async with CloudflareApi.open(local.account) as api:
            for name in (LEFT_BY_A_RUN_THAT_DIED, young, SOMEBODY_ELSES):
                await make_one_of_each_kind(api, name)
        ran = run_live(tmp_path, local.settings)
        root = f"{local.account.base_url}/accounts/{local.account.account_id}"
        headers = {"Authorization": f"Bearer {local.account.token}"}
        left = names_in(lambda path: httpx.get(f"{root}{path}", headers=headers))
        calls = [call for call in local.calls() if "/s3/" not in call]
    require_only(ran, NOT_LOCALLY)
    assert len(calls) < MOST_CALLS
    assert left == dict.fromkeys(LISTS, sorted([SOMEBODY_ELSES, young]))
    assert local.account.token not in ran.printed
    assert "DOME_LIVE_EMAIL and DOME_EMAIL_SENDER not set" in ran.printed


def as_told(messages: list[dict[str, str]]) -> str:
    """What a model answers that repeats what stands between the lines."""
    return messages[-1]["content"].partition("\n---\n")[2].removesuffix("\n---")


def test_what_the_local_cloudflare_lacks_passes_on_the_simulated_account(tmp_path: Path) -> None:
    with served_account() as served:
        served.account.register("ai", WorkersAiSimulator(say=as_told))
        served.account.register("email", EmailSimulator())
        served.account.rate_limit = '"default";r=1100;t=300'
        besides = {
            MAIL_TO: "me@example.org",
            MAIL_FROM: "dome@example.com",
            WORKER_URL: served.origin,  # answers as any server that lives
        }
        ran = run_live(tmp_path, {**served.settings, **besides}, *ON_SIMULATORS)
    require_only(ran, NOT_SIMULATED)
    assert served.account.token not in ran.printed


@pytest.mark.parametrize(
    ("name", "is_old"),
    [
        (new_name(NOW - timedelta(days=1, seconds=1)), True),
        (new_name(NOW - timedelta(hours=23)), False),
        (new_name(NOW + timedelta(days=2)), False),
        (f"{PREFIX}20200101000000", False),
        (f"{PREFIX}20209999000000-0123abcd", False),
        (f"{PREFIX}20200101000000-0123abcd-mine", False),
        (f"my-{PREFIX}20200101000000-0123abcd", False),
        ("dome", False),
    ],
    # The names are made anew in each process, and the ids have to be the same in all.
    ids=["old", "young", "of the future", "short", "no time", "long", "longer before", "other"],
)
def test_only_a_name_that_the_suite_gave_a_day_ago_is_a_leftover(name: str, is_old: bool) -> None:
    assert is_leftover(name, NOW) is is_old


def test_without_an_account_the_live_tests_are_left_out_and_the_reason_is_said(
    tmp_path: Path,
) -> None:
    done = run_pytest(tmp_path, {}, "test_d1_facts.py")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout
    assert "left out: CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN not set" in done.stdout
    assert "skipped" not in done.stdout


def test_an_answer_is_shown_without_the_account_and_the_token() -> None:
    body = {"success": False, "errors": [{"code": 1, "message": "the token t0k3n of 0123abcd"}]}
    answer = Answer(403, body, '"default";r=1;t=2', ("t0k3n", "0123abcd"))
    assert repr(answer).startswith("HTTP 403")
    assert "the token … of …" in repr(answer)


@pytest.mark.parametrize(
    ("ratelimit", "seconds"),
    [
        ('"default";r=199;t=30', 31.0),
        ('"default";r=200;t=30', 0.0),
        ("something else", 0.0),
        (None, 0.0),
    ],
)
def test_a_test_waits_until_the_token_has_calls_enough_for_it(
    ratelimit: str | None, seconds: float
) -> None:
    assert Answer(200, {}, ratelimit).seconds_to_wait == seconds
