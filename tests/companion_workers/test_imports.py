"""What is to run in Workers can be imported by the Python that runs there."""

from pathlib import Path

import httpx
import pytest

import dome_mcp
from tests.companion_workers.conftest import LAYERS
from tests.companion_workers.remote import Binding

pytestmark = pytest.mark.anyio

PACKAGE = Path(dome_mcp.__file__).parent


def modules() -> list[str]:
    files = [file for layer in LAYERS for file in (PACKAGE / layer).rglob("*.py")]
    parts = [file.relative_to(PACKAGE.parent).with_suffix("").parts for file in files]
    return sorted(".".join(part).removesuffix(".__init__") for part in parts)


async def test_every_module_of_core_store_and_services_is_imported(
    client: httpx.AsyncClient,
) -> None:
    names = modules()
    assert {"dome_mcp.core.recurrence", "dome_mcp.services.search"} <= set(names)
    bench = Binding(client, "MODULES")
    assert [await bench.call("load", name) for name in names] == names
