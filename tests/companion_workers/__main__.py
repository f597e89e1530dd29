"""`python -m tests.companion_workers`: the companion Workers on this machine, as they are deployed.

    python -m tests.companion_workers [--folder DIR] [--port N]

D1, R2, Queues and Durable Objects are Cloudflare's own in workerd; Vectorize is a stand-in, and
DOME's own model and parsers are, for Workers AI. The cron triggers run once a minute. On standard
output it says what to export so that `dome-mcp` works against the API; it runs until Ctrl-C.
Without a folder everything is gone then.
"""

import argparse
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio

from dome_mcp import settings as settings_module
from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.cloudflare_wiring import DEFAULT_EMBEDDING_MODEL
from dome_mcp.commands.cloud_installation import planned_installation, secrets_for
from dome_mcp.commands.worker_configs import API, COMMITTED_NAME, Worker, gather, read_workers
from dome_mcp.core.access import EVERYTHING
from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.core.ports import Ports
from dome_mcp.core.tokens import ID_BYTES, SECRET_BYTES, token_text
from dome_mcp.documents import registry
from dome_mcp.services.access import create_token
from dome_mcp.settings import Settings
from tests.companion_workers.local_wrangler import migrated_database
from tests.companion_workers.remote_bindings import remote_bindings
from tests.companion_workers.running import Deployed, RunningWorkers, running_workers
from tests.workers.local_cloudflare.embedder_server import carried_model

_MINUTE = 60
_DIMENSIONS = embedding_model(DEFAULT_EMBEDDING_MODEL).dimensions


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.companion_workers")
    parser.add_argument(
        "--folder", type=Path, help="where its data is kept; else it is thrown away"
    )
    parser.add_argument("--port", type=int, default=8788, help="where the API is (8788)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as thrown_away:
        folder = (arguments.folder or Path(thrown_away)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        anyio.run(run, folder, arguments.port)


async def run(folder: Path, port: int) -> None:
    """Runs the Workers until a signal, what to export on standard output."""
    url = f"http://127.0.0.1:{port}"
    settings = settings_module.load(overrides={"home": str(folder)})
    workers = sorted(read_workers(), key=lambda each: each.key != API)  # the first is served
    deployed = [gathered(worker, settings, url) for worker in workers]
    token = await admitted(migrated_database(deployed[0].folder, folder), settings)
    share_data(folder)
    began = time.monotonic()
    with (
        remote_bindings() as remote,
        running_workers(deployed, folder, remote=remote.url, port=port) as running,
    ):
        remote.empty("VECTORIZE", dimensions=_DIMENSIONS)
        remote.ai.convert, remote.ai.embed = as_markdown, embedded
        print(f"Ready after {time.monotonic() - began:.1f} s. Ctrl-C ends it.", file=sys.stderr)
        print(f"export DOME_API_URL={url} DOME_API_TOKEN={token}", flush=True)
        crons = [worker.config["name"] for worker in workers if worker.crons]
        await run_crons(crons, running)


def as_markdown(data: bytes) -> str | None:
    """What toMarkdown would make of a document, as far as DOME's own parsers can."""
    try:
        return registry.parse(data, filename="document").text
    except UnreadableDocument:
        return None


async def embedded(texts: Sequence[str]) -> list[list[float]]:
    """Vectors of the carried model, filled up with zeros, which keeps their angles."""
    vectors = [vector.tolist() for vector in carried_model().embed(texts)]
    return [[*vector, *[0.0] * (_DIMENSIONS - len(vector))] for vector in vectors]


def gathered(worker: Worker, settings: Settings, url: str) -> Deployed:
    """A Worker in a folder of its own, as `cloud deploy` uploads it."""
    environment = settings_module.environment()
    here = planned_installation(COMMITTED_NAME, settings, url)
    hidden = secrets_for(worker, settings, environment)
    folder = settings.home / "workers" / worker.key
    gather(worker, here, folder, list(hidden))
    return Deployed(folder, tuple(hidden.items()))


def share_data(folder: Path) -> None:
    """Lets the Workers find under `data` what wrangler keeps under `v3`."""
    if not (folder / "data").exists():
        (folder / "data").symlink_to("v3")


async def admitted(database: Path, settings: Settings) -> str:
    """A token for everything, made in a database that no Worker has opened yet."""
    token = token_text(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
    async with SqliteDatabase.open(database) as opened:
        await create_token(
            token,
            Ports(opened, None, FileBlobs(settings.home), None),
            user_id=settings.user,
            name="local",
            scopes=EVERYTHING,
            now=datetime.now(UTC),
            expires_at=None,
        )
    return token


async def run_crons(names: Sequence[str], running: RunningWorkers) -> None:
    """Dispatches the crons once a minute until a signal: locally they never run by themselves."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_every_minute, names, running)
            async for _ in signals:
                tasks.cancel_scope.cancel()


async def _every_minute(names: Sequence[str], running: RunningWorkers) -> None:
    while True:
        for name in names:
            [outcome] = await running.run_cron(name, at=datetime.now(UTC))
            print(f"{name} ran: {outcome}", file=sys.stderr)
        await anyio.sleep(_MINUTE - time.time() % _MINUTE)


if __name__ == "__main__":
    main()
