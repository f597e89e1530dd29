"""The daily digest: what is overdue, due today and to be reminded of, in one short notice.

A digest is a reminder of its own kind. It comes every day by one channel, and fires, is delivered,
tried again and moved as any other; but its notice is made when it is sent, of how things are then.
It is of the day on which it was due: on the next day nothing is sent of it, and nothing either on a
day that has nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Firing, Notice, Reminder, Schedule
from dome_mcp.core.agenda_drafts import first_fire
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.notices import late_words, local_words
from dome_mcp.core.wording import date_in_words
from dome_mcp.core.zones import parse_zone, to_instant, to_wall, zone_or_none

TEXT = "The day in short: what is overdue, due today and to be reminded of"
"""What the digest is called where reminders are listed."""

OPEN_FOR = timedelta(days=7)
"""For so long a digest tells of a notice that nobody acknowledged."""

GATHERED = 100
"""So many of each are looked at; where there are as many, a digest says `100 or more`."""

_LISTED = 5
_CHARACTERS = 100
_LEEWAY = timedelta(hours=1)
"""So late a digest is still sent when its day has ended meanwhile."""

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_BEGINNING = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Item:
    """A task or a reminder in a digest: what it is about, and when it is or was due."""

    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Day:
    """What a digest tells of, each the earliest first, at most `GATHERED` of each.

    `coming` are reminders that fire later that day, `unseen` those that fired and that nobody
    acknowledged.
    """

    overdue: Sequence[Item] = ()
    due: Sequence[Item] = ()
    coming: Sequence[Item] = ()
    unseen: Sequence[Item] = ()


def draft_digest(channel: str, at: str, *, user_id: str, zone_name: str, now: datetime) -> Reminder:
    """The digest by this channel, every day at `at`, which is a time of day such as `07:30`.

    A channel has one: its id is the same whenever it is drafted. It first comes when that time
    comes next.

    Raises:
        InvalidInput: not a time of day, or no such zone.
    """
    zone = parse_zone(zone_name)
    start = datetime.combine(to_wall(now, zone).date(), time_of_day(at))
    schedule = Schedule(start, zone.key, "FREQ=DAILY")
    first = first_fire(schedule, now=now)
    return Reminder(
        reminder_id=digest_id(channel, user_id=user_id),
        user_id=user_id,
        text=TEXT,
        schedule=schedule,
        state="active",
        created_at=now,
        updated_at=now,
        revision=1,
        due_at=first,
        next_at=first,
        channels=(channel,),
        kind="digest",
    )


def digest_id(channel: str, *, user_id: str) -> str:
    """The id of the digest that a user's channel has, or may have."""
    return sortable_id(_BEGINNING, user_id, "digest", channel)


def time_of_day(text: str) -> time:
    """The time of `07:30` or `7:30`.

    Raises:
        InvalidInput: not such a text.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"{text[:20]!r} is not a time of day.", "Send one such as 07:30.")
    return time(int(found[1]), int(found[2]))


def day_of(firing: Firing, zone_name: str) -> tuple[datetime, datetime]:
    """When the day begins that a digest is of, and when the next one does."""
    zone = _zone(zone_name)
    date = to_wall(firing.due_at, zone).date()
    begins = (datetime.combine(each, time()) for each in (date, date + timedelta(days=1)))
    start, end = (to_instant(wall, zone) for wall in begins)
    return start, end


def is_over(firing: Firing, zone_name: str, *, now: datetime) -> bool:
    """Whether it is too late to send this digest: its day has ended."""
    _, end = day_of(firing, zone_name)
    return now >= end and now - firing.due_at > _LEEWAY


def compose_digest(day: Day, reminder: Reminder, firing: Firing, *, now: datetime) -> Notice | None:
    """The notice of a digest that is sent at `now`; None where there is nothing to tell."""
    counts = [
        f"{_counted(items)} {words}"
        for items, words in (
            (day.overdue, "overdue"),
            (day.due, "due"),
            (day.coming, "to be reminded of"),
            (day.unseen, "not acknowledged"),
        )
        if items
    ]
    if not counts:
        return None
    zone_name = reminder.schedule.zone
    return Notice(
        reminder_id=reminder.reminder_id,
        user_id=reminder.user_id,
        text=f"Today: {', '.join(counts)}",
        when=local_words(firing, zone_name),
        # Of the digests that were missed this one has all that there still is to tell.
        late=late_words(replace(firing, missed=0), now=now),
        snippet="\n".join(_lines(day, _zone(zone_name))),
        kind="digest",
    )


def _lines(day: Day, zone: ZoneInfo) -> Iterator[str]:
    yield from _section("Overdue:", [_past(each, zone) for each in day.overdue])
    yield from _section("Due today:", [_today(each, zone) for each in day.due])
    yield from _section("Reminders today:", [_today(each, zone) for each in day.coming])
    yield from _section("Not acknowledged:", [_past(each, zone) for each in day.unseen])


def _section(title: str, items: Sequence[str]) -> Iterator[str]:
    if not items:
        return
    yield title
    yield from (f"- {each}" for each in items[:_LISTED])
    if len(items) > _LISTED:
        yield f"- and {len(items) - _LISTED} more"


def _today(item: Item, zone: ZoneInfo) -> str:
    return f"{to_wall(item.at, zone):%H:%M} {_short(item.text)}"


def _past(item: Item, zone: ZoneInfo) -> str:
    return f"{_short(item.text)} (since {date_in_words(to_wall(item.at, zone))})"


def _counted(items: Sequence[object]) -> str:
    return f"{GATHERED} or more" if len(items) >= GATHERED else str(len(items))


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _CHARACTERS else f"{words[: _CHARACTERS - 1].rstrip()}…"


def _zone(name: str) -> ZoneInfo:
    # A zone that the zone data no longer has is replaced by one that the words name.
    return zone_or_none(name) or ZoneInfo("UTC")
