"""Of the packages of a Worker goes along what it imports, without what only people read."""

from pathlib import Path
from typing import Any

from worker_companions.vendoring import needed

PACKAGE = {
    "p/__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import p.types\n",
    "p/types.py": "",
    "p/entered.py": "from . import beside\nfrom .below.deep import thing\n",
    "p/beside.py": "def later():\n    import p.late\n",
    "p/late.py": "",
    "p/below/__init__.py": "_LAZY = {'Made': '.made'}\n",
    "p/below/deep.py": "from .. import above\n",
    "p/below/made.py": "",
    "p/above.py": "",
    "p/tests/test_p.py": "import p.entered\n",
    "p/zones.bin": "\x00",
    "p/py.typed": "",
    "p-1.0.dist-info/METADATA": "Name: p\nVersion: 1.0\n\n# Read me\n",
    "p-1.0.dist-info/RECORD": "p/types.py,,\n",
    "p-1.0.dist-info/licenses/LICENSE.md": "Do what you like.\n",
    "q/__init__.py": "import p.types\n",
}
COMMENTED = '''\
"""What it is."""
from __future__ import annotations

class Point:
    """A place."""  # not a person

    x: int = 1
    """How far."""

def far(point: Annotated[Point, Doc("Where it is.")]) -> int:
    """How far it is."""
    return point.x + len("""kept""")
'''


def kept(files: dict[str, str], *imported: str) -> dict[str, str]:
    found = needed({Path(name): text.encode() for name, text in files.items()}, imported)
    return {place.as_posix(): data.decode() for place, data in found.items()}


def test_what_is_imported_on_the_way_goes_along_and_nothing_else() -> None:
    names = {name for name in kept(PACKAGE, "p.entered.Name") if name.startswith("p/")}
    modules = {"__init__", "entered", "beside", "late", "above"}
    below = {"p/below/__init__.py", "p/below/deep.py", "p/below/made.py"}
    assert names == {f"p/{module}.py" for module in modules} | below | {"p/zones.bin"}
    assert not any(name.startswith("q/") for name in kept(PACKAGE, "p"))


def test_a_package_keeps_its_version_and_its_licence() -> None:
    found = kept(PACKAGE, "p")
    assert found["p-1.0.dist-info/METADATA"] == "Name: p\nVersion: 1.0\n"
    assert found["p-1.0.dist-info/licenses/LICENSE.md"] == "Do what you like.\n"
    assert "p-1.0.dist-info/RECORD" not in found


def test_a_program_without_its_texts_does_what_it_did() -> None:
    small = kept({"p.py": COMMENTED}, "p")["p.py"]
    for text in ("What it is", "A place", "not a person", "How far", "Where it is"):
        assert text not in small
    names: dict[str, Any] = {}
    exec(small, names)  # noqa: S102  what the test wrote above
    assert names["far"](names["Point"]) == 5
