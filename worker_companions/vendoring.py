"""The packages of a Worker, as small as they run: what is imported of them, without its comments.

A module goes along when something that goes along imports it, at the top or anywhere else, or names
it in a text by which it could be imported. What only a type checker would import stays behind. The
packages keep their names, versions and licences.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

Files = Mapping[Path, bytes]
"""What lies in `python_modules`, by its place there."""

_ENTERING = re.compile(r"workers/|_workers_sdk|asgi\.py|tzdata/")
"""Modules of the SDK, which the runtime itself imports, and of the zones that are read as data."""
_BY_A_MADE_UP_NAME = ("anyio._backends._asyncio",)
_UNUSED = re.compile(
    r"bin/|.*__pycache__|(?!.*/licenses/).*\.md$|.*\.pyi$|.*/py\.typed$"
    r"|.*\.dist-info/(?!METADATA|entry_points|licenses)"
    r"|pydantic/(v1|mypy)|anyio/_backends/_trio|anyio/pytest_plugin|starlette/testclient"
    # The tables that people and compilers read; zoneinfo reads one file a zone.
    r"|tzdata/zoneinfo/.*\.(tab|zi)$|tzdata/zoneinfo/leapseconds|dateutil/zoneinfo/.*\.tar"
    # Host names are looked up by sockets, of which a Worker has none.
    r"|idna"
)
"""Files, by how their names begin, that nothing reads there."""
_TEXT_FOR_READERS = "Doc"
"""What annotated_doc calls a text about a parameter, which does nothing (PEP 727)."""
_ENTRY_POINT = re.compile(r"=\s*([\w.]+)\s*(?::|$)", re.MULTILINE)


def needed(files: Files, imported: Iterable[str]) -> dict[Path, bytes]:
    """What of the packages' files a Worker needs that imports these names, made small."""
    kept = {place: data for place, data in files.items() if not _UNUSED.match(place.as_posix())}
    modules = {_name_of(place): place for place in kept if place.suffix == ".py"}
    entering = [name for name, place in modules.items() if _ENTERING.match(place.as_posix())]
    pointed = [
        name
        for place, data in kept.items()
        if place.name == "entry_points.txt"
        for name in _ENTRY_POINT.findall(data.decode())
    ]
    reached = _reached([*imported, *entering, *pointed, *_BY_A_MADE_UP_NAME], modules, kept)
    return {
        place: _small(place, data)
        for place, data in kept.items()
        if place.suffix != ".py" or place in reached
    }


def _reached(names: Sequence[str], modules: Mapping[str, Path], files: Files) -> set[Path]:
    """The modules behind names, and behind all that those name."""
    reached: set[Path] = set()
    waiting = list(names)
    while waiting:
        for name in _prefixes(waiting.pop()):
            place = modules.get(name)
            if place is not None and place not in reached:
                reached.add(place)
                waiting += _named(files[place].decode("utf-8"), name, place.stem == "__init__")
    return reached


@cache
def _named(text: str, module: str, is_package: bool) -> tuple[str, ...]:
    """Every name that a module may import, by a statement or by a text."""
    package = module if is_package else module.rpartition(".")[0]
    return tuple(_names_in(_WithoutTypes().visit(ast.parse(text)), package))


def _names_in(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute("." * node.level + (node.module or ""), package)
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (node.value, _absolute(f".{node.value.lstrip('.')}", package))


def _absolute(name: str, package: str) -> str:
    """A name as it is written in a module of the package, with as many dots as levels up."""
    bare = name.lstrip(".")
    above = len(name) - len(bare)
    if not above:
        return bare
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - above + 1], *([bare] if bare else [])])


def _prefixes(name: str) -> list[str]:
    """A dotted name and the packages it leads through."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _name_of(place: Path) -> str:
    parts = place.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _small(place: Path, data: bytes) -> bytes:
    if place.suffix == ".py":
        return _without_texts(data.decode("utf-8")).encode()
    if place.name == "METADATA":
        return data.partition(b"\n\n")[0] + b"\n"  # the rest is the README
    return data


@cache
def _without_texts(text: str) -> str:
    """The same program without comments, docstrings and texts about parameters."""
    return ast.unparse(_WithoutTexts().visit(ast.parse(text)))


class _WithoutTypes(ast.NodeTransformer):
    """Drops what is under `if TYPE_CHECKING:`."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        is_for_checkers = ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        return node.orelse if is_for_checkers else node


class _WithoutTexts(ast.NodeTransformer):
    """Drops what is only read by people."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value = ast.Constant("")  # stays a docstring, before which nothing may stand
            return node
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == _TEXT_FOR_READERS:
            node.args = [ast.Constant("")]
        return node
