"""The real endpoint on the real embedded drivers, served to a browser on loopback."""

import secrets
import socket
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import uvicorn

from dome_mcp import texts
from dome_mcp.app import Dome, Door
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.access import SCOPES, Scope
from dome_mcp.core.agenda import Channel, DeliveryPolicy, Notice
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import DeliveryFailed
from dome_mcp.core.ports import LanguageModel, Ports
from dome_mcp.core.reminder_drafts import NewReminder
from dome_mcp.core.tokens import ID_BYTES, SECRET_BYTES, token_text
from dome_mcp.remote.app import build_app
from dome_mcp.services import access, reminders
from dome_mcp.services.dispatch import attempt_delivery, tick
from dome_mcp.settings import Settings
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import settings_in

USER = "me"
PATIENCE_SECONDS = 20.0
"""Far more than anything here takes; a test that waits so long has failed."""

_HOUR = timedelta(hours=1)


class _Server(uvicorn.Server):
    """A server inside the tests' own loop, which leaves the process' signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@dataclass
class _Refusing:
    """A desktop that shows nothing."""

    kind: str = "desktop"

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        raise DeliveryFailed("No screen is connected.", retryable=False)


@dataclass
class _Bodies:
    sent: list[str] = field(default_factory=list)

    async def send(self, bodies: Sequence[str]) -> None:
        self.sent += bodies


@dataclass
class Website:
    """A running endpoint, and what a test may do behind its back."""

    url: str
    door: Door
    language_model: LanguageModel | None = None

    async def dome(self) -> Dome:
        return await self.door.dome()

    async def token(self, *scopes: Scope) -> str:
        """A token of the user's; with every scope unless some are named."""
        dome = await self.dome()
        text = token_text(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
        await access.create_token(
            text,
            dome.ports,
            user_id=USER,
            name="browser",
            scopes=frozenset(scopes or SCOPES),
            now=datetime.now(UTC),
            expires_at=None,
        )
        return text

    async def revoke(self, token: str) -> None:
        """Makes a token useless."""
        dome = await self.dome()
        token_id = token.split("_")[1]
        await access.revoke_tokens([token_id], dome.ports, now=datetime.now(UTC))

    async def add_note(self, text: str, **labels: Any) -> str:
        """Stores a text and returns the note's id."""
        ingested = await texts.ingest_text(await self.dome(), text, Labels(**labels))
        return ingested.note.note_id

    async def fired(self, text: str, *, is_delivered: bool = True) -> str:
        """A reminder that fired an hour ago; its id. One not delivered failed for good."""
        dome, before = await self.dome(), datetime.now(UTC) - 2 * _HOUR
        view = await reminders.create_reminder(
            NewReminder(text=text, at="+1h"),
            dome.ports,
            user_id=USER,
            now=before,
            zone=dome.zone.key,
        )
        queue, policy = _Bodies(), DeliveryPolicy(desktop_user=None if is_delivered else USER)
        await tick(dome.ports.database, queue, policy, now=before + _HOUR)
        for body in queue.sent:
            await attempt_delivery(
                body,
                dome.ports.database,
                {"desktop": _Refusing()},
                policy,
                now=before + _HOUR,
            )
        return view.reminder.reminder_id


@asynccontextmanager
async def website(
    home: Path, *, language_model: LanguageModel | None = None
) -> AsyncIterator[Website]:
    """A running endpoint over a data folder."""

    @asynccontextmanager
    async def open_here(settings: Settings) -> AsyncIterator[Dome]:
        async with SqliteDatabase.open(home / "dome.db") as database:
            ports: Ports = await make_ports(database, settings.home, WordEmbedder())
            ports = replace(ports, language_model=language_model)
            yield Dome.of_owner(settings, ports, holder="test")

    await anyio.Path(home).mkdir(parents=True, exist_ok=True)
    settings = replace(settings_in(home), companion="off")
    door = Door(settings, open_here)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        config = uvicorn.Config(
            build_app(door, settings),
            lifespan="on",
            ws="none",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            with anyio.fail_after(PATIENCE_SECONDS):
                await door.dome()
                await server.is_up.wait()
            yield Website(url, door, language_model)
            server.should_exit = True
