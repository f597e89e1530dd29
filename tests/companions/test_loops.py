"""A companion at work: it fires in time, wakes for news, survives failures, and ends in order."""

import shutil
from datetime import timedelta

import anyio
import pytest

from dome_mcp.core.ports import Statement
from dome_mcp.services.companions import beat, companion_state
from dome_mcp.services.reminders import inbox
from tests.companions.conftest import Stage, refused, until

pytestmark = pytest.mark.anyio


async def delivery_states(stage: Stage) -> list[str]:
    rows = await stage.database.query(Statement("SELECT state FROM deliveries ORDER BY 1"))
    return [str(row["state"]) for row in rows]


async def is_running(stage: Stage) -> bool:
    return (await companion_state(stage.database, now=stage.clock())).is_running


async def test_a_reminder_created_while_it_sleeps_is_delivered_when_due(stage: Stage) -> None:
    async with stage.running():
        await stage.remind("Call Anna")
        stage.clock.advance(minutes=1)
        await stage.mailbox.wait_for(1)
    (notice,) = stage.mailbox.notices
    assert notice.text == "Call Anna"
    assert await delivery_states(stage) == ["DELIVERED"]
    assert len(await inbox(stage.ports, user_id="me", now=stage.clock())) == 1


async def test_what_came_due_while_nothing_ran_is_delivered_late(stage: Stage) -> None:
    await stage.remind("Call Anna")
    stage.clock.advance(hours=3, minutes=1)
    async with stage.running():
        await stage.mailbox.wait_for(1)
    assert stage.mailbox.notices[0].late == "3 hours late."


async def test_two_companions_deliver_each_notice_once(stage: Stage) -> None:
    for number in range(40):
        await stage.remind(f"Number {number}")
    async with stage.running(), stage.running():
        stage.clock.advance(minutes=2)
        await stage.mailbox.wait_for(40)
    assert len(stage.mailbox.notices) == len(set(stage.mailbox.keys)) == 40


async def test_a_refused_notice_is_tried_again_under_the_same_key(stage: Stage) -> None:
    stage.mailbox.refusals = [refused()]
    await stage.remind("Call Anna")
    stage.clock.advance(minutes=2)
    async with stage.running():
        await stage.mailbox.wait_for(1)
    assert len(stage.mailbox.keys) == 2
    assert len(set(stage.mailbox.keys)) == 1


async def test_a_notifier_that_breaks_does_not_end_the_companion(stage: Stage) -> None:
    stage.mailbox.refusals = [RuntimeError("a secret")]
    await stage.remind("First")
    stage.clock.advance(minutes=2)
    async with stage.running():
        await stage.mailbox.wait_for_attempts(1)
        await stage.remind("Second")
        stage.clock.advance(minutes=2)
        # The first comes again when its lease is over.
        await stage.mailbox.wait_for(2)
    assert sorted(notice.text for notice in stage.mailbox.notices) == ["First", "Second"]


async def test_its_heart_beats_while_it_runs_and_its_row_goes_with_it(stage: Stage) -> None:
    async with stage.running():
        await until(lambda: is_running(stage))
    assert (await companion_state(stage.database, now=stage.clock())).last_beat is None


async def test_it_finishes_what_it_is_sending_before_it_ends(stage: Stage) -> None:
    stage.mailbox.held = anyio.Event()
    await stage.remind("Call Anna")
    stage.clock.advance(minutes=2)
    async with stage.running() as companion:
        await stage.mailbox.wait_for_attempts(1)
        companion.stop()
        stage.mailbox.held.set()
    assert await delivery_states(stage) == ["DELIVERED"]


async def test_it_ends_when_nothing_has_been_waiting_for_so_long(stage: Stage) -> None:
    companion = await stage.companion()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: companion.run(until_idle=timedelta(hours=1)))
        await until(lambda: is_running(stage))
        stage.clock.advance(hours=2)
        await beat(stage.database, "somebody", now=stage.clock(), details={})


async def test_it_stays_while_something_is_waiting_even_for_next_year(stage: Stage) -> None:
    await stage.remind("Renew the passport", at="+52w")
    companion = await stage.companion()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: companion.run(until_idle=timedelta(hours=1)))
        await until(lambda: is_running(stage))
        stage.clock.advance(hours=10)
        await stage.remind("Call Anna")
        stage.clock.advance(minutes=2)
        await stage.mailbox.wait_for(1)
        companion.stop()


async def test_it_ends_when_its_data_folder_is_removed(stage: Stage) -> None:
    companion = await stage.companion()
    shutil.rmtree(stage.home)
    await companion.run()
