"""What goes into a Worker: all it imports, and nothing that it may not have."""

import ast
import gzip
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.companion_workers.pyodide_bundle import write_bundle
from tests.companion_workers.running import node_modules
from tests.server.node_packages import node_binary, node_environment
from worker_companions.bundle import FOLDER, WORKERS, BundleError, bundle, modules_of

MOST_BYTES = 5_000_000
MOST_COMPRESSED_BYTES = 2_750_000
"""The Free plan takes 3 MB, the Paid plan 10 MB.
Source: https://developers.cloudflare.com/workers/platform/limits/#worker-size (2026-11)."""
LIGHT = [name for name in WORKERS if not (FOLDER / name / "packages.txt").exists()]


@pytest.mark.parametrize("name", LIGHT)
def test_a_worker_is_small_and_has_no_pydantic(name: str, tmp_path: Path) -> None:
    size = bundle(FOLDER / name / "entry.py", tmp_path)
    assert size.own + size.vendored < MOST_BYTES
    packages = {path.name for path in (tmp_path / "python_modules").iterdir()}
    assert {"dateutil", "tzdata", "workers"} <= packages
    assert not {"pydantic", "httpx", "anyio"} & packages


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    bundle(FOLDER / "api" / "entry.py", folder)
    return folder


def test_the_worker_of_the_api_is_small_as_it_is_sent_and_has_compiled_code_for_workers(
    api: Path,
) -> None:
    files = [path for path in api.rglob("*") if path.is_file()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MOST_COMPRESSED_BYTES
    packages = api / "python_modules"
    [compiled] = packages.rglob("*.so")
    assert compiled.name.endswith("-wasm32-emscripten.so")
    uncompiled = sum(path.stat().st_size for path in files if path != compiled)
    assert uncompiled < MOST_BYTES
    assert not {"mcp", "httpx", "apsw", "lxml"} & {path.name for path in packages.iterdir()}
    assert not (packages / "pydantic" / "v1").exists()


def test_what_the_packages_import_when_they_are_loaded_is_there(api: Path) -> None:
    packages = api / "python_modules"
    for module in packages.rglob("*.py"):
        for name in loaded_by(module, packages):
            installed = Path(sysconfig.get_path("purelib"), *name.split("."))
            if installed.with_suffix(".py").is_file():
                place = packages.joinpath(*name.split(".")).with_suffix(".py")
                assert place.is_file(), f"{module.relative_to(packages)} imports {name}"


def loaded_by(module: Path, packages: Path) -> list[str]:
    """The names from which a module of the packages imports as soon as it is imported."""
    parents = module.relative_to(packages).parent.parts
    found: list[str] = []
    for node in ast.parse(module.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            above = parents[: len(parents) - node.level + 1]
            origin = ".".join([*above, *([node.module] if node.module else [])])
            found += [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if packages.joinpath(name.partition(".")[0]).is_dir()]


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
