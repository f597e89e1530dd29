"""The companion Workers in workerd, once a session, and a bench for their drivers."""

import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from pathlib import Path

import anyio
import httpx
import pytest

import dome_mcp
from dome_mcp.backends.embedded.notify import vapid
from dome_mcp.core.ports import Ports
from dome_mcp.store.schema import migrate
from tests.companion_workers.cloud import ZONE, Cloud
from tests.companion_workers.ingest_cloud import Intake, opened_intake
from tests.companion_workers.remote import (
    Binding,
    RemoteBlobs,
    RemoteDatabase,
    RemoteQueue,
    emptied,
)
from tests.companion_workers.remote_bindings import RemoteBindings, remote_bindings
from tests.companion_workers.running import Deployed, RunningWorkers, running_workers
from tests.simulators.webhook_sink import WebhookSink, running_webhook_sink
from worker_companions.bundle import FOLDER, WORKERS, bundle

LAYERS = ("core", "store", "services")
"""What runs in Workers, whether these Workers need it or not."""
BENCH = Path(__file__).with_name("bench")
PUBLIC_URL = "https://dome.example"
_ROUTES = {"api": "dome.example/*"}
SENDER = "dome@example.com"
PATIENCE_SECONDS = 120
_RETRY_DELAY = re.compile(r'("retry_delay": )\d+')
_DATABASES = cycle(["DB_1", "DB_2", "DB_3"])
"""Lent in turn, so that a request that a test abandoned has ended when its database comes again."""


def gathered(source: Path, folder: Path) -> Path:
    """A folder with a Worker's configuration, and its bundle beside it.

    It is the one that is deployed, but that messages which failed come again at once.
    """
    made = folder / source.name
    made.mkdir(parents=True)
    config = (source / "wrangler.jsonc").read_text("utf-8")
    (made / "wrangler.jsonc").write_text(_RETRY_DELAY.sub(r"\g<1>0", config), "utf-8")
    bundle(source / "entry.py", made)
    return made


@pytest.fixture(scope="session")
def remote() -> Iterator[RemoteBindings]:
    """Workers AI and Vectorize, as the bindings of all Workers see them."""
    with remote_bindings() as answering:
        yield answering


@pytest.fixture(scope="session")
def push_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder whose keys for Web Push the Workers have."""
    home = tmp_path_factory.mktemp("home")
    vapid.load_keys(home)
    return home


@pytest.fixture(scope="session")
def workers(
    tmp_path_factory: pytest.TempPathFactory,
    remote: RemoteBindings,
    push_keys: Path,
    request: pytest.FixtureRequest,
) -> Iterator[RunningWorkers]:
    """The bench and all Workers; the one of the API, which takes seconds, if a test asks it."""
    if os.name == "nt":
        pytest.skip("what tells workerd where Pyodide is, is a shell script")
    folder = tmp_path_factory.mktemp("workers")
    is_asked = any(
        "worker_api" in getattr(item, "fixturenames", ()) for item in request.session.items
    )
    names = [name for name in WORKERS if name != "api" or is_asked]
    sources = [BENCH, *(FOLDER / name for name in names)]
    variables = (
        ("DOME_PUBLIC_URL", PUBLIC_URL),
        ("DOME_TIMEZONE", ZONE),
        ("DOME_EMAIL_SENDER", SENDER),
        ("DOME_VAPID_KEY", (push_keys / vapid.KEY_FILE).read_text()),
    )
    deployed = [
        Deployed(gathered(source, folder), variables, _ROUTES.get(source.name, ""))
        for source in sources
    ]
    for layer in LAYERS:
        shutil.copytree(
            Path(dome_mcp.__file__).parent / layer,
            folder / f"bench/build/dome_mcp/{layer}",
            ignore=shutil.ignore_patterns("__pycache__"),
            dirs_exist_ok=True,
        )
    with running_workers(deployed, folder, remote=remote.url) as running:
        yield running


@pytest.fixture
async def client(workers: RunningWorkers) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=workers.url, timeout=60) as opened:
        yield opened


@pytest.fixture
async def database(client: httpx.AsyncClient) -> RemoteDatabase:
    """An empty database of the bench."""
    return await emptied(RemoteDatabase(Binding(client, next(_DATABASES))))


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with running_webhook_sink() as running:
        yield running


@pytest.fixture
async def cloud(client: httpx.AsyncClient, workers: RunningWorkers) -> AsyncIterator[Cloud]:
    """The Workers' own database, empty but for its tables; a test with it has two minutes."""
    with anyio.fail_after(PATIENCE_SECONDS):
        database = await emptied(RemoteDatabase(Binding(client, "DB")))
        await migrate(database)
        blobs = RemoteBlobs(Binding(client, "BLOBS"))
        queue = RemoteQueue(Binding(client, "MESSAGES_DELIVERIES"), database)
        yield Cloud(Ports(database, None, blobs, None), workers, queue)


@pytest.fixture
async def intake(
    client: httpx.AsyncClient, workers: RunningWorkers, remote: RemoteBindings
) -> AsyncIterator[Intake]:
    """What the ingest Worker works on, empty."""
    async with opened_intake(client, workers, remote) as opened:
        yield opened
