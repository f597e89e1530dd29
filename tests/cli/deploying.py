"""An account in which `cloud init` has made everything, and what `cloud deploy` needs besides."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx

from dome_mcp.backends.embedded.notify import vapid
from dome_mcp.commands.cloud_smoke import CRON
from tests.cli.conftest import Cli, Ran
from tests.companion_workers.running import node_modules
from tests.server.node_packages import node_environment
from tests.simulators.cloudflare.loopback import on_loopback
from tests.simulators.cloudflare.served import Served
from tests.simulators.cloudflare.workers import Script

NAME = "dome-blobs"
_BEAT = """
INSERT INTO heartbeats (name, at_ms, details)
SELECT ?1, coalesce(max(at_ms), 0) + 60000, '{}' FROM heartbeats WHERE true
ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms"""
_SECONDS_A_MINUTE = 0.2
_PATIENCE_SECONDS = 10.0


def wrangler_environment() -> dict[str, str]:
    """The environment in which the wrangler of the tests is found, and its Node."""
    path = os.pathsep.join([str(node_modules() / ".bin"), node_environment()["PATH"]])
    return {**os.environ, "PATH": path}


@dataclass
class Deploying:
    """Runs `cloud deploy` on an installation called NAME."""

    cli: Cli
    served: Served
    url: str

    @property
    def scripts(self) -> dict[str, Script]:
        return self.served.resources.workers.scripts

    @property
    def database_id(self) -> str:
        (database_id,) = self.served.resources.databases.names
        return database_id

    def __call__(self, *words: str, **settings: str) -> Ran:
        """Says yes to it, with the URL of an API that lives."""
        where = ("--name", NAME, "--url", self.url, "--folder", str(self.cli.home / "workers"))
        with self._minutes():
            return self.cli("cloud", "deploy", "--yes", *where, *words, **settings)

    def beat(self) -> None:
        """Has the database say that the Worker of the cron ran."""
        account = self.served.account
        path = f"/accounts/{account.account_id}/d1/database/{self.database_id}/query"
        httpx.post(
            f"{account.base_url}{path}",
            headers={"Authorization": f"Bearer {account.token}"},
            json={"sql": _BEAT, "params": [CRON]},
        ).raise_for_status()

    @contextmanager
    def _minutes(self) -> Iterator[None]:
        """Runs what has a cron trigger every so often while the block does."""
        is_over = threading.Event()

        def pass_by() -> None:
            while not is_over.wait(_SECONDS_A_MINUTE):
                if any(script.crons for script in self.scripts.values()):
                    self.beat()

        thread = threading.Thread(target=pass_by)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join(_PATIENCE_SECONDS)


@contextmanager
def deploying(cli: Cli, served: Served) -> Iterator[Deploying]:
    """An installation whose data is in the account, and an API that answers."""
    environ = {name: text for name, text in cli.environ.items() if name != "DOME_EMBEDDING_MODEL"}
    cloud = replace(cli, environ={**wrangler_environment(), **environ, **served.settings})
    assert cloud("cloud", "init", "--yes", "--name", NAME).code == 0
    vapid.load_keys(cloud.home)

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if request.url.path == "/healthz" else 404, text="ok")

    with on_loopback(answer) as url:
        yield Deploying(cloud, served, url)
