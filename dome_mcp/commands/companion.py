"""`dome-mcp companion run | install | uninstall | status`."""

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import anyio

from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, Invocation
from dome_mcp.companion_launch import lacks_token
from dome_mcp.companion_service import Command, Service, service_for
from dome_mcp.companion_wiring import open_rows
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.timestamps import local_iso
from dome_mcp.services.companions import CompanionState, companion_state
from dome_mcp.services.housekeeping import last_kept
from dome_mcp.settings import DATABASE_FILE, Settings
from dome_mcp.store import meta
from dome_mcp.store.housekeeping import Kept
from worker_companions.local import log_to_stderr, run_companion


async def run(invocation: Invocation) -> int:
    """Runs a companion in the foreground until it is interrupted."""
    settings = invocation.settings()
    log_to_stderr(settings)
    hours: float | None = invocation.arguments.until_idle
    await run_companion(settings, until_idle=None if hours is None else timedelta(hours=hours))
    return 0


async def install(invocation: Invocation) -> int:
    """Writes the service file and has the system start it; 1 where the system does not.

    Raises:
        InvalidInput: the companion would miss a token, which no service file may hold.
    """
    output = invocation.output
    service = _service(invocation)
    if invocation.arguments.print:
        return _show(service, output)
    if lacks_token(invocation.settings()):
        raise InvalidInput(
            "A service does not see CLOUDFLARE_API_TOKEN, which stands in your environment alone.",
            "Write it into config.toml, which only you can read: cloudflare_api_token.",
        )
    await anyio.Path(service.path.parent).mkdir(parents=True, exist_ok=True)
    await anyio.Path(service.path).write_bytes(service.content)
    output.line(f"Wrote {service.path}.")
    failed = await _run_all(service.install, invocation.variables)
    output.value({"path": str(service.path), "installed": not failed, "failed": failed})
    if failed:
        output.remark("The system did not take it. When you are logged in as usual, run:")
        output.remark("\n".join(f"  {line}" for line in failed))
        return FAILED
    output.line("The companion runs now, and whenever you log in.")
    if service.advice:
        output.line(service.advice)
    return 0


async def uninstall(invocation: Invocation) -> int:
    """Has the system stop the companion and removes the service file."""
    output = invocation.output
    service = _service(invocation)
    was_there = service.path.exists()
    failed = await _run_all(service.uninstall, invocation.variables) if was_there else []
    await anyio.Path(service.path).unlink(missing_ok=True)
    output.value({"path": str(service.path), "removed": was_there, "failed": failed})
    output.line(f"Removed {service.path}." if was_there else "It was not installed.")
    for line in failed:
        output.remark(f"This did not work: {line}")
    return FAILED if failed else 0


async def status(invocation: Invocation) -> int:
    """Says how the companions do; 1 where something is to fire and none runs."""
    settings = invocation.settings()
    now = datetime.now(UTC)
    state, port, kept = await _state(settings, now=now)
    problem = state.problem(now)
    try:
        path = _service(invocation).path
        installed = str(path) if path.exists() else None
    except InvalidInput:
        installed = None
    beat = local_iso(state.last_beat, settings.timezone) if state.last_beat else None
    kept_at = local_iso(kept.at, settings.timezone) if kept else None
    failures = kept.failures if kept else ()
    output = invocation.output
    output.value(
        {
            "running": state.is_running,
            "needed": state.is_needed,
            "last_beat": beat,
            "lag_seconds": state.lag_seconds,
            "last_errors": list(state.last_errors),
            "service": installed,
            "link_port": port,
            "last_housekeeping": kept_at,
            "housekeeping_failures": list(failures),
            "problem": problem,
        }
    )
    output.line(problem or _words(state), "yellow" if problem else "green")
    output.line(f"last heartbeat: {beat or 'none'}, lag {state.lag_seconds:.1f} s")
    output.line(f"service: {installed or 'not installed'}")
    output.line(f"links in notices: {f'port {port} on this machine' if port else 'no port yet'}")
    output.line(f"last housekeeping: {kept_at or 'none'}")
    for error in dict.fromkeys((*state.last_errors, *failures)):
        output.line(f"error: {error}", "yellow")
    return FAILED if problem else 0


async def _state(
    settings: Settings, *, now: datetime
) -> tuple[CompanionState, int | None, Kept | None]:
    """How the companions do, the port on which they answer links, and when they kept house."""
    is_here = settings.cloudflare.database == "embedded"
    if is_here and not (settings.home / DATABASE_FILE).exists():
        return CompanionState(is_running=False), None, None
    async with open_rows(settings) as rows:
        port = await meta.fact(rows.database, meta.LINK_PORT)
        state = await companion_state(rows.database, now=now)
        return state, int(port) if port else None, await last_kept(rows.database)


def _words(state: CompanionState) -> str:
    if state.is_running:
        return "A companion is running."
    if state.is_starting:
        return "A companion is starting."
    return "No companion runs, and there is nothing to fire."


def _service(invocation: Invocation) -> Service:
    variables = invocation.variables
    return service_for(
        invocation.settings(),
        home=Path(variables.get("HOME") or Path.home()),
        variables=variables,
        user_number=os.getuid() if os.name != "nt" else 0,
    )


def _show(service: Service, output: Output) -> int:
    encoding = "utf-16" if service.content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    text = service.content.decode(encoding)
    commands = [" ".join(command) for command in service.install]
    output.value({"path": str(service.path), "content": text, "commands": commands})
    output.line(f"# {service.path}\n{text}")
    for command in commands:
        output.line(f"# {command}")
    return 0


async def _run_all(commands: Sequence[Command], variables: Mapping[str, str]) -> list[str]:
    """Runs the commands in order up to the first that fails; returns those that are left to do."""
    for position, command in enumerate(commands):
        if not await _succeeds(command, variables):
            return [" ".join(left) for left in commands[position:]]
    return []


async def _succeeds(command: Command, variables: Mapping[str, str]) -> bool:
    program = shutil.which(command[0], path=variables.get("PATH"))
    if program is None:
        return False
    run_process = partial(anyio.run_process, env=dict(variables), check=False)
    result = await run_process([program, *command[1:]], stderr=None)
    return result.returncode == 0
