"""Making and removing resources: databases, buckets, queues and gateways of a simulated account.

What is in them is the other simulators' work, to which everything else is passed on. An index is
made by the simulator of Vectorize itself.

Source: https://developers.cloudflare.com/api/ (2026-11), for D1, R2, Queues and AI Gateway.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.simulators.cloudflare.account import SimulatedAccount, failed, succeeded
from tests.simulators.cloudflare.d1 import D1Simulator
from tests.simulators.cloudflare.queues import QueuesSimulator, SimulatedQueue
from tests.simulators.cloudflare.r2 import R2Simulator
from tests.simulators.cloudflare.vectorize import VectorizeSimulator
from tests.simulators.cloudflare.workers import Consumers, EventNotifications, WorkersSimulator

# Codes that the documentation does not give; the statuses are what a client goes by.
NAME_TAKEN = 7502
NO_SUCH_DATABASE = 7404
NO_SUCH_BUCKET = 10006
BUCKET_EXISTS = 10004
BUCKET_NOT_EMPTY = 10008
QUEUE_EXISTS = 11009
NO_SUCH_GATEWAY = 7001
GATEWAY_FIELDS = frozenset(
    {"id", "cache_invalidate_on_update", "cache_ttl", "collect_logs"}
    | {"rate_limiting_interval", "rate_limiting_limit"}
)
"""What has to be said of a gateway that is made."""


@dataclass(slots=True)
class Databases:
    """`/d1`: databases by id, each a D1 simulator of its own."""

    names: dict[str, str] = field(default_factory=dict)
    simulators: dict[str, D1Simulator] = field(default_factory=dict)
    jurisdictions: dict[str, str | None] = field(default_factory=dict)

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        database_id, _, rest = path.removeprefix("/database").strip("/").partition("/")
        if not database_id:
            return self._listed(request) if request.method == "GET" else self._made(request)
        simulator = self.simulators.get(database_id)
        if simulator is None:
            return failed(404, NO_SUCH_DATABASE, "The database could not be found")
        if rest:
            return await simulator.answer(request, path)
        if request.method == "DELETE":
            simulator.close()
            del self.simulators[database_id], self.names[database_id]
            return succeeded()
        return succeeded(self._described(database_id))

    def add(self, name: str, *, jurisdiction: str | None = None) -> str:
        """A new database, empty."""
        database_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}{len(self.names)}"))
        self.names[database_id] = name
        self.jurisdictions[database_id] = jurisdiction
        self.simulators[database_id] = D1Simulator(database_id=database_id)
        return database_id

    def _described(self, database_id: str) -> dict[str, Any]:
        return {
            "uuid": database_id,
            "name": self.names[database_id],
            "version": "production",
            "file_size": 1_250_000,
            "jurisdiction": self.jurisdictions[database_id],
        }

    def _listed(self, request: httpx.Request) -> httpx.Response:
        searched = request.url.params.get("name", "")
        found = [self._described(key) for key, name in self.names.items() if searched in name]
        return succeeded(_page(found, request))

    def _made(self, request: httpx.Request) -> httpx.Response:
        wanted = json.loads(request.content)
        if wanted["name"] in self.names.values():
            return failed(400, NAME_TAKEN, "A database with that name already exists")
        made = self.add(wanted["name"], jurisdiction=wanted.get("jurisdiction"))
        return succeeded(self._described(made))


@dataclass(slots=True)
class Buckets:
    """`/r2/buckets`; `objects` are those of every bucket, as there is one at most.

    A bucket is seen only by who names its jurisdiction.
    """

    objects: Mapping[str, object]
    jurisdictions: dict[str, str | None] = field(default_factory=dict)
    """The jurisdiction of each bucket, by name."""

    @property
    def names(self) -> list[str]:
        return list(self.jurisdictions)

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        name = path.removeprefix("/buckets").strip("/")
        within = request.headers.get("cf-r2-jurisdiction")
        seen = [each for each, place in self.jurisdictions.items() if place == within]
        if request.method == "GET":
            searched = request.url.params.get("name_contains", "")
            found = [{"name": each} for each in seen if searched in each]
            return succeeded({"buckets": found})
        if request.method == "POST":
            made = json.loads(request.content)["name"]
            if made in seen:
                return failed(409, BUCKET_EXISTS, "The bucket you tried to create already exists")
            self.jurisdictions[made] = within
            return succeeded({"name": made, "creation_date": "2026-11-24T10:00:00.000Z"})
        if name not in seen:
            return failed(404, NO_SUCH_BUCKET, "The specified bucket does not exist.")
        if self.objects:
            return failed(409, BUCKET_NOT_EMPTY, "The bucket you tried to delete is not empty")
        del self.jurisdictions[name]
        return succeeded({})


@dataclass(slots=True)
class Queues:
    """`/queues`: the list of queues; their messages are the queue simulator's."""

    simulator: QueuesSimulator = field(default_factory=QueuesSimulator)
    names: dict[str, str] = field(default_factory=dict)
    jurisdictions: dict[str, str | None] = field(default_factory=dict)
    consumers: Consumers = field(default_factory=Consumers)

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        queue_id, _, rest = path.strip("/").partition("/")
        if not queue_id and request.method == "GET":
            return self._listed(request)
        if not queue_id:
            return self._made(json.loads(request.content))
        if queue_id in self.names and request.method == "DELETE" and not rest:
            del self.names[queue_id], self.simulator.queues[queue_id]
            return succeeded()
        if queue_id in self.names and rest == "metrics":
            backlog = len(self.simulator.queues[queue_id].messages)
            oldest = {"backlog_bytes": 0, "oldest_message_timestamp_ms": 0}
            return succeeded({"backlog_count": backlog, **oldest})
        what, _, consumer_id = rest.partition("/")
        if queue_id in self.names and what == "consumers":
            return self.consumers.answer(request, queue_id, consumer_id)
        return await self.simulator.answer(request, path)

    def _listed(self, request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get_list("name")
        found = [key for key, name in self.names.items() if not wanted or name in wanted]
        return succeeded(_page([self._described(key) for key in found], request))

    def _described(self, queue_id: str) -> dict[str, Any]:
        return {
            "queue_id": queue_id,
            "queue_name": self.names[queue_id],
            "jurisdiction": self.jurisdictions.get(queue_id),
            "consumers": self.consumers.listed(queue_id),
        }

    def _made(self, wanted: Mapping[str, Any]) -> httpx.Response:
        if wanted["queue_name"] in self.names.values():
            return failed(409, QUEUE_EXISTS, "Queue name is already taken")
        made = self.add(wanted["queue_name"], jurisdiction=wanted.get("jurisdiction"))
        return succeeded(self._described(made))

    def add(self, name: str, *, jurisdiction: str | None = None) -> str:
        """A new queue, empty; returns its id."""
        queue_id = uuid.uuid5(uuid.NAMESPACE_DNS, name).hex
        self.names[queue_id] = name
        self.jurisdictions[queue_id] = jurisdiction
        self.simulator.queues[queue_id] = SimulatedQueue()
        return queue_id


@dataclass(slots=True)
class Gateways:
    """`/ai-gateway/gateways`: what was said of each, by id."""

    made: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        name = path.removeprefix("/gateways").strip("/")
        if request.method == "GET" and not name:
            return succeeded(_page(list(self.made.values()), request))
        if request.method == "POST":
            body = json.loads(request.content)
            if GATEWAY_FIELDS - body.keys():
                return failed(400, NO_SUCH_GATEWAY, "a field is missing")
            self.made[body["id"]] = body
            return succeeded(body)
        if self.made.pop(name, None) is None:
            return failed(404, NO_SUCH_GATEWAY, "no such gateway")
        return succeeded({"id": name})


@dataclass(slots=True)
class Resources:
    """All that can be made in an account, registered with it by `serve`."""

    databases: Databases = field(default_factory=Databases)
    vectorize: VectorizeSimulator = field(default_factory=VectorizeSimulator)
    r2: R2Simulator = field(default_factory=R2Simulator)
    queues: Queues = field(default_factory=Queues)
    gateways: Gateways = field(default_factory=Gateways)
    workers: WorkersSimulator = field(default_factory=WorkersSimulator)
    buckets: Buckets = field(init=False)
    notifications: EventNotifications = field(init=False)

    def __post_init__(self) -> None:
        self.buckets = Buckets(self.r2.stored.objects)
        self.notifications = EventNotifications(self.queues.names)

    def serve(self, account: SimulatedAccount) -> None:
        account.register("d1", self.databases)
        account.register("vectorize", self.vectorize)
        account.register("r2", self.buckets)
        account.register("queues", self.queues)
        account.register("ai-gateway", self.gateways)
        account.register("workers", self.workers)
        account.register("event_notifications", self.notifications)

    def close(self) -> None:
        for simulator in self.databases.simulators.values():
            simulator.close()

    @property
    def names(self) -> dict[str, list[str]]:
        """What is there, by kind."""
        return {
            "database": list(self.databases.names.values()),
            "index": list(self.vectorize.indexes),
            "bucket": list(self.buckets.names),
            "queue": list(self.queues.names.values()),
            "gateway": list(self.gateways.made),
        }


def _page(found: Sequence[Any], request: httpx.Request) -> list[Any]:
    params = request.url.params
    size, number = int(params.get("per_page", 20)), int(params.get("page", 1))
    return list(found[(number - 1) * size : number * size])
