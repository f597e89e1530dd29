"""Notices: what a user reads when a reminder fires, in plain words and the reminder's own zone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Action, Firing, Notice, Reminder
from dome_mcp.core.zones import zone_or_none

ON_TIME = timedelta(minutes=1)
"""Nobody calls a notice late before this."""

SNIPPET_CHARACTERS = 200

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

# Not strftime: its names change with the locale of the process.
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def compose(
    reminder: Reminder,
    firing: Firing,
    *,
    now: datetime,
    snippet: str = "",
    actions: Sequence[Action] = (),
) -> Notice:
    """The notice of a firing that is sent at `now`."""
    return Notice(
        reminder_id=reminder.reminder_id,
        user_id=reminder.user_id,
        text=reminder.text,
        when=local_words(firing, reminder.schedule.zone),
        late=late_words(firing, now=now),
        snippet=snippet,
        actions=tuple(actions),
    )


def local_words(firing: Firing, zone_name: str) -> str:
    """`Monday 2 March 2026, 10:00 (Europe/Berlin)`, and where it was moved from, if it was."""
    zone = _zone(zone_name)
    due = firing.due_at.astimezone(zone)
    words = moment_words(due, zone_name)
    occurrence = firing.occurrence_at.astimezone(zone)
    if occurrence == due:
        return words
    if occurrence.date() == due.date():
        return f"{words}, moved from {occurrence:%H:%M}"
    return f"{words}, moved from {_date_words(occurrence)}, {occurrence:%H:%M}"


def moment_words(at: datetime, zone_name: str) -> str:
    """An instant as the clock of a zone shows it: `Monday 2 March 2026, 10:00 (Europe/Berlin)`."""
    zone = _zone(zone_name)
    local = at.astimezone(zone)
    return f"{_date_words(local)}, {local:%H:%M} ({zone.key})"


def late_words(firing: Firing, *, now: datetime) -> str:
    """`3 hours late. 11 earlier ones were missed.`; empty for one that is on time and missed none.

    The lateness is the user's: up to the sending, tries that the channel refused included.
    """
    sentences: list[str] = []
    if now - firing.due_at >= ON_TIME:
        sentences.append(f"{duration_words(now - firing.due_at)} late.")
    if firing.missed == 1:
        sentences.append("1 earlier one was missed.")
    elif firing.missed:
        sentences.append(f"{firing.missed} earlier ones were missed.")
    return " ".join(sentences)


def duration_words(duration: timedelta) -> str:
    """A duration of at least a minute in its two largest units, cut to the minute: `2 days 1 hour`.

    Nothing smaller is said beside days than hours, nor beside hours than minutes.
    """
    days, rest = divmod(duration, _DAY)
    hours, rest = divmod(rest, _HOUR)
    counts = ((days, "day"), (hours, "hour"), (rest // _MINUTE, "minute"))
    first = next((index for index, (count, _) in enumerate(counts) if count), len(counts) - 1)
    return " ".join(_counted(*each) for each in counts[first : first + 2] if each[0])


def quoted(title: str, text: str) -> str:
    """A snippet of a linked note with its title: `“The plan says …” (Garden plan)`.

    White space is folded to single spaces, and a text that is cut is cut between words.
    """
    words = " ".join(text.split())
    if len(words) > SNIPPET_CHARACTERS:
        words = words[:SNIPPET_CHARACTERS].rpartition(" ")[0] or words[:SNIPPET_CHARACTERS]
        words += " …"
    return f"“{words}” ({title})" if words else title


def _date_words(moment: datetime) -> str:
    month = _MONTHS[moment.month - 1]
    return f"{_WEEKDAYS[moment.weekday()]} {moment.day} {month} {moment.year}"


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _zone(name: str) -> ZoneInfo:
    # A zone that the zone data no longer has is replaced by one that the words name.
    return zone_or_none(name) or ZoneInfo("UTC")
