"""Python Workers in workerd on this machine, as a process: launcher.mjs, from start to end.

What it takes comes from npm and from this environment: wrangler with workerd, and Pyodide, whose
bundle is written once a session.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anyio.to_thread

from dome_mcp.core.timestamps import to_ms
from tests.child_process import answer, end, first_answer
from tests.companion_workers.pyodide_bundle import write_bundle
from tests.server.node_packages import installed, node_binary, node_environment

PACKAGES = ("wrangler@4.164.0", "pyodide@314.0.6")
"""The workerd that this wrangler brings runs exactly this Pyodide; they move together."""

LAUNCHER = Path(__file__).with_name("launcher.mjs")
_START_SECONDS = 120
_STOP_SECONDS = 20
_WORKERD = """\
#!/bin/sh
exec "{workerd}" "$@" --pyodide-bundle-disk-cache-dir="{folder}"
"""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A Worker to run: the folder of its wrangler.jsonc and its bundle, and its variables."""

    folder: Path
    variables: tuple[tuple[str, str], ...] = ()
    route: str = ""
    """Which requests it answers, by their Host; the first Worker answers all others."""


@dataclass
class RunningWorkers:
    """Where the first of them is served."""

    url: str
    process: subprocess.Popen[str]

    async def run_cron(self, worker: str, *, at: datetime, count: int = 1) -> list[str]:
        """Dispatches the cron of a Worker `count` times at once; returns the outcomes."""
        line = json.dumps({"scheduled": worker, "time": to_ms(at), "count": count})
        said = json.loads(await anyio.to_thread.run_sync(answer, self.process, line))
        return said["outcomes"]

    async def abort(self) -> None:
        """Ends the Workers in the middle of what they are at, and starts them anew.

        The rows stay; messages that wait on the queues are lost, which a real queue keeps.
        """
        await anyio.to_thread.run_sync(answer, self.process, "{}")


def node_modules() -> Path:
    return installed(PACKAGES).parent


@contextmanager
def running_workers(
    workers: Sequence[Deployed], folder: Path, *, remote: str, port: int = 0
) -> Iterator[RunningWorkers]:
    """Runs Workers on common data in `folder`, until the block ends; port 0 is any that is free.

    `remote` is the address that answers for Workers AI and Vectorize (remote_bindings.py).
    """
    packages = node_modules()
    environment = {
        **node_environment(),
        # Miniflare's own way to another workerd: here the same one, told where Pyodide is.
        "MINIFLARE_WORKERD_PATH": str(_workerd(packages, folder)),
        "CLOUDFLARE_CF_FETCH_ENABLED": "false",
        "WRANGLER_SEND_METRICS": "false",
    }
    settings = {
        "data": str(folder / "data"),
        "remote": remote,
        "port": port,
        "workers": [
            {"folder": str(each.folder), "vars": dict(each.variables), "route": each.route}
            for each in workers
        ],
    }
    command = [node_binary(), str(LAUNCHER), str(packages)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield RunningWorkers(
                str(json.loads(first_answer(process, settings, seconds=_START_SECONDS))["url"]),
                process,
            )
        finally:
            end(process, seconds=_STOP_SECONDS)


def _workerd(packages: Path, folder: Path) -> Path:
    """A workerd that reads the bundle of the installed Pyodide."""
    write_bundle(packages / "pyodide", folder)
    [binary] = (packages / "@cloudflare").glob("workerd-*/bin/workerd")
    script = folder / "workerd"
    script.write_text(_WORKERD.format(workerd=binary, folder=folder))
    script.chmod(0o755)
    return script
