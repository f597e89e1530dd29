"""Whether Workers that were just deployed work: the API answers, a minute's run was seen."""

import json

import anyio
import httpx

from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Database
from dome_mcp.remote.health import LIVES
from dome_mcp.store import companions
from dome_mcp.store.notes import to_int

CRON = "dome-cron"
"""The name under which the Worker that fires reminders shows life, whatever it was deployed as."""

_ANSWER_SECONDS = 10.0
_AGAIN_SECONDS = 2.0
_BACKEND = "Workers"


async def await_api(url: str, *, seconds: float, again_seconds: float = _AGAIN_SECONDS) -> str:
    """Waits until the API answers: a new address is not known everywhere at once.

    Raises:
        BackendUnavailable: it did not in `seconds`.
    """
    said = "nothing"
    async with httpx.AsyncClient(timeout=_ANSWER_SECONDS) as client:
        with anyio.move_on_after(seconds):
            while True:
                try:
                    answer = await client.get(f"{url}{LIVES}")
                    if answer.is_success:
                        return "it answers"
                    said = f"status {answer.status_code}"
                except httpx.HTTPError as error:
                    said = type(error).__name__
                await anyio.sleep(again_seconds)
    raise BackendUnavailable(
        _BACKEND,
        "smoke:api",
        f"{url}{LIVES} does not answer ({said}).",
        "The Workers are deployed; run the command again in a few minutes.",
    )


async def await_beat(
    database: Database, *, seconds: float, again_seconds: float = _AGAIN_SECONDS
) -> str:
    """Waits until the Worker that fires reminders shows life anew, without an error.

    A new cron trigger may take some minutes to be known everywhere.
    Source: https://developers.cloudflare.com/workers/configuration/cron-triggers/ (2026-11).

    Raises:
        BackendUnavailable: it did not in `seconds`.
    """
    said = "nothing"
    before_ms, _ = await _last_beat(database)
    with anyio.move_on_after(seconds):
        while True:
            at_ms, errors = await _last_beat(database)
            if at_ms > before_ms and not errors:
                return "it has"
            said = errors[-1] if at_ms > before_ms else said
            await anyio.sleep(again_seconds)
    raise BackendUnavailable(
        _BACKEND,
        "smoke:cron",
        f"{CRON} was not seen to run well in {seconds:.0f} s: {said}.",
        "A new cron trigger can take 15 minutes: look with `dome-mcp companion status`.",
    )


async def _last_beat(database: Database) -> tuple[int, tuple[str, ...]]:
    """When the Worker that fires reminders last showed life, in milliseconds, and its errors then.

    0 where it never did.
    """
    beats = await database.query(companions.latest_beats())
    for beat in beats:
        if beat["name"] == CRON:
            details = json.loads(str(beat["details"]))
            return to_int(beat["at_ms"]), tuple(details.get("errors", ()))
    return 0, ()
