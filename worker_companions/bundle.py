"""Gathers what a companion Worker consists of, in the current folder.

    python -m worker_companions.bundle cron

is what wrangler runs, beside the wrangler.jsonc of `cron`, before it deploys it. Into `build` go
the entry and the modules of DOME that it imports, directly or not, each with the JavaScript of its
own name where there is some; into `python_modules` the packages that those need, as far as they
are imported (vendoring.py), as they are installed here, and compiled ones as they are for a Worker.
What a Worker may import of others is listed below and in `packages.txt` beside its entry; an entry
that would bring in anything else is refused, so that it stays small and starts fast.
"""

import argparse
import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from tempfile import TemporaryDirectory

from worker_companions.vendoring import Files, needed

FOLDER = Path(__file__).parent
WORKERS = ("cron", "notify", "ingest", "api")
DISTRIBUTIONS = ("python-dateutil", "tzdata", "workers-runtime-sdk")
"""With what they require. zoneinfo has no other zones in a Worker than those of tzdata."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_OURS = ("dome_mcp", "worker_companions")
_ALLOWED = frozenset({"js", "pyodide"}) | sys.stdlib_module_names
_PACKAGES = "packages.txt"
_COMPILED = (".so", ".pyd")
_FOR_WORKERS = ("--platform", "pyemscripten_2026_0_wasm32", "--only-binary", ":all:")
_PYTHON = ("--python-version", "3.14", "--implementation", "cp", "--abi", "cp314")
"""What the compatibility date selects.
Source: https://developers.cloudflare.com/workers/languages/python/packages/ (2026-11)."""


class BundleError(Exception):
    """A Worker cannot be bundled as it is."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """How much was gathered, in bytes."""

    own: int
    vendored: int


def bundle(entry: Path, folder: Path) -> Bundle:
    """Writes `build` and `python_modules` in `folder` anew, for the Worker of `entry`.

    Raises:
        BundleError: the entry imports what a Worker may not, or a package is not installed.
    """
    modules = modules_of(entry)
    imported = {name for source in (entry, *modules.values()) for name in _imported(source)}
    files = {Path("entry.py"): entry} | {
        _place(name, source): source for name, source in modules.items()
    }
    for place, source in list(files.items()):
        script = source.with_suffix(".js")
        if script.is_file():
            files[place.with_suffix(".js")] = script
    with TemporaryDirectory() as scratch:
        packages = {
            place: path.read_bytes()
            for each in _distributions(entry)
            for place, path in _packaged(each, Path(scratch) / each.name)
        }
    own = {place: path.read_bytes() for place, path in files.items()}
    return Bundle(
        _write(own, folder / "build"), _write(needed(packages, imported), folder / "python_modules")
    )


def modules_of(entry: Path) -> dict[str, Path]:
    """DOME's modules that an entry needs, by name, with the packages that they are in.

    Raises:
        BundleError: the entry imports what a Worker may not.
    """
    allowed = _ALLOWED | _tops(_distributions(entry))
    found: dict[str, Path] = {}
    waiting = [(str(entry), entry)]
    while waiting:
        importer, source = waiting.pop()
        for name in _imported(source):
            top = name.partition(".")[0]
            if top not in _OURS and top not in allowed:
                raise BundleError(f"{importer} imports {top}, which no Worker has")
            new = [] if top not in _OURS else [each for each in _chain(name) if each not in found]
            for module in new:
                found[module] = _source(module)
                waiting.append((module, found[module]))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Bundles the Worker named in the arguments; returns the exit code."""
    parser = argparse.ArgumentParser(prog="worker_companions.bundle")
    parser.add_argument("worker", choices=WORKERS)
    name: str = parser.parse_args(argv).worker
    try:
        size = bundle(FOLDER / name / "entry.py", Path.cwd())
    except BundleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"{name}: {size.own:,} bytes of DOME, {size.vendored:,} of packages\n")
    return 0


def _imported(source: Path) -> Iterator[str]:
    """Each name that a file imports, anywhere; `from a import b` imports `a.b`."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _chain(name: str) -> list[str]:
    """The packages and the module that a dotted name leads through."""
    parts = name.split(".")
    names = [".".join(parts[: count + 1]) for count in range(len(parts))]
    return [each for each in names if _is_module(each)]


def _is_module(name: str) -> bool:
    path = FOLDER.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _source(name: str) -> Path:
    path = FOLDER.parent.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _place(name: str, source: Path) -> Path:
    path = Path(*name.split("."))
    return path / source.name if source.name == "__init__.py" else path.with_suffix(".py")


def _distributions(entry: Path) -> list[Distribution]:
    """The packages that a Worker has, with what they require.

    Raises:
        BundleError: one is not installed.
    """
    listed = entry.with_name(_PACKAGES)
    own = listed.read_text(encoding="utf-8").split() if listed.is_file() else []
    waiting = [*DISTRIBUTIONS, *own]
    found: list[Distribution] = []
    for requirement in waiting:
        name, _, marker = requirement.partition(";")
        try:
            found.append(importlib.metadata.distribution(_name(name)))
        except importlib.metadata.PackageNotFoundError as error:
            if marker:  # for another Python
                continue
            raise BundleError(f"the package {_name(name)} is not installed") from error
        required = [each for each in found[-1].requires or () if "extra ==" not in each]
        known = {_name(each) for each in waiting}
        waiting += [each for each in required if _name(each) not in known]
    return found


def _tops(distributions: Iterable[Distribution]) -> frozenset[str]:
    """The names under which the packages are imported."""
    files = (file for each in distributions for file in each.files or ())
    return frozenset(file.parts[0].partition(".")[0] for file in files if file.suffix == ".py")


def _packaged(distribution: Distribution, scratch: Path) -> Iterator[tuple[Path, Path]]:
    """The files of a package, by their place in `python_modules`."""
    files = distribution.files or []
    if any(file.suffix in _COMPILED for file in files):
        _fetch(distribution, scratch)
        paths = [(path.relative_to(scratch), path) for path in scratch.rglob("*")]
    else:
        paths = [(Path(*file.parts), Path(str(file.locate()))) for file in files]
    for place, path in paths:
        if path.is_file() and ".." not in place.parts:
            yield place, path


def _fetch(distribution: Distribution, folder: Path) -> None:
    """Installs a package in a folder, as it is compiled for Workers, in the version we have.

    Raises:
        BundleError: there is none.
    """
    wanted = f"{distribution.name}=={distribution.version}"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    options = [str(folder), *_FOR_WORKERS, *_PYTHON, wanted]
    fetched = subprocess.run(  # noqa: S603  pip itself, for what is installed here
        [*command, *options], capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        raise BundleError(f"pip cannot fetch {wanted} for Workers: {fetched.stderr.strip()}")


def _name(requirement: str) -> str:
    """`six` for `six>=1.5`."""
    found = _NAME.match(requirement)
    return found[0] if found else requirement


def _write(files: Files, folder: Path) -> int:
    """Writes the folder anew, and returns how many bytes are in it."""
    shutil.rmtree(folder, ignore_errors=True)
    for place, data in files.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return sum(map(len, files.values()))


if __name__ == "__main__":
    sys.exit(main())
