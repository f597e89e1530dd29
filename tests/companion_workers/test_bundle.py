"""What goes into a Worker: all it imports, and nothing that it may not have."""

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.companion_workers.pyodide_bundle import write_bundle
from tests.companion_workers.running import node_modules
from tests.server.node_packages import node_binary, node_environment
from worker_companions.bundle import FOLDER, WORKERS, BundleError, bundle, modules_of

MOST_BYTES = 5_000_000
LIGHT = [name for name in WORKERS if not (FOLDER / name / "packages.txt").exists()]


@pytest.mark.parametrize("name", LIGHT)
def test_a_worker_is_small_and_has_no_pydantic(name: str, tmp_path: Path) -> None:
    size = bundle(FOLDER / name / "entry.py", tmp_path)
    assert size.own + size.vendored < MOST_BYTES
    packages = {path.name for path in (tmp_path / "python_modules").iterdir()}
    assert {"dateutil", "tzdata", "workers"} <= packages
    assert not {"pydantic", "httpx", "anyio"} & packages


def test_the_worker_of_the_api_is_small_as_it_is_sent_and_has_compiled_code_for_workers(
    tmp_path: Path,
) -> None:
    bundle(FOLDER / "api" / "entry.py", tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MOST_BYTES
    packages = tmp_path / "python_modules"
    assert not {"mcp", "httpx", "apsw", "lxml"} & {path.name for path in packages.iterdir()}
    [compiled] = packages.rglob("*.so")
    assert compiled.name.endswith("-wasm32-emscripten.so")
    assert not (packages / "pydantic" / "v1").exists()


def test_a_package_that_is_not_compiled_for_workers_is_refused(tmp_path: Path) -> None:
    entry = tmp_path / "entry.py"
    entry.write_text("import kitoken\n")
    (tmp_path / "packages.txt").write_text("kitoken\n")
    with pytest.raises(BundleError, match="pip cannot fetch kitoken"):
        bundle(entry, tmp_path)


def test_what_is_imported_on_the_way_is_in_the_bundle_with_its_packages() -> None:
    found = modules_of(FOLDER / "cron" / "entry.py")
    assert {"dome_mcp", "dome_mcp.store", "dome_mcp.store.deliveries"} <= set(found)
    assert "worker_companions.fetching" not in found


@pytest.mark.parametrize(
    "line", ["import pydantic", "from dome_mcp.backends.cloudflare.d1 import D1Database"]
)
def test_what_no_worker_has_is_refused(line: str, tmp_path: Path) -> None:
    entry = tmp_path / "entry.py"
    entry.write_text(f"def later():\n    {line}\n")
    with pytest.raises(BundleError, match=r"imports (pydantic|anyio|httpx)"):
        bundle(entry, tmp_path)
    assert list(tmp_path.iterdir()) == [entry]


def test_a_bundle_is_made_anew(tmp_path: Path) -> None:
    stale = tmp_path / "build" / "stale.py"
    stale.parent.mkdir()
    stale.write_text("")
    bundle(FOLDER / "cron" / "entry.py", tmp_path)
    assert not stale.exists()


@pytest.mark.parametrize("name", WORKERS)
def test_wrangler_would_deploy_the_bundle_that_its_build_command_made(
    name: str, tmp_path: Path
) -> None:
    shutil.copy(FOLDER / name / "wrangler.jsonc", tmp_path)
    wrangler = node_modules() / "wrangler" / "bin" / "wrangler.js"
    quiet = {"CI": "1", "CLOUDFLARE_CF_FETCH_ENABLED": "false", "WRANGLER_SEND_METRICS": "false"}
    # The build command is to find this Python, and this source.
    here = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), node_environment()["PATH"]])}
    dry_run = subprocess.run(
        [node_binary(), str(wrangler), "deploy", "--dry-run", "--outdir", "uploaded"],
        cwd=tmp_path,
        env={**node_environment(), **quiet, **here, "PYTHONPATH": str(FOLDER.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert dry_run.returncode == 0, dry_run.stderr
    assert re.search(r"env\.DB \(dome\)", dry_run.stdout)
    own = relative_files(tmp_path / "build")
    vendored = {f"python_modules/{each}" for each in relative_files(tmp_path / "python_modules")}
    assert own | vendored <= relative_files(tmp_path / "uploaded")


def test_a_pyodide_that_the_bundle_was_not_made_for_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyodide.asm.mjs").write_text("export default another;")
    with pytest.raises(ValueError, match="has no"):
        write_bundle(tmp_path, tmp_path)


def relative_files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
