"""Cutting off a change of tasks or reminders at a request to Cloudflare."""

from dome_mcp.core.errors import BackendError
from tests.services.clouds import Cut, NewSite, Process, process_at
from tests.services.crashing import Crash
from tests.services.test_agenda_crashes import CALLS, content


async def check_every_request_of_agenda(name: str, new_site: NewSite, *, cut: Cut) -> None:
    """Cuts the call off at each request; made again by another process, it was made once."""
    prepare, call = CALLS[name]
    async with new_site() as site, process_at(site.place) as process:
        key = await prepare(process.ports)
        old, before = await content(process.ports), process.wire.sent
        await call(process.ports, key)
        requests, new = process.wire.sent - before, await content(process.ports)
    assert requests > 1
    assert new != old
    for at in range(requests):
        where = f"cut at request {at} of {requests}"
        async with new_site() as site:
            async with process_at(site.place) as process:
                assert await prepare(process.ports) == key
                process.wire.cut_off(at, cut)
                is_acknowledged = await _is_acknowledged(process, name, key)
            async with process_at(site.place) as other:
                left = await content(other.ports)
                assert left in ([new] if is_acknowledged else [old, new]), where
                await call(other.ports, key)
                assert await content(other.ports) == new, where


async def _is_acknowledged(process: Process, name: str, key: str) -> bool:
    """Makes the call; whether it said that it was done."""
    try:
        await CALLS[name][1](process.ports, key)
    except (Crash, BackendError):
        return False
    return True
