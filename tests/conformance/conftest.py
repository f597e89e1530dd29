"""The drivers under test, one parameter each."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.ports import BlobStore, Database, Value


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


@pytest.fixture(params=["files"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """An empty blob store."""
    return FileBlobs(tmp_path / "blobs")
