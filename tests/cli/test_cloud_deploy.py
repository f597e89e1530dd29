"""`cloud deploy`: wrangler itself, against a simulated account."""

from collections.abc import Iterator

import pytest

from dome_mcp.commands.worker_configs import API, read_workers
from tests.cli.conftest import Cli
from tests.cli.deploying import NAME, Deploying, deploying, wrangler_environment
from tests.simulators.cloudflare.account import failure
from tests.simulators.cloudflare.served import Served, served_account
from tests.simulators.cloudflare.workers import Script

WORKERS = {f"{NAME}-{worker.key}" for worker in read_workers()}
WITH_SECRETS = {f"{NAME}-{worker.key}" for worker in read_workers() if worker.secrets}
"""Of these a draft is uploaded before, to hold the secrets."""


@pytest.fixture
def served() -> Iterator[Served]:
    with served_account() as opened:
        yield opened


@pytest.fixture
def deploy(cli: Cli, served: Served) -> Iterator[Deploying]:
    with deploying(cli, served) as prepared:
        yield prepared


def consumers(served: Served) -> dict[str, str]:
    """Who is given the messages of which queue, by their names."""
    queues = served.resources.queues
    return {queues.names[key]: each["script"] for key, each in queues.consumers.of.items()}


def test_every_worker_is_deployed_bound_to_the_data_once_and_again(
    deploy: Deploying, served: Served
) -> None:
    pulling = {"type": "http_pull", "consumer_id": "c" * 32, "script": "companion"}
    served.resources.queues.consumers.of = dict.fromkeys(served.resources.queues.names, pulling)
    served.account.fail_next("PUT /workers/scripts/", 400, failure(10013, "It does not start."))
    refused = deploy()
    assert refused.code == 1
    assert "It does not start." in refused.err
    assert "bug" not in refused.err
    assert not deploy.scripts

    ran = deploy()
    assert ran.code == 0, ran.err
    assert_all_are_deployed(deploy)
    assert consumers(served)[NAME] == f"{NAME}-notify"
    [rules] = served.resources.notifications.rules.values()
    assert [rule["prefix"] for rule in rules] == ["inbox/"]
    assert "1 taken off" in ran.out
    assert "started in 812 ms" in ran.out
    assert served.account.token not in ran.out + ran.err

    before, queues = consumers(served), served.resources.names["queue"]
    ran = deploy("--json")
    assert ran.code == 0, ran.err
    outcomes = [step["outcome"] for step in ran.json["steps"]]
    assert outcomes[:2] == ["nothing was missing", "it is there"]
    assert {"it does", "there is none"} <= set(outcomes)
    assert (consumers(served), served.resources.names["queue"]) == (before, queues)
    uploads = {name: script.uploads for name, script in deploy.scripts.items()}
    assert uploads == dict.fromkeys(WORKERS, 2) | dict.fromkeys(WITH_SECRETS, 3)


def test_destroy_takes_the_workers_away_with_the_data(deploy: Deploying, served: Served) -> None:
    resources = served.resources
    resources.workers.scripts = {name: Script() for name in (*WORKERS, "another")}
    queue_ids = [resources.queues.add(f"{NAME}-{each}") for each in ("ingest", "dead-letters")]
    resources.notifications.rules = {queue_ids[0]: [{"prefix": "inbox/"}]}
    command = ("cloud", "destroy", "--no-export", "--confirm", NAME, "--name", NAME, "--json")
    ran = deploy.cli(*command)
    assert ran.code == 0, ran.err
    assert set(ran.json["workers"]) == WORKERS
    assert set(deploy.scripts) == {"another"}
    assert (resources.names["queue"], resources.notifications.rules) == ([], {})


def test_a_token_that_may_not_see_workers_can_destroy_the_rest(
    deploy: Deploying, served: Served
) -> None:
    served.account.fail_next("GET /workers/scripts", 403, failure(10000, "Authentication error"))
    command = ("cloud", "destroy", "--no-export", "--confirm", NAME, "--name", NAME, "--json")
    ran = deploy.cli(*command)
    assert (ran.code, ran.json["workers"]) == (0, [])


def assert_all_are_deployed(deploy: Deploying) -> None:
    """That the Workers are there, with the names, ids and secrets of the installation."""
    assert set(deploy.scripts) == WORKERS
    for name, script in deploy.scripts.items():
        assert script.bindings["DB"]["id"] == deploy.database_id
        assert script.metadata["main_module"] == "entry.py"
        modules = {"dome_mcp/core/timestamps.py", "python_modules/dateutil/tz/tz.py"}
        assert modules <= set(script.modules)
        assert script.is_on_workers_dev == (name == f"{NAME}-{API}")
    cron, notify = deploy.scripts[f"{NAME}-cron"], deploy.scripts[f"{NAME}-notify"]
    assert cron.crons == ["* * * * *"]
    assert cron.bindings["DELIVERIES"]["queue_name"] == NAME
    assert notify.bindings["DOME_PUBLIC_URL"]["text"] == deploy.url
    assert deploy.scripts[f"{NAME}-api"].bindings["DOME_VECTORIZE_INDEX"]["text"] == NAME
    assert notify.secrets == {"DOME_VAPID_KEY": (deploy.cli.home / "vapid.pem").read_text()}


def test_nothing_is_deployed_without_a_yes(deploy: Deploying, served: Served) -> None:
    queues = served.resources.names["queue"]
    where = ("--name", NAME, "--url", deploy.url, "--folder", str(deploy.cli.home / "workers"))
    ran = deploy.cli("cloud", "deploy", *where)
    assert ran.code == 2
    assert f"deploy {NAME}-cron, which runs at * * * * *" in ran.out
    assert "Add --yes" in ran.err
    assert (deploy.scripts, served.resources.names["queue"]) == ({}, queues)


@pytest.mark.parametrize("there", [(), ("dome",)])
def test_what_cloud_init_has_not_made_is_named(cli: Cli, served: Served, there: tuple[str]) -> None:
    for name in there:
        served.resources.databases.add(name)
    ran = cli("cloud", "deploy", "--yes", **wrangler_environment(), **served.settings)
    assert ran.code == 2
    assert f"no {'index' if there else 'database'} 'dome'" in ran.err
    assert "cloud init --name dome" in ran.err


def test_an_account_without_a_subdomain_is_told_where_to_get_one(
    deploy: Deploying, served: Served
) -> None:
    served.resources.workers.subdomain = None
    ran = deploy.cli("cloud", "deploy", "--yes", "--name", NAME)
    assert ran.code == 2
    assert "Workers & Pages" in ran.err
    assert not deploy.scripts
