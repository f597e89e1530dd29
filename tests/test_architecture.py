"""The rules of docs/architecture.md that a reader cannot check by eye: who imports whom, and more.

A rule is a function from a parsed module to what breaks it. The tests run the rules over the whole
package, and each rule over a snippet that breaks it.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dome_mcp

PACKAGE = Path(dome_mcp.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

VAGUE = frozenset({"utils", "helpers", "common", "manager", "base"})
MAX_LINES = 300

IMPURE = frozenset(
    {"asyncio", "concurrent", "io", "multiprocessing", "os", "pathlib", "queue", "random"}
    | {"secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl"}
    | {"subprocess", "tempfile", "threading", "time", "urllib.request", "http"}
)
"""Standard modules that reach a clock, a thread, the system or a network."""

PURE_PARTS = frozenset({"pathlib.PurePath", "pathlib.PurePosixPath"})
"""What the modules above have that reaches nothing."""

CLOCKS = frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today"})

PURE_LAYERS = frozenset({"core", "store", "services"})
PURE_THIRD_PARTY = frozenset({"dateutil"})
PORTS = frozenset({"dome_mcp.core.ports", "dome_mcp.core.sessions"})

SEES: dict[str, frozenset[str]] = {
    "core": frozenset(),
    "store": frozenset({"core"}),
    "services": frozenset({"core", "store"}),
    "backends": frozenset({"core"}),
    "documents": frozenset({"core"}),
    "sources": frozenset({"core"}),
    "tools": frozenset(
        {"core", "services", "app", "feed", "intake", "protocol", "texts", "unexpected"}
    ),
    "resources": frozenset(
        {"core", "services", "app", "feed", "intake", "protocol", "texts", "tools", "unexpected"}
    ),
    "api_client": frozenset(
        {"core", "settings", "app", "feed", "dome_server", "protocol", "server", "sources"}
        | {"tools", "resources"}
    ),
    "remote": frozenset(
        {"core", "services", "app", "feed", "intake", "background", "companion_launch"}
        | {"settings", "http_settings", "link_pages", "notifying", "protocol", "server"}
        | {"tools", "resources", "texts", "unexpected", "channel_trials"}
    ),
}
"""The layers that each layer may import besides itself; the shells at the top see everything.
`app` is the type of what a tool is given; what made it, `wiring`, is out of its sight."""

VERSION = "__version__"
"""The one name of the package itself, for all to see."""


def imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Each name imported anywhere in a module, and its line; `from a import b` imports `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def layer_of(module: str) -> str:
    """`core` for `dome_mcp.core.model`; the empty string for the package itself."""
    return module.removeprefix("dome_mcp").lstrip(".").partition(".")[0]


def is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def wrong_layers(module: str, tree: ast.Module) -> Iterator[str]:
    layer = layer_of(module)
    if layer not in SEES:
        return
    for name, line in imported(tree):
        if is_within(name, "dome_mcp") and layer_of(name) not in SEES[layer] | {layer, VERSION}:
            yield f"line {line}: {layer} imports {name}"


def impure_imports(module: str, tree: ast.Module) -> Iterator[str]:
    if layer_of(module) not in PURE_LAYERS:
        return
    for name, line in imported(tree):
        top = name.partition(".")[0]
        is_allowed = top in {"dome_mcp"} | PURE_THIRD_PARTY | sys.stdlib_module_names
        is_impure = name not in PURE_PARTS and any(is_within(name, each) for each in IMPURE)
        if is_impure or not is_allowed:
            yield f"line {line}: {layer_of(module)} imports {name}"


def asynchronous_code(module: str, tree: ast.Module) -> Iterator[str]:
    """Ports describe coroutines; apart from them the core has none."""
    if layer_of(module) != "core" or module in PORTS:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"line {node.lineno}: core is asynchronous"


def clock_reads(module: str, tree: ast.Module) -> Iterator[str]:
    if layer_of(module) not in PURE_LAYERS:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in CLOCKS:
            yield f"line {node.lineno}: {ast.unparse(node)} in {layer_of(module)}"


def relative_imports(_module: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"line {node.lineno}: a relative import"


def environment_reads(module: str, tree: ast.Module) -> Iterator[str]:
    if module == "dome_mcp.settings":
        return
    names = {"environ", "environb", "getenv", "putenv"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            yield f"line {node.lineno}: os.{node.attr} outside settings"
    for name, line in imported(tree):
        if name in {f"os.{each}" for each in names}:
            yield f"line {line}: {name} outside settings"


def prints(module: str, tree: ast.Module) -> Iterator[str]:
    """Standard output carries the protocol."""
    if module in {"dome_mcp.cli", "dome_mcp.__main__"}:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "print":
            yield f"line {node.lineno}: print outside the command line"


def package_imports(module: str, tree: ast.Module) -> Iterator[str]:
    """The package is copied into Workers, where most of it could not be imported."""
    if module == "dome_mcp":
        yield from (f"line {line}: the package imports {name}" for name, line in imported(tree))


def vague_names(module: str, _tree: ast.Module) -> Iterator[str]:
    yield from (f"a module named {part}" for part in module.split(".") if part in VAGUE)


RULES: list[Callable[[str, ast.Module], Iterator[str]]] = [
    wrong_layers,
    impure_imports,
    asynchronous_code,
    clock_reads,
    relative_imports,
    environment_reads,
    prints,
    package_imports,
    vague_names,
]

BREACHES = [
    (wrong_layers, "dome_mcp.core.model", "from dome_mcp.store.notes import find"),
    (wrong_layers, "dome_mcp.core.model", "def f():\n    import dome_mcp.wiring"),
    (wrong_layers, "dome_mcp.store.notes", "from dome_mcp import services"),
    (wrong_layers, "dome_mcp.services.search", "from dome_mcp.backends.embedded import sqlite"),
    (wrong_layers, "dome_mcp.backends.embedded.sqlite", "from dome_mcp.store import schema"),
    (wrong_layers, "dome_mcp.documents.pdf", "from dome_mcp.services.ingest import ingest"),
    (wrong_layers, "dome_mcp.sources.files", "from dome_mcp.documents.pdf import read"),
    (wrong_layers, "dome_mcp.tools.notes", "from dome_mcp.store.notes import find"),
    (wrong_layers, "dome_mcp.tools.notes", "from dome_mcp.wiring import open_services"),
    (wrong_layers, "dome_mcp.core.model", "import dome_mcp"),
    (impure_imports, "dome_mcp.core.model", "import asyncio"),
    (impure_imports, "dome_mcp.core.model", "from os import path"),
    (impure_imports, "dome_mcp.core.model", "from pathlib import Path"),
    (impure_imports, "dome_mcp.store.notes", "import numpy"),
    (impure_imports, "dome_mcp.services.search", "def f():\n    import urllib.request"),
    (impure_imports, "dome_mcp.services.search", "import anyio"),
    (asynchronous_code, "dome_mcp.core.ranking", "async def rank(): ..."),
    (clock_reads, "dome_mcp.services.notes", "moment = datetime.now(UTC)"),
    (relative_imports, "dome_mcp.tools.notes", "from . import search"),
    (environment_reads, "dome_mcp.wiring", "import os\nhome = os.environ['HOME']"),
    (environment_reads, "dome_mcp.wiring", "from os import getenv"),
    (prints, "dome_mcp.server", "print('hello')"),
    (package_imports, "dome_mcp", "import os"),
    (vague_names, "dome_mcp.core.utils", ""),
]

KEPT = [
    (
        "dome_mcp.core.model",
        "import re\nfrom dateutil import parser\nfrom dome_mcp.core import ids",
    ),
    ("dome_mcp.services.search", "from dome_mcp.store.notes import find\nasync def f(): ..."),
    ("dome_mcp.services.blobs", "from pathlib import PurePosixPath"),
    ("dome_mcp.sources.web", "from dome_mcp import __version__"),
    ("dome_mcp.core.clock", "def to_ms(now: datetime): return now.timestamp()"),
    (
        "dome_mcp.tools.notes",
        "from dome_mcp.app import Dome\nfrom dome_mcp.services import notes",
    ),
    ("dome_mcp.wiring", "import asyncio\nfrom dome_mcp.backends.embedded import sqlite"),
    ("dome_mcp.settings", "import os\nhome = os.environ"),
    ("dome_mcp.cli", "print('hello')"),
]


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_keeps_every_rule(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree, name = ast.parse(text), module_name(path)
    assert [breach for rule in RULES for breach in rule(name, tree)] == []
    line_count = text.count("\n")
    assert line_count <= MAX_LINES


def test_the_whole_package_is_read() -> None:
    assert {"dome_mcp", "dome_mcp.core.ports", "dome_mcp.store.schema"} <= set(
        map(module_name, MODULES)
    )


@pytest.mark.parametrize(("rule", "module", "source"), BREACHES)
def test_a_breach_is_found(
    rule: Callable[[str, ast.Module], Iterator[str]], module: str, source: str
) -> None:
    assert len(list(rule(module, ast.parse(source)))) == 1


@pytest.mark.parametrize(("module", "source"), KEPT)
def test_what_is_allowed_is_not_called_a_breach(module: str, source: str) -> None:
    assert [breach for rule in RULES for breach in rule(module, ast.parse(source))] == []


def test_each_rule_is_shown_to_be_broken() -> None:
    assert {rule for rule, _, _ in BREACHES} == set(RULES)
