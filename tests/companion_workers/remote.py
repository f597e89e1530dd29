"""The ports as a Worker's drivers serve them: each call goes to the bench Worker and back."""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import anyio
import httpx

from dome_mcp.core import errors
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.channels import ALLOW_PRIVATE
from dome_mcp.core.ports import Database, Row, Statement

PATIENCE_SECONDS = 20

_TABLES = """
SELECT name FROM sqlite_schema
WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%'
ORDER BY sql NOT LIKE 'CREATE VIRTUAL%'"""


@dataclass
class Binding:
    """A driver of the bench Worker on one of its bindings."""

    client: httpx.AsyncClient
    name: str

    async def call(self, method: str, *arguments: object) -> Any:
        """What the driver returns.

        Raises:
            DomeError: what the driver raised.
        """
        content = json.dumps(arguments, default=_to_json)
        answer = await self.client.post(f"/{self.name}/{method}", content=content)
        answer.raise_for_status()
        said = json.loads(answer.content, object_hook=_from_json)
        if "error" in said:
            raise _to_error(said["error"])
        return said["result"]


@dataclass
class RemoteDatabase:
    binding: Binding

    async def query(self, statement: Statement) -> Sequence[Row]:
        return await self.binding.call("query", statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        return await self.binding.call("batch", list(statements))


@dataclass
class RemoteBlobs:
    binding: Binding

    async def put(self, key: str, data: bytes) -> None:
        await self.binding.call("put", key, data)

    async def get(self, key: str) -> bytes:
        return await self.binding.call("get", key)

    async def delete(self, key: str) -> None:
        await self.binding.call("delete", key)

    async def keys(self, prefix: str = "") -> Sequence[str]:
        return await self.binding.call("keys", prefix)


@dataclass
class RemoteQueue:
    """Also the receiver: what arrives is kept in a table, and waited for by count."""

    binding: Binding
    arrived: Database
    _sent: int = 0

    @property
    def queue(self) -> "RemoteQueue":
        return self

    async def send(self, bodies: Sequence[str]) -> None:
        self._sent += len(bodies)
        await self.binding.call("send", list(bodies))

    async def backlog(self) -> int:
        """How many messages no consumer was given yet."""
        name = self.binding.name.replace("MESSAGES", "BACKLOG")
        return await Binding(self.binding.client, name).call("count")

    async def taken(self) -> Sequence[str]:
        bodies: list[str] = []
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                rows = await self.arrived.query(Statement("DELETE FROM arrived RETURNING body"))
                bodies += [str(row["body"]) for row in rows]
                if len(bodies) >= self._sent:
                    self._sent = 0
                    return bodies


@dataclass
class RemoteNotifier:
    """Its channels are in a private network, and allowed to be."""

    binding: Binding
    kind: str
    timeout_seconds: float

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        options = (*channel.options, (ALLOW_PRIVATE, "true"))
        return await self.binding.call(
            "notify",
            asdict(notice),
            asdict(replace(channel, options=options)),
            idempotency_key,
            self.timeout_seconds,
        )


async def emptied(database: RemoteDatabase) -> RemoteDatabase:
    """The database without a table of ours."""
    rows = await database.query(Statement(_TABLES))
    drops = [Statement(f'DROP TABLE IF EXISTS "{row["name"]}"') for row in rows]
    await database.batch([Statement("PRAGMA defer_foreign_keys = on"), *drops])
    return database


def _to_json(value: object) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    assert isinstance(value, Statement)
    return asdict(value)


def _from_json(content: dict[str, Any]) -> object:
    return base64.b64decode(content["base64"]) if "base64" in content else content


def _to_error(said: dict[str, Any]) -> errors.DomeError:
    kind = getattr(errors, said["type"])
    if issubclass(kind, errors.NotFound):
        return kind(said["kind"], said["key"])
    if issubclass(kind, errors.UnreadableDocument):
        return kind(said["reason"], said["message"], said["hint"])
    if kind is errors.NotServed:
        return kind(said["message"])
    if issubclass(kind, errors.DeliveryFailed):
        retry = {"retryable": said["retryable"], "retry_after": said["retry_after"]}
        return kind(said["message"], said["hint"], **retry)
    return kind(said["backend"], said["operation"], said["message"], said["hint"])
