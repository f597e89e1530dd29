"""What Workers are bound to and told, found in the account or in this machine's settings."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dome_mcp import settings as settings_module
from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.commands.cloud_installation import (
    found_installation,
    planned_installation,
    secrets_for,
)
from dome_mcp.commands.worker_configs import Worker
from dome_mcp.settings import Settings
from dome_mcp.store import meta
from tests.cli.conftest import Cli
from tests.cli.deploying import NAME, Deploying, deploying
from tests.simulators.cloudflare.served import served_account

READS = Worker(
    Path("sample"), {"secrets": {"required": ["DOME_VAPID_KEY", "DOME_LLM_API_KEY", "DOME_NONE"]}}
)


@pytest.fixture
def deploy(cli: Cli) -> Iterator[Deploying]:
    with served_account() as served, deploying(cli, served) as prepared:
        yield prepared


def loaded(home: Path, **variables: str) -> tuple[Settings, Mapping[str, str]]:
    environ = {"DOME_HOME": str(home), **variables}
    return settings_module.load(environ), environ


def test_a_secret_is_taken_from_the_environment_a_setting_or_its_file(tmp_path: Path) -> None:
    assert secrets_for(READS, *loaded(tmp_path)) == {}
    (tmp_path / "vapid.pem").write_text("from the file")
    (tmp_path / "config.toml").write_text('llm_api_key = "from the settings"\n')
    both = {"DOME_VAPID_KEY": "from the file", "DOME_LLM_API_KEY": "from the settings"}
    assert secrets_for(READS, *loaded(tmp_path)) == both
    given = secrets_for(READS, *loaded(tmp_path, DOME_VAPID_KEY="from the environment"))
    assert given["DOME_VAPID_KEY"] == "from the environment"


def test_only_what_was_set_is_told_to_workers(tmp_path: Path) -> None:
    settings, _ = loaded(tmp_path, DOME_EMAIL_SENDER="dome@example.org")
    here = planned_installation("dome", settings, None)
    assert here.variables["DOME_EMAIL_SENDER"] == "dome@example.org"
    assert "DOME_URL_TIMEOUT_SECONDS" not in here.variables


@pytest.mark.anyio
async def test_workers_are_bound_to_the_index_that_is_searched(deploy: Deploying) -> None:
    settings = settings_module.load(deploy.cli.environ)
    async with CloudflareApi.open(deploy.served.account.account) as api:
        before = await found_installation(api, NAME, settings, None)
        database = D1Database(api, deploy.database_id)
        await database.query(meta.set_fact_once(meta.VECTOR_INDEX, f"{NAME}-2"))
        after = await found_installation(api, NAME, settings, None)
    assert (before.index, after.index) == (NAME, f"{NAME}-2")
    assert before.url == f"https://{NAME}-api.me.workers.dev"
