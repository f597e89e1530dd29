"""Done and Snooze by link: what they change, and that each works once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from dome_mcp.core.agenda import DeliveryPolicy, Firing
from dome_mcp.core.errors import Conflict, Forbidden, NotFound
from dome_mcp.core.links import LinkAction, LinkVerb
from dome_mcp.core.ports import Ports, Row, Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.services.actions import LINK_LIFETIME, offered, perform
from dome_mcp.services.agenda import stored_reminder, stored_task
from dome_mcp.services.dispatch import tick
from dome_mcp.services.reminders import (
    NewReminder,
    ReminderAction,
    create_reminder,
    inbox,
    update_reminder,
)
from dome_mcp.services.tasks import NewTask, create_task
from tests.services.crashing import Crash, Fuse, with_fuse
from tests.services.intrusion import intruding

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DUE = NOW + timedelta(minutes=1)
SEEN = DUE + timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


@dataclass
class Meddling:
    """A database before each of whose batches somebody else snoozes the reminder."""

    ports: Ports
    reminder_id: str
    hours: int = 1

    async def query(self, statement: Statement) -> Sequence[Row]:
        return await self.ports.database.query(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        self.hours += 1
        snooze = ReminderAction("snooze", by=f"{self.hours}h")
        await update_reminder(
            self.reminder_id, snooze, self.ports, user_id="me", now=SEEN, zone="UTC"
        )
        return await self.ports.database.batch(statements)


class Nowhere:
    """A queue that loses everything."""

    async def send(self, bodies: Sequence[str]) -> None:
        return None


async def fired(ports: Ports, *, now: datetime = DUE) -> Firing:
    """The newest firing after a tick."""
    await tick(ports.database, Nowhere(), DeliveryPolicy(), now=now)
    return (await inbox(ports, user_id="me", now=now))[0].firing


async def remind(ports: Ports, **changes: str) -> Firing:
    """The firing of a new reminder."""
    new = NewReminder(**{"text": "Call Anna", "at": "+1m", **changes})
    await create_reminder(new, ports, user_id="me", now=NOW, zone="Europe/Berlin")
    return await fired(ports)


def link_to(firing: Firing, action: LinkVerb, *, user_id: str = "me") -> LinkAction:
    return LinkAction(
        action, user_id, firing.reminder_id, to_ms(firing.due_at), firing.due_at + LINK_LIFETIME
    )


async def test_an_offer_says_what_and_when_and_changes_nothing(ports: Ports) -> None:
    firing = await remind(ports)
    for _ in range(3):
        offer = await offered(link_to(firing, "done"), ports)
    assert offer.text == "Call Anna"
    assert offer.when == "Monday 2 March 2026, 09:01 (Europe/Berlin)"
    assert len(await inbox(ports, user_id="me", now=SEEN)) == 1


async def test_done_takes_a_reminder_out_of_the_inbox(ports: Ports) -> None:
    firing = await remind(ports)
    assert await perform(link_to(firing, "done"), ports, now=SEEN) == "Done."
    assert await inbox(ports, user_id="me", now=SEEN) == ()


async def test_done_leaves_the_other_firings_of_a_series_open(ports: Ports) -> None:
    first = await remind(ports, repeat="daily")
    await fired(ports, now=DUE + timedelta(days=1))
    sentence = await perform(link_to(first, "done"), ports, now=DUE + timedelta(days=1))
    assert sentence == "Done. It comes again on Wednesday 4 March 2026, 09:01 (Europe/Berlin)."
    assert len(await inbox(ports, user_id="me", now=SEEN)) == 1


async def test_done_starts_the_time_of_a_reminder_that_counts_from_completion(
    ports: Ports,
) -> None:
    firing = await remind(ports, repeat="every! 10 days")
    await perform(link_to(firing, "done"), ports, now=SEEN)
    reminder = await stored_reminder(firing.reminder_id, ports, user_id="me")
    assert reminder.due_at is not None
    assert (reminder.due_at - SEEN).days in (9, 10)


async def test_done_completes_the_task_and_stops_its_reminders(ports: Ports) -> None:
    new = NewTask("File the taxes", due="+1m", remind=("0m", "+2d"))
    view = await create_task(new, ports, user_id="me", now=NOW, zone="Europe/Berlin")
    firing = await fired(ports)
    sentence = await perform(link_to(firing, "done"), ports, now=SEEN)
    assert sentence == "The task is completed."
    task = await stored_task(view.task.task_id, ports, user_id="me")
    assert (task.status, task.completed_at) == ("completed", SEEN)
    assert len(view.reminders) == 2
    for each in view.reminders:
        stored = await stored_reminder(each.reminder.reminder_id, ports, user_id="me")
        assert stored.due_at is None


async def test_done_also_stops_a_reminder_that_is_snoozed_meanwhile(ports: Ports) -> None:
    new = NewTask("File the taxes", due="+1m", remind=("0m",))
    await create_task(new, ports, user_id="me", now=NOW, zone="Europe/Berlin")
    firing = await fired(ports)

    async def snooze() -> None:
        later = ReminderAction("snooze", by="15m")
        await update_reminder(
            firing.reminder_id, later, ports, user_id="me", now=SEEN, zone="Europe/Berlin"
        )

    crossed = intruding(ports, on="used_links", by=snooze)
    assert await perform(link_to(firing, "done"), crossed, now=SEEN) == "The task is completed."
    reminder = await stored_reminder(firing.reminder_id, ports, user_id="me")
    assert (reminder.state, reminder.due_at) == ("finished", None)


async def test_done_moves_a_repeating_task_to_its_next_time(ports: Ports) -> None:
    new = NewTask("Water the plants", due="+1m", repeat="weekly", remind=("0m",))
    view = await create_task(new, ports, user_id="me", now=NOW, zone="Europe/Berlin")
    firing = await fired(ports)
    sentence = await perform(link_to(firing, "done"), ports, now=SEEN)
    assert "due again on Monday 9 March 2026, 09:01" in sentence
    task = await stored_task(view.task.task_id, ports, user_id="me")
    assert (task.status, task.due_at) == ("pending", DUE + timedelta(days=7))


async def test_snooze_fires_the_same_reminder_an_hour_later(ports: Ports) -> None:
    firing = await remind(ports)
    sentence = await perform(link_to(firing, "snooze"), ports, now=SEEN)
    assert sentence == "You will be reminded again on Monday 2 March 2026, 10:06 (Europe/Berlin)."
    assert await inbox(ports, user_id="me", now=SEEN) == ()
    again = await fired(ports, now=SEEN + timedelta(hours=1))
    assert (again.due_at, again.occurrence_at) == (SEEN + timedelta(hours=1), DUE)


async def test_snooze_leaves_a_series_as_it_is(ports: Ports) -> None:
    firing = await remind(ports, repeat="daily")
    await perform(link_to(firing, "snooze"), ports, now=SEEN)
    reminder = await stored_reminder(firing.reminder_id, ports, user_id="me")
    assert reminder.next_at == DUE + timedelta(days=1)
    assert reminder.due_at == SEEN + timedelta(hours=1)


@pytest.mark.parametrize("action", ["done", "snooze"])
async def test_a_link_works_once(ports: Ports, action: LinkVerb) -> None:
    firing = await remind(ports)
    await perform(link_to(firing, action), ports, now=SEEN)
    before = await stored_reminder(firing.reminder_id, ports, user_id="me")
    with pytest.raises(Forbidden, match="has been used"):
        await perform(link_to(firing, action), ports, now=SEEN + MINUTE)
    with pytest.raises(Forbidden, match="has been used"):
        await offered(link_to(firing, action), ports)
    assert await stored_reminder(firing.reminder_id, ports, user_id="me") == before


async def test_a_cancelled_reminder_is_not_snoozed_back_to_life(ports: Ports) -> None:
    firing = await remind(ports)
    await update_reminder(
        firing.reminder_id, ReminderAction("cancel"), ports, user_id="me", now=SEEN, zone="UTC"
    )
    with pytest.raises(Forbidden, match="cancelled"):
        await perform(link_to(firing, "snooze"), ports, now=SEEN)


async def test_a_link_reaches_its_own_users_reminders_alone(ports: Ports) -> None:
    firing = await remind(ports)
    with pytest.raises(NotFound):
        await perform(link_to(firing, "done", user_id="another"), ports, now=SEEN)


async def test_a_link_to_a_firing_that_never_was_is_refused(ports: Ports) -> None:
    firing = await remind(ports)
    link = LinkAction("done", "me", firing.reminder_id, 1, SEEN)
    with pytest.raises(NotFound):
        await perform(link, ports, now=SEEN)


@pytest.mark.parametrize("action", ["done", "snooze"])
async def test_a_crash_leaves_the_link_used_and_the_change_made_or_neither(
    ports: Ports, action: LinkVerb
) -> None:
    counting = Fuse()
    firing = await remind(ports)
    await offered(link_to(firing, action), ports)
    await perform(link_to(firing, action), with_fuse(ports, counting), now=SEEN)
    assert counting.calls >= 3
    for at in range(counting.calls):
        later = SEEN + timedelta(days=1 + at)
        new = NewReminder(text=f"Again {at}", at="+1m")
        await create_reminder(new, ports, user_id="me", now=later, zone="UTC")
        firing = await fired(ports, now=later + MINUTE)
        crashing = with_fuse(ports, Fuse(at, "after"))
        with pytest.raises(Crash):
            await perform(link_to(firing, action), crashing, now=later + 2 * MINUTE)
        opened = [item.firing for item in await inbox(ports, user_id="me", now=later)]
        is_changed = firing not in opened
        try:
            await offered(link_to(firing, action), ports)
            is_used = False
        except Forbidden:
            is_used = True
        assert is_used == is_changed == (at == counting.calls - 1)


async def test_a_reminder_that_keeps_changing_is_a_conflict(ports: Ports) -> None:
    firing = await remind(ports, repeat="every! 10 days")

    meddled = replace(ports, database=Meddling(ports, firing.reminder_id))
    with pytest.raises(Conflict):
        await perform(link_to(firing, "snooze"), meddled, now=SEEN)
