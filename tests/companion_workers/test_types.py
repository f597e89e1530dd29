"""What a Worker reads of its environment is what its wrangler.jsonc gives it."""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dome_mcp.commands.worker_configs import API, read_workers
from dome_mcp.settings import NAMES, variable
from tests.companion_workers.local_wrangler import wrangler
from worker_companions.bundle import FOLDER, modules_of

WORKERS = {worker.key: worker.config for worker in read_workers()}

_ENV_INTERFACE = re.compile(r"interface (?:__BaseEnv_)?Env \{(.*?)\n\t?\}", re.DOTALL)
_FIELD = re.compile(r"^\s*([A-Z][A-Z0-9_]*)\??:", re.MULTILINE)
_ENV = re.compile(r"(?:^|\.)_?env$")


def typed(key: str, folder: Path) -> set[str]:
    """The names in the types that wrangler makes of a Worker's configuration."""
    shutil.copy(FOLDER / key / "wrangler.jsonc", folder)
    (folder / "build").mkdir()
    (folder / "build" / "entry.py").touch()
    wrangler("types", "--include-runtime=false", folder=folder)
    types = (folder / "worker-configuration.d.ts").read_text("utf-8")
    return {name for block in _ENV_INTERFACE.findall(types) for name in _FIELD.findall(block)}


def read(key: str) -> set[str]:
    """The names that a Worker's modules read of its environment."""
    entry = FOLDER / key / "entry.py"
    classes = {name for each in WORKERS[key].get("migrations", ()) for name in classes_in(each)}
    sources = [entry, *modules_of(entry).values()]
    return {
        name
        for source in sources
        if source.is_relative_to(FOLDER)
        for name in names_in(ast.parse(source.read_text("utf-8")), classes)
    }


def classes_in(migration: dict[str, list[str]]) -> list[str]:
    return migration.get("new_sqlite_classes", [])


def names_in(node: ast.AST, classes: set[str]) -> Iterator[str]:
    """`env.DB` and `getattr(env, "DB", None)`, but for Durable Objects that run elsewhere."""
    if isinstance(node, ast.ClassDef) and _is_elsewhere(node, classes):
        return
    if isinstance(node, ast.Attribute) and _ENV.search(ast.unparse(node.value)):
        yield node.attr
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
        origin, name, *_ = node.args
        if _ENV.search(ast.unparse(origin)) and isinstance(name, ast.Constant):
            yield str(name.value)
    for child in ast.iter_child_nodes(node):
        yield from names_in(child, classes)


def _is_elsewhere(node: ast.ClassDef, classes: set[str]) -> bool:
    return "DurableObject" in map(ast.unparse, node.bases) and node.name not in classes


@pytest.mark.parametrize("key", WORKERS)
def test_a_worker_reads_what_it_is_bound_to_and_nothing_else(key: str, tmp_path: Path) -> None:
    given, wanted = typed(key, tmp_path), read(key)
    settings = set(map(variable, NAMES)) if key == API else set[str]()
    assert "DB" in given
    assert given - settings == wanted - settings
