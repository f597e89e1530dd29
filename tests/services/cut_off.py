"""Cutting off a write at a request to Cloudflare, and looking at what is there afterwards."""

from dome_mcp.core.errors import BackendError
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.notes import list_notes
from dome_mcp.services.search import SearchRequest, search
from tests.services.clouds import Cut, NewSite, Process, Site, process_at
from tests.services.crashing import Crash
from tests.services.notes_for_tests import USER
from tests.services.writes import Scenario, check_consistent, index_all, state

_EMBEDDED = "SELECT chunk_id FROM chunks WHERE embedded_with IS NOT NULL"
_UNSETTLED = "SELECT chunk_id FROM vector_ledger WHERE is_settled = 0 OR embedding IS NULL"


async def check_every_request(
    scenario: Scenario, new_site: NewSite, *, cut: Cut, step: int = 1
) -> None:
    """Cuts the scenario off at each request, or at each `step`-th, every time on a new account.

    What it leaves is the old state or the new one, an acknowledged write is the new one, and a
    repetition in another process makes all of it sound and found.
    """
    old, new, requests = await _whole(scenario, new_site)
    assert requests > 1
    for at in range(0, requests, step):
        where = f"cut at request {at} of {requests}"
        async with new_site() as site:
            is_acknowledged = await _cut_off(scenario, site, at=at, cut=cut)
            async with process_at(site.place) as other:
                left = await state(other.ports)
                assert left in ([new] if is_acknowledged else [old, new]), where
                await check_consistent(other.ports)
                await scenario.operation(other.ports)
                assert await state(other.ports) == new, where
                await check_found_and_sound(other, site, where)


async def _whole(scenario: Scenario, new_site: NewSite) -> tuple[object, object, int]:
    """The state before and after, and how many requests the operation takes."""
    async with new_site() as site, process_at(site.place) as process:
        await scenario.before(process.ports)
        old, before = await state(process.ports), process.wire.sent
        await scenario.operation(process.ports)
        requests = process.wire.sent - before
        return old, await state(process.ports), requests


async def _cut_off(scenario: Scenario, site: Site, *, at: int, cut: Cut) -> bool:
    """Whether the operation said that it was done, in spite of what happened on the way."""
    async with process_at(site.place) as process:
        await scenario.before(process.ports)
        process.wire.cut_off(at, cut)
        try:
            await scenario.operation(process.ports)
        except (Crash, BackendError):
            return False
        assert process.wire.sent > at, "the request that was to be lost was never made"
        return True


async def check_found_and_sound(process: Process, site: Site, where: str) -> None:
    """All is consistent, found at once, and the same once Vectorize has taken it in."""
    ports = process.ports
    await index_all(ports, holder="after", limit=100)
    await check_found(ports, where)
    site.let_the_lag_pass()
    await process.settled()
    await check_found(ports, where)
    await check_consistent(ports)
    rows = await ports.database.query(Statement(_EMBEDDED))
    assert await process.held() == {row["chunk_id"] for row in rows}, where
    assert not await ports.database.query(Statement(_UNSETTLED)), where


async def check_found(ports: Ports, where: str) -> None:
    """Each note is found by its words and by their meaning, and nothing else is."""
    page = await list_notes(NoteFilter(), ports, user_id=USER, limit=100)
    for note in page.notes:
        for mode in ("keyword", "semantic"):
            request = SearchRequest((note.text or note.title)[:40], mode=mode, limit=5)
            found = await search(request, ports, user_id=USER)
            assert found.passages[0].note_id == note.note_id, f"{where}: {mode}"
            assert not found.index.pending_chunks, where
    if not page.notes:
        found = await search(SearchRequest("paint", mode="semantic"), ports, user_id=USER)
        assert not found.passages, where
