"""A command that waits for vectors works with other processes, not against them."""

from datetime import timedelta

import anyio
import pytest

from dome_mcp.app import opened
from dome_mcp.commands.indexing import wait_for_vectors
from dome_mcp.core.model import IndexState
from dome_mcp.settings import load
from dome_mcp.store.leases import give_back_lease, take_lease
from tests.cli.conftest import Cli, jsonl

pytestmark = pytest.mark.anyio

LINES = jsonl([{"text": f"Fact {number} about the house."} for number in range(40)])
WITH_MODEL = {"DOME_EMBEDDING_MODEL": ""}


@pytest.fixture
def pending(cli: Cli) -> Cli:
    """A home with 40 chunks that have no vector."""
    cli("ingest", "--jsonl", "-", "--no-wait", stdin=LINES, **WITH_MODEL)
    return cli


async def test_progress_goes_up_to_all_that_was_pending(pending: Cli) -> None:
    shown: list[tuple[str, int, int | None]] = []
    async with opened(load({**pending.environ, **WITH_MODEL})) as dome:
        index = await wait_for_vectors(dome, lambda *step: shown.append(step))
    assert index == IndexState()
    assert shown[-1] == ("embedding chunks", 40, 40)
    assert [done for _, done, _ in shown] == sorted(done for _, done, _ in shown)


async def test_while_another_process_embeds_it_waits_and_then_goes_on(pending: Cli) -> None:
    watching = anyio.Event()
    async with opened(load({**pending.environ, **WITH_MODEL})) as dome:
        lease = take_lease(
            f"index:{dome.user_id}", "another", now=dome.now(), duration=timedelta(hours=1)
        )
        await dome.ports.database.query(lease)
        waited: list[IndexState] = []

        async def wait() -> None:
            waited.append(await wait_for_vectors(dome, lambda *step: watching.set()))

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await watching.wait()
                assert waited == []
                await dome.ports.database.query(give_back_lease("index:me", "another"))
    assert waited == [IndexState()]


async def test_without_a_model_it_returns_at_once_and_says_why(pending: Cli) -> None:
    async with opened(load(pending.environ)) as dome:
        index = await wait_for_vectors(dome, lambda *step: None)
    assert index.pending_chunks == 40
    assert "No embedding model" in str(index.note)
