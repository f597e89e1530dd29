"""Tasks and reminders on their way out of one DOME and into another.

A reminder names its channels; what they are stays behind, because their addresses hold secrets.
What has fired stays behind too.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, cast, get_args

from dome_mcp.core.agenda import (
    Anchor,
    CatchUp,
    Reminder,
    ReminderKind,
    ReminderState,
    Schedule,
    Task,
    TaskStatus,
)
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.ports import Ports
from dome_mcp.core.recurrence import first_at
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.store import reminders, tasks

Outcome = Literal["restored", "present", "taken"]
"""`present`: it is there already, and left as it is. `taken`: the id is another user's."""

_PAGE = 500


async def all_tasks(ports: Ports, *, user_id: str) -> AsyncIterator[Task]:
    """The user's tasks, in the order of their ids."""
    after = ""
    while rows := await ports.database.query(tasks.tasks_by_id(user_id, after=after, limit=_PAGE)):
        for row in rows:
            yield tasks.to_task(row)
        after = str(rows[-1]["task_id"])


async def all_reminders(ports: Ports, *, user_id: str) -> AsyncIterator[Reminder]:
    """The user's reminders, in the order of their ids."""
    after = ""
    while rows := await ports.database.query(
        reminders.reminders_by_id(user_id, after=after, limit=_PAGE)
    ):
        for row in rows:
            yield reminders.to_reminder(row)
        after = str(rows[-1]["reminder_id"])


async def restore_task(task: Task, ports: Ports) -> Outcome:
    """Stores a task under its own id, dates and revision."""
    find = tasks.task_by_id(task.task_id, task.user_id)
    before, *_, after = await ports.database.batch([find, *tasks.insert_task(task), find])
    return _outcome(before, after)


async def restore_reminder(reminder: Reminder, ports: Ports) -> Outcome:
    """Stores a reminder under its own id, dates and revision; what is due meanwhile fires late."""
    find = reminders.reminder_by_id(reminder.reminder_id, reminder.user_id)
    before, _, after = await ports.database.batch([find, reminders.insert_reminder(reminder), find])
    return _outcome(before, after)


def to_record(item: Task | Reminder) -> dict[str, object]:
    """The task or reminder as JSON, times in milliseconds, wall times as ISO 8601."""
    fields = {name: _to_json(value) for name, value in asdict(item).items() if name != "user_id"}
    schedule = item.schedule
    if schedule is not None:
        fields["schedule"] = {
            "start": schedule.start.isoformat(),
            "zone": schedule.zone,
            "rule": schedule.rule,
            "exdates": [exdate.isoformat() for exdate in schedule.exdates],
            "anchor": schedule.anchor,
        }
    return fields


def to_task(record: Mapping[str, object], *, user_id: str) -> Task:
    """The task of a record.

    Raises:
        InvalidInput: a field is missing, or is not what `to_record` wrote.
    """
    with _Fields(record) as fields:
        return Task(
            task_id=fields.text("task_id"),
            user_id=user_id,
            description=fields.text("description"),
            status=cast("TaskStatus", fields.one_of("status", get_args(TaskStatus))),
            created_at=from_ms(fields.number("created_at")),
            updated_at=from_ms(fields.number("updated_at")),
            revision=fields.number("revision"),
            schedule=None if record["schedule"] is None else fields.schedule(),
            due_at=fields.instant("due_at"),
            completed_at=fields.instant("completed_at"),
            tags=fields.texts("tags"),
            note_ids=fields.texts("note_ids"),
        )


def to_reminder(record: Mapping[str, object], *, user_id: str) -> Reminder:
    """The reminder of a record.

    Raises:
        InvalidInput: as for `to_task`.
    """
    with _Fields(record) as fields:
        return Reminder(
            reminder_id=fields.text("reminder_id"),
            user_id=user_id,
            text=fields.text("text"),
            schedule=fields.schedule(),
            state=cast("ReminderState", fields.one_of("state", get_args(ReminderState))),
            created_at=from_ms(fields.number("created_at")),
            updated_at=from_ms(fields.number("updated_at")),
            revision=fields.number("revision"),
            task_id=fields.optional("task_id"),
            due_at=fields.instant("due_at"),
            next_at=fields.instant("next_at"),
            snooze_at=fields.instant("snooze_at"),
            snooze_of=fields.instant("snooze_of"),
            channels=fields.texts("channels"),
            catch_up=cast("CatchUp", fields.one_of("catch_up", get_args(CatchUp))),
            note_ids=fields.texts("note_ids"),
            missed=fields.number("missed"),
            due_offset=fields.optional("due_offset"),
            kind=fields.kind(),
        )


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of a record by type; leaving the block says in our words what is wrong."""

    record: Mapping[str, object]

    def __enter__(self) -> "_Fields":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> Literal[False]:
        if isinstance(error, (KeyError, OverflowError, TypeError, ValueError, InvalidInput)):
            raise InvalidInput(
                "A record of the export is damaged.", "Restore it from the original export."
            ) from error
        return False

    def text(self, name: str) -> str:
        return _text(self.record[name])

    def optional(self, name: str) -> str | None:
        return None if self.record[name] is None else self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(map(_text, _list(self.record[name])))

    def number(self, name: str) -> int:
        value = self.record[name]
        if not isinstance(value, int) or not 0 <= value < 1 << 53:
            raise TypeError(name)
        return value

    def instant(self, name: str) -> datetime | None:
        return None if self.record[name] is None else from_ms(self.number(name))

    def kind(self) -> ReminderKind:
        """The kind; an export of a time when there was one has none."""
        if "kind" not in self.record:
            return "reminder"
        return cast("ReminderKind", self.one_of("kind", get_args(ReminderKind)))

    def one_of(self, name: str, known: Sequence[str]) -> str:
        if (value := self.text(name)) not in known:
            raise ValueError(name)
        return value

    def schedule(self) -> Schedule:
        fields = _Fields(cast("Mapping[str, object]", self.record["schedule"]))
        schedule = Schedule(
            start=datetime.fromisoformat(fields.text("start")).replace(tzinfo=None),
            zone=fields.text("zone"),
            rule=fields.optional("rule"),
            exdates=tuple(map(datetime.fromisoformat, fields.texts("exdates"))),
            anchor=cast("Anchor", fields.one_of("anchor", get_args(Anchor))),
        )
        first_at(schedule)  # It fails where the zone or the rule cannot be read.
        return schedule


def _outcome(before: Sequence[object], after: Sequence[object]) -> Outcome:
    if before:
        return "present"
    return "restored" if after else "taken"


def _to_json(value: object) -> object:
    return to_ms(value) if isinstance(value, datetime) else value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    value.encode()  # JSON can hold half a character, which no database takes.
    return value


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return cast("Sequence[object]", value)
