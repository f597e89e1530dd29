"""Workers as wrangler sees them: uploading, secrets, cron triggers, and who consumes which queue.

Nothing is run. What was uploaded is written down, and refused where the service would refuse it:
a database that is no database's id, or a consumer of a queue that has one.

Source: https://developers.cloudflare.com/api/resources/workers/,
https://developers.cloudflare.com/api/resources/queues/ and
https://developers.cloudflare.com/r2/buckets/event-notifications/ (2026-11), and wrangler 4.164.0.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

import httpx

from tests.simulators.cloudflare.account import failed, succeeded

SUBDOMAIN = "me"
STARTUP_MS = 812

NO_SUCH_SCRIPT = 10007
NO_SUBDOMAIN = 10007
INVALID_BINDING = 10021
INVALID_INHERITED = 10057


@dataclass
class Script:
    """A Worker; `uploads` counts its versions, a draft that only holds secrets is none."""

    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    modules: dict[str, str] = field(default_factory=dict[str, str])
    """The type of each module's content, by its name."""
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    crons: list[str] = field(default_factory=list[str])
    is_on_workers_dev: bool = False
    uploads: int = 0

    @property
    def bindings(self) -> dict[str, dict[str, Any]]:
        """What it is bound to, by name."""
        return {each["name"]: each for each in self.metadata.get("bindings") or []}


@dataclass
class WorkersSimulator:
    """The service under `/accounts/{id}/workers`."""

    scripts: dict[str, Script] = field(default_factory=dict[str, Script])
    subdomain: str | None = SUBDOMAIN

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        kind, _, rest = path.strip("/").partition("/")
        name, _, what = rest.partition("/")
        if kind == "subdomain":
            found = {"subdomain": self.subdomain}
            return succeeded(found) if self.subdomain else failed(404, NO_SUBDOMAIN, "No subdomain")
        if kind == "scripts" and request.method == "PUT" and not what:
            return self._uploaded(name, request)
        if kind == "scripts" and not name:
            return succeeded([{"id": each} for each in self.scripts])
        script = self.scripts.get(name)
        if script is None:
            return failed(404, NO_SUCH_SCRIPT, "This Worker does not exist on your account.")
        if kind == "scripts" and request.method == "DELETE" and not what:
            del self.scripts[name]
            return succeeded({})
        if kind == "services":
            known = {"tag": name, "tags": [], "last_deployed_from": "wrangler"}
            environment = {"environment": "production", "script": known}
            return succeeded({"id": name, "default_environment": environment})
        if kind == "workers":
            reached = {"enabled": script.is_on_workers_dev, "previews_enabled": False}
            return succeeded({"id": name, "name": name, "subdomain": reached})
        if what == "versions":
            return self._uploaded(name, request)
        return _part(script, what, request)

    def _uploaded(self, name: str, request: httpx.Request) -> httpx.Response:
        parts = _form(request)
        metadata = json.loads(parts.pop("metadata")[1])
        script = self.scripts.get(name) or Script()
        for binding in metadata.get("bindings") or []:
            if binding["type"] == "d1" and not _is_uuid(binding["id"]):
                return failed(400, INVALID_BINDING, "binding of type d1 must have a valid `id`")
            if binding["type"] == "inherit" and binding["name"] not in script.secrets:
                return failed(400, INVALID_INHERITED, f"inherit binding '{binding['name']}'")
        self.scripts[name] = script
        script.metadata, script.modules = metadata, {key: kind for key, (kind, _) in parts.items()}
        script.uploads += 1
        version = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}{script.uploads}"))
        made = {"id": version, "deployment_id": version, "etag": "etag"}
        resources = {"script": {"etag": "etag"}}
        return succeeded({**made, "startup_time_ms": STARTUP_MS, "resources": resources})


def _part(script: Script, what: str, request: httpx.Request) -> httpx.Response:
    """One of the things that are set on a script beside its code."""
    sent = json.loads(request.content) if request.content else {}
    match what, request.method:
        case "secrets", "GET":
            return succeeded([{"name": each, "type": "secret_text"} for each in script.secrets])
        case "secrets-bulk", "PATCH":
            for name, secret in sent["secrets"].items():
                script.secrets[name] = secret["text"]
            return succeeded({})
        case "schedules", "PUT":
            script.crons = [each["cron"] for each in sent]
            return succeeded({"schedules": sent})
        case "subdomain", "POST":
            script.is_on_workers_dev = sent["enabled"]
            return succeeded({"enabled": sent["enabled"], "previews_enabled": False})
        case "deployments", "GET":
            return succeeded({"deployments": []})
        case (("deployments" | "settings" | "script-settings"), _):
            return succeeded({"id": "deployment", "bindings": [], "tags": []})
        case _:
            return failed(404, NO_SUCH_SCRIPT, f"Could not route to {what}")


@dataclass
class Consumers:
    """`/queues/{id}/consumers`: one at most for each queue, by the queue's id."""

    of: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def listed(self, queue_id: str) -> list[dict[str, Any]]:
        return [self.of[queue_id]] if queue_id in self.of else []

    def answer(self, request: httpx.Request, queue_id: str, consumer_id: str) -> httpx.Response:
        if request.method == "GET":
            return succeeded(self.listed(queue_id))
        if request.method == "DELETE":
            del self.of[queue_id]
            return succeeded({})
        if request.method == "POST" and queue_id in self.of:
            return failed(400, 11004, "The queue already has a consumer.")
        sent: Mapping[str, Any] = json.loads(request.content)
        made = {**sent, "consumer_id": consumer_id or uuid.uuid4().hex, "script": None}
        made["script"] = sent.get("script_name")
        self.of[queue_id] = made
        return succeeded(made)


@dataclass
class EventNotifications:
    """`/event_notifications/r2/{bucket}/configuration`: the rules of each queue, by its id."""

    names: Mapping[str, str]
    """The queues' names."""
    rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if request.method == "GET":
            queues = [
                {"queueId": key, "queueName": self.names[key], "rules": rules}
                for key, rules in self.rules.items()
            ]
            return succeeded({"queues": queues}) if queues else failed(404, 11015, "No config.")
        queue_id = path.rpartition("/")[2]
        if request.method == "DELETE":
            known = self.rules.pop(queue_id, None)
            return succeeded({}) if known else failed(404, 11015, "No config.")
        sent = json.loads(request.content)["rules"]
        prefixes = [rule["prefix"] for rules in self.rules.values() for rule in rules]
        if queue_id not in self.names or any(rule["prefix"] in prefixes for rule in sent):
            return failed(400, 11020, "An overlapping rule exists, or there is no such queue.")
        self.rules.setdefault(queue_id, []).extend(sent)
        return succeeded({})


def _form(request: httpx.Request) -> dict[str, tuple[str, bytes]]:
    """The parts of a form by their name, each as its type and its content."""
    kind = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    parts: dict[str, tuple[str, bytes]] = {}
    for part in message_from_bytes(kind + request.content).walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            name = str(part.get_param("name", header="content-disposition"))
            parts[name] = (part.get_content_type(), content)
    return parts


def _is_uuid(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False
