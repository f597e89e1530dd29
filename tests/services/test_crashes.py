"""A crash at any port call leaves the old state or the new one, and can be repeated."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.ports import Ports
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.crashing import Crash, Fuse, Moment, with_fuse
from tests.services.writes import SCENARIOS, check_consistent, state

pytestmark = pytest.mark.anyio

_BETWEEN_CHUNKS_AND_VECTORS = (
    "SELECT chunk_key FROM vectors WHERE chunk_key NOT IN (SELECT chunk_key FROM chunks)",
    """
    SELECT chunk_id FROM chunks
    WHERE embedded_with IS NOT NULL AND chunk_key NOT IN (SELECT chunk_key FROM vectors)""",
)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_crash_at_any_port_call_leaves_old_or_new_and_can_be_repeated(
    name: str, moment: Moment, tmp_path: Path
):
    scenario = SCENARIOS[name]
    async with _world(tmp_path / "whole") as ports:
        await scenario.before(ports)
        old = await state(ports)
        fuse = Fuse()
        await scenario.operation(with_fuse(ports, fuse))
        new = await state(ports)
    assert fuse.calls > 1
    assert name.startswith("index") or new != old
    for call in range(fuse.calls):
        async with _world(tmp_path / f"crash{call}") as ports:
            await scenario.before(ports)
            with pytest.raises(Crash):
                await scenario.operation(with_fuse(ports, Fuse(call, moment)))
            assert await state(ports) in (old, new), f"after a crash {moment} call {call}"
            await check_consistent(ports, *_BETWEEN_CHUNKS_AND_VECTORS)
            await scenario.operation(ports)
            assert await state(ports) == new, f"repeated after a crash {moment} call {call}"
            await check_consistent(ports, *_BETWEEN_CHUNKS_AND_VECTORS)


@asynccontextmanager
async def _world(folder: Path) -> AsyncIterator[Ports]:
    async with SqliteDatabase.open(None) as database:
        yield await make_ports(database, folder, WordEmbedder())
