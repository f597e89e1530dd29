"""The drivers under test, one parameter each."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.ports import Database, Value
from tests.conformance.notifier_benches import CANNOT


def unchanged(value: Value) -> Value:
    return value


def number_as_real(value: Value) -> Value:
    """D1's binding turns every JSON number into a REAL."""
    return float(value) if isinstance(value, int) else value


def number_as_text(value: Value) -> Value:
    """D1's HTTP interface takes every parameter as a string."""
    return str(value) if isinstance(value, int | float) else value


BINDINGS: dict[str, Callable[[Value], Value]] = {
    "sqlite": unchanged,
    "real-bound": number_as_real,
    "text-bound": number_as_text,
    "memory": unchanged,
}


@pytest.fixture(params=BINDINGS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database."""
    path = None if request.param == "memory" else tmp_path / "dome.db"
    async with SqliteDatabase.open(path, bind=BINDINGS[request.param]) as opened:
        yield opened


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the notifier tests that need what a kind of channel has no place for."""
    impossible = [item for item in items if _needs(item) & CANNOT.get(_kind(item), set())]
    items[:] = [item for item in items if item not in impossible]
    config.hook.pytest_deselected(items=impossible)


def _needs(item: pytest.Item) -> set[str]:
    return {need for mark in item.iter_markers("needs") for need in mark.args}


def _kind(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)  # only parametrised tests have one
    return callspec.params.get("bench", "") if callspec else ""
