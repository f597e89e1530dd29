"""A request whose server died in the middle of it can be sent again, and is done once.

The server is stopped at each call it makes, before or after the call reached its driver, as by a
power cut: nothing in the application can catch it.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from dome_mcp.app import Dome, Door
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.settings import Settings
from tests.remote.rest.conftest import api_over
from tests.remote.rest.test_repeating import IN_AN_HOUR, KEY, NOTE, REPLAYED, TASK, rows
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.crashing import Crash, Fuse, Moment, with_fuse
from tests.serving import settings_in

pytestmark = pytest.mark.anyio


@dataclass
class Dying:
    """An application that can be opened on the same data again, with a fuse that the test sets."""

    home: Path
    fuse: Fuse = field(default_factory=Fuse)

    @asynccontextmanager
    async def opened(self, settings: Settings) -> AsyncIterator[Dome]:
        async with SqliteDatabase.open(self.home / "dome.db") as database:
            ports = await make_ports(database, self.home, WordEmbedder())
            settings = replace(settings, companion="off")
            yield Dome.of_owner(settings, with_fuse(ports, self.fuse), holder="test")

    async def request(self, path: str, sent: dict[str, Any]) -> httpx.Response:
        """The answer, from a process that is started for it; a Crash goes through."""
        door = Door(settings_in(self.home), self.opened)
        answers: list[httpx.Response] = []
        async with anyio.create_task_group() as tasks, api_over(door) as api:
            # Nothing runs beside the request, so that each run makes the same calls.
            tasks.start_soon(door.keep, lambda _: nullcontext())
            answers.append(await api.post(path, json=sent, headers=KEY))
            tasks.cancel_scope.cancel()
        return answers[0]

    async def count(self, table: str) -> int:
        async with SqliteDatabase.open(self.home / "dome.db") as database:
            return await rows(database, table)


WRITES = [
    ("/api/notes", NOTE, "notes", lambda body: body["note_id"]),
    ("/api/tasks", TASK, "tasks", lambda body: body["task"]["task_id"]),
    ("/api/reminders", IN_AN_HOUR, "reminders", lambda body: body["reminder"]["reminder_id"]),
]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("path", "sent", "table", "id_in"), WRITES)
async def test_a_crash_at_any_moment_leaves_a_request_that_can_be_repeated(
    path: str,
    sent: dict[str, Any],
    table: str,
    id_in: Callable[[Any], str],
    moment: Moment,
    tmp_path: Path,
):
    whole = Dying(tmp_path / "whole")
    whole.home.mkdir()
    assert (await whole.request(path, sent)).status_code == 201
    for call in range(whole.fuse.calls):
        dying = Dying(tmp_path / f"crash-{call}", Fuse(call, moment))
        dying.home.mkdir()
        with pytest.raises(BaseExceptionGroup) as crashed:
            await dying.request(path, sent)
        assert crashed.group_contains(Crash)
        dying.fuse = Fuse()
        repeated = await dying.request(path, sent)
        assert repeated.status_code == 201, f"after a crash {moment} call {call}: {repeated.text}"
        again = await dying.request(path, sent)
        assert id_in(again.json()) == id_in(repeated.json())
        assert again.headers[REPLAYED] == "true"
        assert await dying.count(table) == 1, f"after a crash {moment} call {call}"
