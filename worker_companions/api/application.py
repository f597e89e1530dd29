"""The application that a Worker serves, made anew for each request.

Requests of one isolate share what is built once and what is counted, and nothing that one of them
could wait for: in a Worker nothing may go on on behalf of a request that has ended.
Source: https://developers.cloudflare.com/workers/runtime-apis/context/ (2026-11).
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, TypeVar

import anyio
from pyodide.ffi import create_proxy  # pyright: ignore[reportMissingImports] - only in a Worker
from starlette.routing import Mount, Router
from starlette.types import Receive, Scope, Send

from dome_mcp.app import Dome, Door
from dome_mcp.backends.cloudflare.markdown_shapes import MAX_BYTES
from dome_mcp.cloudflare_settings import WORKERS_AI_PREFIX
from dome_mcp.core.access import owner
from dome_mcp.core.errors import DomeError
from dome_mcp.core.links import verify
from dome_mcp.core.ports import LanguageModel, Ports
from dome_mcp.link_pages import PREFIX, link_secret
from dome_mcp.remote import health, links
from dome_mcp.remote.audit_log import AuditLog
from dome_mcp.remote.bearers import Bearers
from dome_mcp.remote.callers import caller_in
from dome_mcp.remote.frame import framed, is_public, nothing_here
from dome_mcp.remote.gate import Gate
from dome_mcp.remote.limits import Failures, Limits
from dome_mcp.remote.rest import (
    channels,
    chat,
    inbox,
    me,
    notes,
    reminders,
    search,
    sessions,
    status,
    tasks,
)
from dome_mcp.remote.rest.assembly import assembled
from dome_mcp.remote.rest.receiving import FORM_OVERHEAD_BYTES
from dome_mcp.settings import NAMES, Settings, load, variable
from worker_companions.ai_bindings import AiBindingLanguageModel
from worker_companions.ai_ports import vectors_of
from worker_companions.api import ingest
from worker_companions.api.surroundings import InWorker
from worker_companions.bindings import D1BindingDatabase, QueueBinding, R2BindingBlobs
from worker_companions.clock import Clocks
from worker_companions.ingest.messages import wake_message
from worker_companions.memory import Memories

SUBJECTS = (
    me,
    status,
    notes,
    ingest,
    search,
    chat,
    sessions,
    tasks,
    reminders,
    inbox,
    channels,
)

T = TypeVar("T")

_MEGABYTE = 1_000_000
_OVERRIDES = {
    "home": "/",
    "companion": "off",
    "max_document_mb": str(MAX_BYTES // _MEGABYTE),
}
"""There is no disk; the companions are Workers too, and not to be started; and a larger document
would not be converted."""
_AGENDA = ("/api/tasks", "/api/reminders")

_log = logging.getLogger("dome.api")


class Application:
    """The endpoint for one request."""

    def __init__(self, env: Any, ctx: Any) -> None:
        self._env = env
        self._ctx = ctx
        settings = settings_of(env)
        self._stores = Ports(D1BindingDatabase(env.DB), None, R2BindingBlobs(env.BLOBS), None)
        self._audit = AuditLog()
        self._dome: Dome | None = None
        door = Door.unattended(settings, partial(self._open, settings))
        routes = [Mount("/api", _API), *health.routes(door), *links.routes(door)]
        self.max_body_bytes = max(
            settings.http.max_body_mb * _MEGABYTE, settings.max_document_bytes + FORM_OVERHEAD_BYTES
        )
        self._gate = Gate(
            framed(Router(routes, default=nothing_here)),
            door=door,
            bearers=Bearers(door),  # remembers nothing: what is revoked is out at once
            public=is_public,
            audit=self._audit,
            closing=anyio.Event(),
            limits=_limits(settings.http.rate_per_minute),
            failures=_FAILURES,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # nothing is opened or closed
        headers = dict(scope["headers"])
        # Cloudflare writes whom it answers, whatever the client sent under this name.
        # Source: https://developers.cloudflare.com/fundamentals/reference/http-headers/ (2026-11).
        scope["client"] = (headers.get(b"cf-connecting-ip", b"").decode("latin-1"), 0)
        try:
            await self._gate(scope, receive, send)
        finally:
            self._go_on(self._after(scope))

    def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Has the Worker live on until this is done, after its answer."""
        task = asyncio.ensure_future(work)
        proxy = create_proxy(task)
        task.add_done_callback(lambda _: proxy.destroy())
        self._ctx.waitUntil(proxy)

    async def _after(self, scope: Scope) -> None:
        """What nobody waits for: the audit log, who works on jobs, who fires what was set."""
        await self._audit.flush(self._stores, is_last=True)
        await self._wake_ingest()
        try:
            user_id = await self._whose_agenda(scope)
            if user_id is not None:
                await Clocks(self._env.CLOCKS).look(user_id)
        except DomeError as error:
            _log.warning("a clock was not told, and the cron fires instead: %s", error)

    async def _whose_agenda(self, scope: Scope) -> str | None:
        """The user whose tasks or reminders a request may have changed; None where nobody's.

        Raises:
            Forbidden: it is a link that nobody signed here.
        """
        if scope["method"] in ("GET", "HEAD"):
            return None
        path, caller = scope["path"], caller_in(scope)
        if path.startswith(PREFIX):
            secret = await link_secret(self._stores.database)
            return verify(secret, path.removeprefix(PREFIX), now=datetime.now(UTC)).user_id
        return caller.principal.user_id if caller and path.startswith(_AGENDA) else None

    async def _wake_ingest(self) -> None:
        """Tells the ingest Worker of a job, or of chunks that wait for their vectors."""
        dome = self._dome
        if dome is None or not (dome.jobs.has_rung or dome.pending.has_rung):
            return
        try:
            await QueueBinding(self._env.JOBS).send([wake_message()])
        except DomeError as error:
            _log.warning("the ingest Worker was not told, and its cron sees it: %s", error)

    async def _open(self, settings: Settings) -> Dome:
        self._dome = await dome_of(self._env, settings, self._stores)
        return self._dome


def settings_of(env: Any) -> Settings:
    """The settings among a Worker's variables; those of files and processes mean nothing here.

    Raises:
        ConfigurationError: with every problem there is.
    """
    given = {name: getattr(env, name, None) for name in map(variable, NAMES)}
    return load(
        {name: value for name, value in given.items() if isinstance(value, str)},
        overrides=_OVERRIDES,
    )


async def dome_of(env: Any, settings: Settings, stores: Ports) -> Dome:
    """The application of the settings' user, over the bindings.

    Raises:
        BackendError: the database cannot be read.
    """
    embedder, vectors = await vectors_of(env, stores.database)
    ports = replace(
        stores,
        embedder=embedder,
        vectors=vectors,
        language_model=_language_model(env, settings),
        sessions=Memories(env.MEMORIES),
    )
    return Dome(settings, ports, "dome-api", principal=owner(settings.user), aside=_at_once)


def _language_model(env: Any, settings: Settings) -> LanguageModel | None:
    """The model of the settings, where it is one that Cloudflare hosts."""
    name, ai = settings.llm_model, getattr(env, "AI", None)
    if ai is None or name is None or not name.startswith(WORKERS_AI_PREFIX):
        return None
    return AiBindingLanguageModel(ai, name)


async def _at_once(work: Callable[[], T]) -> T:
    """Does it here and now, as a Worker has no threads."""
    return work()


@cache
def _limits(per_minute: int) -> Limits:
    """The limits in this isolate, the same for all of its requests.

    Requests at a time are Cloudflare's to limit: one that a client abandons here never comes back
    to be counted as over.
    """
    return Limits(per_minute=per_minute, max_concurrent=sys.maxsize)


_API = assembled(SUBJECTS, InWorker())
"""Built when the Worker is deployed: what its top level makes is in the snapshot it starts from.
Source: https://developers.cloudflare.com/workers/languages/python/how-python-workers-work/
(2026-11)."""
_FAILURES = Failures()
