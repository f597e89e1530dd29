"""Starting a companion: the process that fires reminders and outlives whoever started it."""

import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import anyio
import anyio.to_thread

from dome_mcp.app import Dome
from dome_mcp.cloudflare_settings import CLOUDFLARE_NAMES
from dome_mcp.core.errors import BackendError
from dome_mcp.core.ports import Database
from dome_mcp.services.companions import may_start
from dome_mcp.settings import Settings, environment, variable

LOG_FILE = "companion.log"
IDLE_HOURS = 1
"""How long a companion that was started for the user stays with nothing left to fire."""

_LOOK_SECONDS = 60.0
_CARRIED = ("timezone", "user", "allow_private_urls", "log_level", "public_url", "backend")
_KEPT_OUT = frozenset({"cloudflare_api_token", "r2_access_key_id", "r2_secret_access_key"})
"""Settings of Cloudflare that are secret, or useless without one that is."""

_OF_THIS_PROCESS = ("environment", "command line")

_log = logging.getLogger(__name__)


def companion_command(settings: Settings, *options: str) -> list[str]:
    """The words that run a companion on this data folder in the foreground."""
    module = "worker_companions.local"
    return [sys.executable, "-m", module, "--home", str(settings.home), *options]


def companion_variables(settings: Settings) -> dict[str, str]:
    """The settings a companion needs that stand in this process's environment alone.

    No secret is among them.
    """
    values = {name: getattr(settings, name) for name in _CARRIED}
    for name in CLOUDFLARE_NAMES:
        if name not in _KEPT_OUT:
            values[name] = getattr(settings.cloudflare, name)
    return {
        variable(name): _text(value)
        for name, value in values.items()
        if settings.origins.get(name) in _OF_THIS_PROCESS
    }


def lacks_token(settings: Settings) -> bool:
    """Whether a companion that starts elsewhere would miss the token that stands only here."""
    is_here = settings.origins.get("cloudflare_api_token") in _OF_THIS_PROCESS
    return settings.cloudflare.is_used and is_here


async def ensure_running(
    settings: Settings, database: Database, *, holder: str, now: datetime
) -> bool:
    """Starts a companion where there is something to fire and none runs; says whether it did.

    Several processes may ask at once; one of them starts it. Where DOME_COMPANION is off nobody
    does.

    Raises:
        BackendError: the database cannot be used.
        OSError: the process cannot be started.
    """
    if settings.companion == "off" or not await may_start(database, holder, now=now):
        return False
    await anyio.to_thread.run_sync(start_detached, settings)
    return True


def start_detached(settings: Settings) -> None:
    """Starts a companion in a session of its own, which writes to the log in the data folder.

    Raises:
        OSError: it cannot be started.
    """
    command = companion_command(settings, "--until-idle", str(IDLE_HOURS))
    variables = {**environment(), **companion_variables(settings)}
    descriptor = os.open(settings.home / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        _spawn(command, variables, descriptor, settings.home)
    finally:
        os.close(descriptor)


@asynccontextmanager
async def companion_kept(dome: Dome) -> AsyncIterator[None]:
    """Sees to it that a companion runs for as long as the block does, where the settings say so."""
    async with anyio.create_task_group() as tasks:
        if dome.settings.companion == "auto":
            tasks.start_soon(_keep, dome)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


async def _keep(dome: Dome) -> None:
    while True:
        try:
            await ensure_running(
                dome.settings, dome.ports.database, holder=dome.holder, now=dome.now()
            )
        except (BackendError, OSError) as error:
            _log.warning("no companion could be started: %s", error)
        await dome.companion.wait(_LOOK_SECONDS)


def _spawn(command: Sequence[str], variables: Mapping[str, str], log: int, folder: Path) -> None:
    if os.name == "nt":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        started = subprocess.Popen(  # noqa: S603  our own program, no shell
            command, env=variables, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            creationflags=flags,
        )  # fmt: skip
        # It is not ours to wait for.
        started.returncode = 0
        return
    # The shell leaves at once and the companion becomes a child of init, so that it does not end
    # as a zombie of a server that lives for weeks.
    subprocess.run(  # noqa: S603  the words of the command are arguments, not text for the shell
        ["/bin/sh", "-c", '"$@" &', "sh", *command],
        env=variables, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True, check=True,
    )  # fmt: skip


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
