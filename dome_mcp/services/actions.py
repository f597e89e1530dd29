"""What the links in a notice do: Done and Snooze, each once."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dome_mcp.core.agenda import Firing, Reminder, Task
from dome_mcp.core.errors import BackendRejected, Conflict, Forbidden, NotFound
from dome_mcp.core.links import LinkAction
from dome_mcp.core.notices import local_words, moment_words
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.reminder_changes import acknowledged, postponed
from dome_mcp.core.task_changes import completed
from dome_mcp.services.agenda import reminders_of, revised, stored_reminder, stored_task
from dome_mcp.store import firings, tasks, used_links

LINK_LIFETIME = timedelta(days=7)
SNOOZE = timedelta(hours=1)

_TRIES = 5
_ASK = "Tell your assistant instead what is to happen with the reminder."


@dataclass(frozen=True, slots=True)
class Offer:
    """What a link is about: the reminder's text, and when it was due, in words."""

    text: str
    when: str


async def offered(link: LinkAction, ports: Ports) -> Offer:
    """What the link would act on, without doing it.

    Raises:
        NotFound: the reminder is not there any more.
        Forbidden: the link was used, or the reminder cancelled.
    """
    reminder, firing = await _subject(link, ports)
    await _require_unused(link, ports)
    return Offer(reminder.text, local_words(firing, reminder.schedule.zone))


async def perform(link: LinkAction, ports: Ports, *, now: datetime) -> str:
    """Does what the link asks for, once, and says in a sentence what became of the reminder.

    The mark that the link is used and the change are written together or not at all.

    Raises:
        NotFound: the reminder is not there any more.
        Forbidden: the link was used, or the reminder cancelled.
        Conflict: the reminder kept changing meanwhile.
    """
    for _ in range(_TRIES):
        reminder, firing = await _subject(link, ports)
        await _require_unused(link, ports)
        if link.action == "done":
            changes, sentence = await _done(reminder, firing, ports, now=now)
        else:
            changes, sentence = _snoozed(reminder, firing, now=now)
        marks = [
            used_links.use_link(link.link_id, now=now),
            used_links.forget_links_before(now - LINK_LIFETIME),
        ]
        try:
            await ports.database.batch([*marks, *changes])
        except BackendRejected:
            continue  # Used, or changed, a moment ago: the next look says which.
        return sentence
    raise Conflict("The reminder keeps changing.", "Try the link again in a moment.")


async def _subject(link: LinkAction, ports: Ports) -> tuple[Reminder, Firing]:
    reminder = await stored_reminder(link.reminder_id, ports, user_id=link.user_id)
    if reminder.state == "cancelled":
        raise Forbidden("This reminder was cancelled.", _ASK)
    rows = await ports.database.query(
        firings.firing_at(link.reminder_id, link.user_id, due_at_ms=link.due_at_ms)
    )
    if not rows:
        raise NotFound("reminder", link.reminder_id, _ASK)
    return reminder, firings.to_firing(rows[0])


async def _require_unused(link: LinkAction, ports: Ports) -> None:
    if await ports.database.query(used_links.link_use(link.link_id)):
        raise Forbidden("This link has been used.", _ASK)


async def _done(
    reminder: Reminder, firing: Firing, ports: Ports, *, now: datetime
) -> tuple[list[Statement], str]:
    if reminder.task_id is not None:
        task = await stored_task(reminder.task_id, ports, user_id=reminder.user_id)
        if task.status == "pending":
            return await _task_done(task, ports, now=now)
    after = acknowledged(reminder, now=now)
    statements = [
        *revised([reminder], [after], now=now),
        *firings.acknowledge(reminder.reminder_id, reminder.user_id, now=now, due_at=firing.due_at),
    ]
    return statements, _next_words(after)


async def _task_done(task: Task, ports: Ports, *, now: datetime) -> tuple[list[Statement], str]:
    before = await reminders_of([task.task_id], ports, user_id=task.user_id)
    change = completed(task, before, now=now)
    statements = [
        *tasks.revise_task(replace(change.task, updated_at=now), revision=task.revision),
        *revised(before, change.reminders, now=now, is_strict=change.is_seen),
    ]
    for each in before:
        statements += firings.acknowledge(each.reminder_id, each.user_id, now=now)
    after = change.task
    if after.status != "pending" or after.due_at is None or after.schedule is None:
        return statements, "The task is completed."
    due = moment_words(after.due_at, after.schedule.zone)
    return statements, f"Done. The task is due again on {due}."


def _snoozed(reminder: Reminder, firing: Firing, *, now: datetime) -> tuple[list[Statement], str]:
    at = now + SNOOZE
    after = postponed(reminder, at, fired=firing)
    statements = [
        *revised([reminder], [after], now=now),
        *firings.acknowledge(reminder.reminder_id, reminder.user_id, now=now, due_at=firing.due_at),
    ]
    return statements, f"You will be reminded again on {moment_words(at, reminder.schedule.zone)}."


def _next_words(reminder: Reminder) -> str:
    if reminder.due_at is None:
        return "Done."
    return f"Done. It comes again on {moment_words(reminder.due_at, reminder.schedule.zone)}."
