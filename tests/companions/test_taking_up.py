"""A companion that comes up, or wakes, tries at once what the others could not send."""

import pytest

from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.core.awaiting import AWAITING
from dome_mcp.core.errors import NotServed
from dome_mcp.services.companions import unserved
from tests.companions.conftest import Stage, until

pytestmark = pytest.mark.anyio


async def left_by_another(stage: Stage) -> None:
    """A notice that is hours late, and that a companion without the channel has put off."""
    stage.policy = DeliveryPolicy()
    stage.mailbox.refusals = [NotServed(f"{AWAITING}elsewhere.")]
    await stage.remind("Call Anna")
    stage.clock.advance(hours=20)


async def is_left(stage: Stage) -> bool:
    return bool(await unserved(stage.database, user_id="me"))


async def test_what_was_left_is_sent_when_a_companion_comes_up(stage: Stage) -> None:
    await left_by_another(stage)
    async with stage.running():
        await until(lambda: is_left(stage))
    async with stage.running():
        await stage.mailbox.wait_for(1)
    assert len(set(stage.mailbox.keys)) == 1


async def test_what_was_left_is_sent_when_the_machine_wakes(stage: Stage) -> None:
    await left_by_another(stage)
    async with stage.running():
        await until(lambda: is_left(stage))
        stage.clock.advance(minutes=5)
        await stage.remind("Something else", at="+1w")
        await stage.mailbox.wait_for(1)
    assert [notice.text for notice in stage.mailbox.notices] == ["Call Anna"]


async def test_one_that_stays_awake_does_not_try_again_and_again(stage: Stage) -> None:
    await left_by_another(stage)
    async with stage.running():
        await until(lambda: is_left(stage))
        await stage.remind("Something else", at="+1m")
        stage.clock.advance(seconds=90)
        await stage.mailbox.wait_for(1)
    assert [notice.text for notice in stage.mailbox.notices] == ["Something else"]
