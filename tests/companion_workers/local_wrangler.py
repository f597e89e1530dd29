"""wrangler without an account: what it checks, and the D1 databases that it keeps here."""

import subprocess
from pathlib import Path

from tests.companion_workers.running import node_modules
from tests.server.node_packages import node_binary, node_environment

_QUIET = {"CI": "1", "CLOUDFLARE_CF_FETCH_ENABLED": "false", "WRANGLER_SEND_METRICS": "false"}


def wrangler(*words: str | Path, folder: Path) -> str:
    """What wrangler prints, run beside the wrangler.jsonc of `folder`."""
    script = node_modules() / "wrangler" / "bin" / "wrangler.js"
    ran = subprocess.run(
        [node_binary(), str(script), *words],
        cwd=folder,
        env={**node_environment(), **_QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def migrated_database(folder: Path, kept: Path) -> Path:
    """The file of the database of the Worker in `folder`, among the local data in `kept`/v3.

    wrangler applies the migrations beside the Worker that are not yet applied.
    """
    words = ("d1", "migrations", "apply", "dome", "--local", "--persist-to")
    wrangler(*words, kept, folder=folder)
    [file] = [each for each in kept.rglob("d1/**/*.sqlite") if each.name != "metadata.sqlite"]
    return file
