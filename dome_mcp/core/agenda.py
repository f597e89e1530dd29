"""Tasks, reminders and their deliveries. Instants are aware UTC datetimes.

A *schedule* says when something is to happen, in the user's wall time. A reminder's *occurrence*
is one such time. When an occurrence is due the reminder *fires*: one `Firing`, which is the notice
in the user's inbox, and one `Delivery` for each channel.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Anchor = Literal["schedule", "completion"]
TaskStatus = Literal["pending", "completed", "cancelled"]
CatchUp = Literal["fire", "skip", "all"]
ReminderState = Literal["active", "finished", "cancelled"]
ReminderKind = Literal["reminder", "digest"]
DeliveryState = Literal["PENDING", "SENDING", "DELIVERED", "FAILED"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When: a first wall time in a zone, and a rule where it repeats.

    `start` and `exdates` are naive wall times in `zone` (an IANA name). `rule` is an RFC 5545
    RRULE without its name, `FREQ=WEEKLY;BYDAY=MO`; an UNTIL in it is a wall time too. With the
    anchor `completion` the next occurrence counts from when the last one was completed.
    """

    start: datetime
    zone: str
    rule: str | None = None
    exdates: tuple[datetime, ...] = ()
    anchor: Anchor = "schedule"


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do. `schedule` is its due time, and how it repeats; None for no due time."""

    task_id: str
    user_id: str
    description: str
    status: TaskStatus
    created_at: datetime
    updated_at: datetime
    revision: int
    schedule: Schedule | None = None
    due_at: datetime | None = None
    completed_at: datetime | None = None
    tags: tuple[str, ...] = ()
    note_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reminder:
    """What to tell the user, when, and by which channels (none named: the user's defaults).

    `next_at` is the next occurrence of the schedule, None when there are no more. `snooze_at`
    is when the occurrence `snooze_of` fires once more, or instead, without touching the schedule.
    `due_at` is the earlier of the two: when the reminder fires next. `due_offset` is a duration
    such as `-1h` for a reminder that moves with its task's due time, None for one that does not.
    `missed` counts the occurrences passed over since it last fired (catch-up `skip`).
    A `kind` of `digest` is one whose notice is made of the day when it is sent (core/digest.py).
    """

    reminder_id: str
    user_id: str
    text: str
    schedule: Schedule
    state: ReminderState
    created_at: datetime
    updated_at: datetime
    revision: int
    task_id: str | None = None
    due_at: datetime | None = None
    next_at: datetime | None = None
    snooze_at: datetime | None = None
    snooze_of: datetime | None = None
    channels: tuple[str, ...] = ()
    catch_up: CatchUp = "fire"
    note_ids: tuple[str, ...] = ()
    missed: int = 0
    due_offset: str | None = None
    kind: ReminderKind = "reminder"


@dataclass(frozen=True, slots=True)
class Firing:
    """A reminder that came due: the notice in the inbox, there until it is acknowledged.

    `missed` counts the occurrences before this one that passed while nothing ran and that it
    speaks for; it is late by `fired_at - due_at`. `occurrence_at` differs from `due_at` where the
    occurrence was snoozed or moved.
    """

    reminder_id: str
    user_id: str
    due_at: datetime
    occurrence_at: datetime
    fired_at: datetime
    missed: int = 0
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One firing on its way by one channel.

    `attempt` is the fencing number, raised by each claim: whoever holds an older one changes
    nothing. `refusals` counts the attempts that the channel refused, which are what runs out.
    `not_before` is the next time it may be claimed, `lease_until` when its holder is given up:
    None where nobody holds it.
    """

    delivery_key: str
    reminder_id: str
    user_id: str
    due_at: datetime
    channel: str
    state: DeliveryState
    attempt: int
    not_before: datetime
    lease_until: datetime | None = None
    last_error: str | None = None
    receipt: str | None = None
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach a user. `address` may hold a secret and is never shown or logged whole.

    `kind` is one of `desktop`, `email`, `slack`, `ntfy`, `webhook`, `webpush`, `apprise`.
    """

    name: str
    user_id: str
    kind: str
    address: str
    options: tuple[tuple[str, str], ...] = ()
    is_default: bool = True


@dataclass(frozen=True, slots=True)
class Action:
    """A one-tap link in a notice: `Done`, `Snooze 1 h`."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What the user sees, made once for all channels.

    `when` is the local time it was due, in words; `late` says how late it is and how many it
    missed, empty when it is on time; `snippet` quotes a linked note, with its title, or has a
    digest's lines.
    """

    reminder_id: str
    user_id: str
    text: str
    when: str
    late: str = ""
    snippet: str = ""
    actions: tuple[Action, ...] = ()
    kind: ReminderKind = "reminder"


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """How often and how patiently to deliver. All times in seconds.

    `retry_seconds` are the pauses after each refused attempt, the last one repeating, until
    `max_attempts`. `claim_seconds` is how long a claimed delivery may wait in the queue, and
    `lease_seconds` how long one may be in sending, before another takes it over.
    """

    max_attempts: int = 8
    retry_seconds: tuple[float, ...] = (5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
    claim_seconds: float = 60.0
    lease_seconds: float = 90.0
    batch: int = 200
    desktop_user: str | None = None
    """The one user whose desktop the companion can show notices on, None where it has no desktop.
    A user who has set up no channel is told there; nobody else's notices are ever shown on it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended: sent (with a receipt), or refused, perhaps for good."""

    is_sent: bool
    receipt: str | None = None
    error: str | None = None
    is_retryable: bool = True
    retry_after_seconds: float | None = None
