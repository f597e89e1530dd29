"""Three processes write at once, while requests and answers get lost or overtake each other.

What both is late and never answered, an upsert that a deletion overtook, may stay in Vectorize as a
vector of nothing, which no search shows; so the two mishaps are tried apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import anyio
import anyio.lowlevel
import httpx
import pytest

from dome_mcp.core.errors import BackendError, Conflict, NotFound
from dome_mcp.core.model import Document, NoteChanges, NoteFilter
from dome_mcp.services.ingest import ingest
from dome_mcp.services.notes import delete_note, list_notes
from dome_mcp.services.revising import update_note
from tests.services.clouds import LAG_SECONDS, Process, SimulatedSite, process_at, simulated_site
from tests.services.cut_off import check_found_and_sound
from tests.services.notes_for_tests import USER, draft, later

pytestmark = pytest.mark.anyio

SEEDS = (2, 9, 11, 19)
"""In some of them a write overtakes another one, so that the ledger has to guard against it."""
PROCESSES = 3
STEPS = 12
PAUSES = (0.0, 0.0, LAG_SECONDS / 5, LAG_SECONDS)


@dataclass(frozen=True)
class Weather:
    """Which share of the requests gets no answer, half of them because they never arrive; and how
    many turns of the loop one may take."""

    lost: float
    waits: Sequence[int]


WEATHERS = {
    "lossy": Weather(0.1, (0, 1, 2)),
    "slow": Weather(0.0, (0, 0, 0, 0, 0, 0, 0, 1, 2, 400)),
}


@dataclass
class Unsteady(httpx.AsyncBaseTransport):
    """The way to Cloudflare in some weather."""

    inner: httpx.AsyncBaseTransport
    weather: Weather
    chance: Random

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        drawn = self.chance.random()
        if drawn < self.weather.lost / 2:
            raise httpx.ReadTimeout("lost")
        await self._wait()
        response = await self.inner.handle_async_request(request)
        await self._wait()
        if drawn > 1 - self.weather.lost / 2:
            raise httpx.ReadTimeout("lost")
        return response

    async def _wait(self) -> None:
        for _ in range(self.chance.choice(self.weather.waits)):
            await anyio.lowlevel.checkpoint()


@dataclass
class Writers:
    """What several processes do to one knowledge base, and what they were told of it."""

    site: SimulatedSite
    weather: Weather
    chance: Random
    stored: set[str] = field(default_factory=set[str])
    """The notes whose ingest was acknowledged."""
    deleted: set[str] = field(default_factory=set[str])
    """The notes whose deletion was asked for."""

    async def write(self, process: Process, number: int) -> None:
        for step in range(STEPS):
            try:
                await self._step(process, minute=step * PROCESSES + number)
            except (BackendError, NotFound, Conflict):
                continue
            finally:
                self.site.vectorize.advance(self.chance.choice(PAUSES))

    async def _step(self, process: Process, *, minute: int) -> None:
        """Stores a note, or changes or deletes one that is there."""
        ports, now = process.ports, later(minute)
        text = f"word{minute} written{self.chance.randrange(1000)} about{minute}"
        present = sorted(self.stored - self.deleted)
        kind = self.chance.choice(["store", "store", "change", "delete"]) if present else "store"
        if kind == "store":
            made = await ingest(draft(text, now=now), ports, user_id=USER, now=now)
            self.stored.add(made.note.note_id)
            return
        note_id = self.chance.choice(present)
        if kind == "delete":
            self.deleted.add(note_id)
            await delete_note(note_id, ports, user_id=USER, now=now)
        else:
            changes = NoteChanges(document=Document(text, "text/plain"), context=f"place{minute}")
            await update_note(note_id, changes, ports, user_id=USER, now=now)


@pytest.mark.parametrize("weather", WEATHERS)
@pytest.mark.parametrize("seed", SEEDS)
async def test_what_was_acknowledged_is_there_and_all_is_sound_and_found(seed: int, weather: str):
    async with simulated_site() as site:
        chance = Random(seed)  # noqa: S311  a test's, the same each time
        writers = Writers(site, WEATHERS[weather], chance)
        async with anyio.create_task_group() as running:
            for number in range(PROCESSES):
                running.start_soon(_run, writers, number)
        async with process_at(site.place) as after:
            page = await list_notes(NoteFilter(), after.ports, user_id=USER, limit=100)
            there = {note.note_id for note in page.notes}
            assert writers.stored - writers.deleted <= there
            assert len(writers.stored & writers.deleted) > 0
            await check_found_and_sound(after, site, f"seed {seed}")


async def _run(writers: Writers, number: int) -> None:
    async with process_at(writers.site.place) as process:
        process.wire.inner = Unsteady(process.wire.inner, writers.weather, writers.chance)
        await writers.write(process, number)
