"""The local Cloudflare as a process: launcher.mjs, from its ready line to its end.

It is made once a session, which takes a second. Databases and buckets are few, and lent in turn:
`lend_database` and `lend_bucket` empty what they lend, so that a request that a test abandoned has
long ended when its database is emptied again. More can be made over the API, under any name.
"""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from uuid import UUID

import httpx

from dome_mcp.backends.cloudflare.http import Account
from tests.child_process import end, first_answer
from tests.server.node_packages import installed, node_binary, node_environment

PACKAGES = ("miniflare@5.20261117.0-beta",)
"""Brings workerd 1.20261117.1, the engine of D1, R2 and Queues; the three versions go together."""

LAUNCHER = Path(__file__).with_name("launcher.mjs")
ACCOUNT_ID = "0123456789abcdef0123456789abcdef"
TOKEN = "a-token-for-tests-only"  # noqa: S105 - opens nothing
TOKEN_ID = "fedcba9876543210fedcba9876543210"  # noqa: S105 - a name
D1_TOKEN = "a-token-that-may-use-d1-only"  # noqa: S105 - opens nothing
DATABASES = tuple(str(UUID(int=number)) for number in range(1, 9))
BUCKETS = ("originals-1", "originals-2", "originals-3", "originals-4")
QUEUES = tuple(f"{number:032x}" for number in (1, 2, 3))

_TOKENS = {
    TOKEN: {"id": TOKEN_ID, "services": None},
    D1_TOKEN: {"id": TOKEN_ID[::-1], "services": ["d1"]},
}
_CREATED = "2026-11-24T00:00:00.000Z"
_START_SECONDS = 60
_STOP_SECONDS = 20
_ANSWER_SECONDS = 30


@dataclass
class LocalCloudflare:
    """Where it listens, and what a client needs to be let in."""

    url: str
    process_id: int
    _client: httpx.Client
    _databases: Iterator[str] = field(default_factory=lambda: cycle(DATABASES))
    _buckets: Iterator[str] = field(default_factory=lambda: cycle(BUCKETS))

    @property
    def account(self) -> Account:
        return Account(ACCOUNT_ID, TOKEN, base_url=f"{self.url}/client/v4")

    @property
    def s3_endpoint(self) -> str:
        return f"{self.url}/cdn-cgi/local/r2/s3"

    @property
    def s3_secret(self) -> str:
        """The secret access key that belongs to TOKEN_ID."""
        return hashlib.sha256(TOKEN.encode()).hexdigest()

    def client(self) -> httpx.AsyncClient:
        """A client with the token, whose paths start after the account."""
        root = f"{self.account.base_url}/accounts/{ACCOUNT_ID}/"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.AsyncClient(base_url=root, headers=headers, timeout=_ANSWER_SECONDS)

    def lend_database(self) -> str:
        """The id of a D1 database with nothing in it."""
        database = next(self._databases)
        self._local(f"d1/{database}/empty")
        return database

    def lend_bucket(self) -> str:
        """The name of an R2 bucket with nothing in it."""
        bucket = next(self._buckets)
        self._local(f"r2/{bucket}/empty")
        return bucket

    def delay_mutations(self, index: str, milliseconds: int) -> None:
        """How old a mutation of a Vectorize index must be before it counts; at first 0."""
        self._local(f"vectorize/{index}/delay", {"delay_ms": milliseconds})

    @property
    def settings(self) -> dict[str, str]:
        """What DOME is told to find it, as environment variables."""
        return {
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT_ID,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "DOME_CLOUDFLARE_BASE_URL": self.account.base_url,
            "DOME_R2_ENDPOINT": self.s3_endpoint,
        }

    def calls(self) -> list[str]:
        """Every request since `forget_calls`, as `POST /d1/database/…`; S3's start with `/s3/`."""
        return self._client.get(f"{self.url}/local/calls").raise_for_status().json()

    def forget_calls(self) -> None:
        self._client.delete(f"{self.url}/local/calls").raise_for_status()

    def _local(self, path: str, body: object = None) -> None:
        self._client.post(f"{self.url}/local/{path}", json=body).raise_for_status()


def for_tests() -> dict[str, list[dict[str, object]]]:
    """The resources that the tests of drivers share, by kind."""
    consumer = {"consumer_id": "pulls", "created_on": _CREATED, "type": "http_pull", "settings": {}}
    return {
        "databases": [_made(each) for each in DATABASES],
        "buckets": [{**_made(each), "location": "weur"} for each in BUCKETS],
        "queues": [{**_made(each), "consumers": [consumer]} for each in QUEUES],
        "gateways": [],
    }


def _made(name: str) -> dict[str, object]:
    return {"id": name, "name": name, "created": _CREATED}


NOTHING: dict[str, list[dict[str, object]]] = {
    kind: [] for kind in ("databases", "buckets", "queues", "gateways")
}
"""The resources of an account that is new."""


@contextmanager
def local_cloudflare(
    folder: Path,
    *,
    embedder: str,
    resources: dict[str, list[dict[str, object]]] = NOTHING,
    port: int = 0,
) -> Iterator[LocalCloudflare]:
    """Runs it on a port, 0 for a free one, its data in `folder`.

    `embedder` is where the texts for Workers AI go. A folder that was used before has its own
    resources; a new one begins with those given.
    """
    settings = {
        "account": ACCOUNT_ID,
        "tokens": _TOKENS,
        "embedder": embedder,
        "folder": str(folder),
        "port": port,
        "resources": resources,
    }
    environment = node_environment()
    miniflare = installed(PACKAGES).parent / "miniflare/dist/src/index.js"
    command = [node_binary(), str(LAUNCHER), str(miniflare)]
    pipe = subprocess.PIPE
    with (
        httpx.Client(timeout=_ANSWER_SECONDS) as client,
        # In a session of its own, so that Ctrl-C reaches who started it, and that one ends it.
        subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=pipe, text=True, start_new_session=True
        ) as process,
    ):
        try:
            ready = first_answer(process, settings, seconds=_START_SECONDS)
            yield LocalCloudflare(json.loads(ready)["url"], process.pid, client)
        finally:
            end(process, seconds=_STOP_SECONDS)
