"""Schedules in rows: wall times as ISO 8601 text without an offset, lists as JSON."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from dome_mcp.core.agenda import Anchor, Schedule
from dome_mcp.core.ports import Row, Value
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.store.notes import optional, to_int

ScheduleColumns = tuple[str | None, str | None, str | None, str, str]

NO_SCHEDULE: ScheduleColumns = (None, None, None, "[]", "schedule")


def schedule_columns(schedule: Schedule) -> ScheduleColumns:
    """The values of the columns zone, start_local, rule, exdates, anchor."""
    exdates = json.dumps([_text(exdate) for exdate in schedule.exdates])
    return schedule.zone, _text(schedule.start), schedule.rule, exdates, schedule.anchor


def to_schedule(row: Row) -> Schedule:
    """The schedule of a row that has one."""
    return Schedule(
        start=datetime.fromisoformat(str(row["start_local"])),
        zone=str(row["zone"]),
        rule=optional(row["rule"]),
        exdates=tuple(map(datetime.fromisoformat, to_texts(row["exdates"]))),
        anchor=cast("Anchor", str(row["anchor"])),
    )


def to_texts(value: Value) -> tuple[str, ...]:
    """The texts of a column that holds a JSON list, in their order."""
    return tuple(cast("Sequence[str]", json.loads(str(value))))


def to_instant(value: Value) -> datetime | None:
    """The instant of a column of milliseconds; None where it is NULL."""
    return None if value is None else from_ms(to_int(value))


def to_optional_ms(instant: datetime | None) -> int | None:
    return None if instant is None else to_ms(instant)


def _text(wall: datetime) -> str:
    return wall.isoformat(timespec="seconds")
