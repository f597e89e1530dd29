"""The status resource: what is stored, how far the index is, and what is not as it should be."""

import platform
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio.to_thread

from dome_mcp import __version__
from dome_mcp.app import Caller, Dome
from dome_mcp.core.errors import DomeError
from dome_mcp.core.ports import Statement
from dome_mcp.core.timestamps import local_iso
from dome_mcp.services.companions import companion_state
from dome_mcp.services.indexing import semantics
from dome_mcp.services.status import agenda_counts, counts
from dome_mcp.tools.attention import Attention, attention

_MOST_USED = 20

_DOWN = "The notes cannot be read at the moment. Whoever runs this server finds why in its log."


async def read_status(caller: Caller) -> dict[str, Any]:
    """The status, even where the application cannot be opened."""
    try:
        return await status_of(await caller.dome())
    except DomeError as error:
        return down(str(error) if caller.principal.may("admin") else _DOWN)


def down(reason: str) -> dict[str, Any]:
    """The status of what cannot be asked for it."""
    return {"health": "down", "warnings": [reason]}


async def machine_of(dome: Dome) -> dict[str, Any]:
    """What there is to know of the machine: bytes on disk, and versions."""
    return {
        "bytes": await anyio.to_thread.run_sync(_sizes, dome.settings.home),
        "versions": await _versions(dome),
    }


async def status_of(
    dome: Dome, *, describe: Callable[[Dome], Awaitable[dict[str, Any]]] = machine_of
) -> dict[str, Any]:
    """What is stored and how it does: the caller's notes, and the rest as far as it is theirs.

    Tasks and reminders are left out without the scope to read them, the machine (what
    `describe` says of it, warnings about its settings) without `admin`.
    """
    ports = dome.ports
    stored = await counts(ports, user_id=dome.user_id)
    index = await semantics(ports, user_id=dome.user_id)
    embedder, language_model = ports.embedder, ports.language_model
    attend = await attention(dome)
    problems = [*([index.problem] if index.problem else []), *attend.warnings]
    is_admin = dome.principal.may("admin")
    return {
        "health": "degraded" if problems else "ok",
        "warnings": [*(dome.settings.warnings if is_admin else ()), *problems],
        "notes": stored.notes,
        "chunks": stored.chunks,
        "pending_chunks": stored.pending_chunks,
        "tags": dict(stored.tags[:_MOST_USED]),
        "contexts": dict(stored.contexts[:_MOST_USED]),
        "embedding_model": embedder.model if embedder else None,
        "embedding_model_loaded": embedder.is_ready if embedder else False,
        "language_model": language_model.model if language_model else None,
        "timezone": dome.zone.key,
        **(await _agenda(dome, attend) if dome.principal.may("tasks:read") else {}),
        **(await describe(dome) if is_admin else {}),
    }


async def _agenda(dome: Dome, attend: Attention) -> dict[str, Any]:
    counted = await agenda_counts(dome.ports, user_id=dome.user_id, now=dome.now())
    return {**asdict(counted), "companion": await _companion(dome), "inbox": list(attend.inbox)}


async def _companion(dome: Dome) -> dict[str, Any]:
    """How whoever fires the reminders is doing; their errors may be about anybody's."""
    state = await companion_state(dome.ports.database, now=dome.now())
    beat = state.last_beat
    companion: dict[str, Any] = {
        "running": state.is_running,
        "last_beat": beat and local_iso(beat, dome.zone),
        "lag_seconds": round(state.lag_seconds, 1),
    }
    if dome.principal.may("admin"):
        companion["last_errors"] = list(state.last_errors)
    return companion


async def _versions(dome: Dome) -> dict[str, str]:
    rows = await dome.ports.database.query(Statement("SELECT sqlite_version() AS version"))
    return {
        "dome": __version__,
        "mcp": version("mcp"),
        "python": platform.python_version(),
        "sqlite": str(rows[0]["version"]),
    }


def _sizes(home: Path) -> dict[str, int]:
    """Bytes on disk: the database with its journals, and the blobs."""
    return {
        "database": sum(_size(path) for path in home.glob("dome.db*")),
        "blobs": sum(_size(path) for path in home.glob("blobs/**/*")),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        # Deleted between the listing and the look.
        return 0
