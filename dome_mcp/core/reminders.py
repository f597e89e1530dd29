"""The reminder engine's rules: what a reminder that is due fires, and what an attempt leads to.

A tick asks `plan_due` of each reminder that is due. It answers with the firings to record and the
reminder as it is afterwards; the store writes both together, or neither. Each firing becomes one
delivery for each channel, which goes through the states of `TRANSITIONS`:

    PENDING --begun--> SENDING --sent--------> DELIVERED
                               --gave_up-----> FAILED
                               --refused-----> PENDING, at the time of the next try
                               --unserved----> PENDING, for a companion that knows the channel
                               --fell_silent-> PENDING, at once: whoever sent it is gone

Two counters stand in a delivery and must not be confused. `attempt` counts claims; it fences off
the holders of older ones. `refusals` counts what the channel itself refused; only those run out,
so that crashes and lost messages never use up a reminder's chances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from dome_mcp.core.agenda import (
    Delivery,
    DeliveryPolicy,
    DeliveryState,
    Firing,
    Outcome,
    Reminder,
)
from dome_mcp.core.channels import DESKTOP
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.recurrence import next_at, passed, upcoming
from dome_mcp.core.timestamps import to_ms

DeliveryEvent = Literal["begun", "sent", "refused", "gave_up", "unserved", "fell_silent"]

TRANSITIONS: Mapping[DeliveryState, Mapping[DeliveryEvent, DeliveryState]] = MappingProxyType(
    {
        "PENDING": {"begun": "SENDING"},
        "SENDING": {
            "sent": "DELIVERED",
            "refused": "PENDING",
            "gave_up": "FAILED",
            "unserved": "PENDING",
            "fell_silent": "PENDING",
        },
        "DELIVERED": {},
        "FAILED": {},
    }
)
"""What may follow what; the statements of store/deliveries.py do no other steps."""

CATCH_UP_LIMIT = 100
"""So many missed occurrences fire one by one where each is wanted; the last speaks for the rest."""

GRACE = timedelta(minutes=5)
"""An occurrence no later than this is on time, for a reminder that passes over the missed ones."""

LONGEST_PAUSE_SECONDS = 86_400.0
"""However long a channel asks us to wait, a reminder is tried again within this time."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tick is to do with one reminder: record `firings`, oldest first, and store `after`."""

    firings: tuple[Firing, ...]
    after: Reminder


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an attempt leaves in its delivery's row."""

    state: DeliveryState
    not_before: datetime
    refusals: int
    last_error: str | None = None
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class _Missed:
    """Occurrences that are due: those to fire, oldest first, and how many they speak for."""

    fired: tuple[datetime, ...]
    count: int
    """How many were passed over before the latest one."""


def plan_due(reminder: Reminder, now: datetime) -> Plan:
    """What the reminder fires at `now`, and the reminder afterwards; no firings if it is not due.

    A reminder that comes once fires however late it is. A recurring one follows its catch-up: it
    fires for the latest missed occurrence and counts the others (`fire`), for each (`all`), or
    for none and counts them into its next firing (`skip`). A rule that can no longer be read
    fires a last time, because a reminder is never dropped in silence.
    """
    if reminder.due_at is None or reminder.due_at > now:
        return Plan((), reminder)
    firings: list[Firing] = []
    after = reminder
    if reminder.next_at is not None and reminder.next_at <= now:
        try:
            firings, after = _fire_series(reminder, reminder.next_at, now=now)
        except InvalidInput:
            firings = [_firing(reminder, reminder.next_at, now=now)]
            after = replace(reminder, next_at=None, missed=0)
    if reminder.snooze_at is not None and reminder.snooze_at <= now:
        # One occurrence and another one's snooze may fall together; the user needs one notice.
        if all(firing.due_at != reminder.snooze_at for firing in firings):
            firings.append(_firing(reminder, reminder.snooze_at, now=now, of=reminder.snooze_of))
        after = replace(after, snooze_at=None, snooze_of=None)
    firings.sort(key=lambda firing: firing.due_at)
    return Plan(tuple(firings), _settled(after, now=now))


def _fire_series(
    reminder: Reminder, first: datetime, *, now: datetime
) -> tuple[list[Firing], Reminder]:
    """The firings of the schedule's occurrences from `first` to now, and the reminder moved on."""
    schedule = reminder.schedule
    if schedule.rule is None or schedule.anchor == "completion":
        # The one after this counts from when it is completed, which is not known yet.
        return [_firing(reminder, first, now=now)], replace(reminder, next_at=None, missed=0)
    due = _due_occurrences(reminder, first, now=now)
    firings = [_firing(reminder, at, now=now) for at in due.fired]
    if firings:
        firings[-1] = replace(firings[-1], missed=due.count)
    left = 0 if firings else due.count
    return firings, replace(reminder, next_at=next_at(schedule, now), missed=left)


def _due_occurrences(reminder: Reminder, first: datetime, *, now: datetime) -> _Missed:
    later = passed(reminder.schedule, first, now)
    latest = later.latest or first
    if reminder.catch_up == "skip" and now - latest > GRACE:
        return _Missed((), reminder.missed + later.count + 1)
    if reminder.catch_up != "all":
        return _Missed((latest,), reminder.missed + later.count)
    if later.count < CATCH_UP_LIMIT:
        following = upcoming(reminder.schedule, first, later.count) if later.count else []
        return _Missed((first, *following), 0)
    following = upcoming(reminder.schedule, first, CATCH_UP_LIMIT - 2)
    return _Missed((first, *following, latest), later.count + 1 - CATCH_UP_LIMIT)


def _firing(
    reminder: Reminder, due_at: datetime, *, now: datetime, of: datetime | None = None
) -> Firing:
    return Firing(
        reminder_id=reminder.reminder_id,
        user_id=reminder.user_id,
        due_at=due_at,
        occurrence_at=of or due_at,
        fired_at=now,
    )


def _settled(reminder: Reminder, *, now: datetime) -> Reminder:
    """The reminder with the due time and the state that follow from its other times."""
    times = [at for at in (reminder.next_at, reminder.snooze_at) if at is not None]
    is_waiting = reminder.schedule.anchor == "completion" and reminder.schedule.rule is not None
    return replace(
        reminder,
        due_at=min(times, default=None),
        state="active" if times or is_waiting else "finished",
        updated_at=now,
        revision=reminder.revision + 1,
    )


def delivery_key(firing: Firing, channel: str) -> str:
    """The idempotency key of a firing's delivery by a channel: the same whoever makes it, when."""
    return f"{firing.reminder_id}:{to_ms(firing.due_at)}:{channel}"


def channels_of(
    reminder: Reminder, defaults: Sequence[str], policy: DeliveryPolicy
) -> tuple[str, ...]:
    """The names of the channels by which a reminder goes out, each once.

    Its own, else the user's defaults, else the desktop where it is the user's. With none at all
    the notice stands in the inbox only.
    """
    desktop = (DESKTOP,) if reminder.user_id == policy.desktop_user else ()
    return tuple(dict.fromkeys(reminder.channels or defaults or desktop))


def after_attempt(
    attempt: int, outcome: Outcome, policy: DeliveryPolicy, *, now: datetime
) -> Settlement:
    """What follows from the channel's answer to its `attempt`-th try, counted from 1.

    A refusal is tried again after the policy's pause, or later where the channel asked for it.
    """
    if outcome.is_sent:
        state = TRANSITIONS["SENDING"]["sent"]
        return Settlement(state, now, refusals=attempt - 1, receipt=outcome.receipt)
    if not outcome.is_retryable or attempt >= policy.max_attempts:
        state = TRANSITIONS["SENDING"]["gave_up"]
        return Settlement(state, now, refusals=attempt, last_error=outcome.error)
    pause = policy.retry_seconds[min(attempt, len(policy.retry_seconds)) - 1]
    asked = min(outcome.retry_after_seconds or 0.0, LONGEST_PAUSE_SECONDS)
    return Settlement(
        TRANSITIONS["SENDING"]["refused"],
        now + max(pause, asked) * _SECOND,
        refusals=attempt,
        last_error=outcome.error,
    )


def after_unserved(
    delivery: Delivery, error: str, policy: DeliveryPolicy, *, now: datetime
) -> Settlement:
    """What follows where this companion has nothing to send by; no chance is used up.

    The pauses grow with the wait, so that another companion gets its turn soon, and one that
    never comes does not keep this one busy.
    """
    shortest, longest = policy.claim_seconds * _SECOND, policy.retry_seconds[-1] * _SECOND
    pause = min(max(shortest, (now - delivery.due_at) / 10), max(shortest, longest))
    return Settlement(
        TRANSITIONS["SENDING"]["unserved"],
        now + pause,
        refusals=delivery.refusals,
        last_error=error,
    )
