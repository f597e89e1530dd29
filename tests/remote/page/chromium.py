"""Chromium for the tests: the one that is there, or one that is installed now."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_INSTALL_SECONDS = 600


def is_root() -> bool:
    """Whether Chromium has to do without its sandbox."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def found() -> Path | None:
    """The Chromium on this machine, None where there is none."""
    paths = filter(None, map(shutil.which, _NAMES))
    return next(map(Path, paths), None)


def installed() -> Path | None:
    """Where Chromium is, after installing it if need be; None for Playwright's own copy of it.

    Raises:
        CalledProcessError: it cannot be installed.
    """
    if path := found():
        return path
    if is_root() and shutil.which("apt-get"):
        _run("apt-get", "update", "-qq")
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium")
        return found()
    _run(sys.executable, "-m", "playwright", "install", "chromium")
    return None


def _run(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, check=True, env=environment, timeout=_INSTALL_SECONDS)
