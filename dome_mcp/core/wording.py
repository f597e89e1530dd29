"""A schedule in words: `every Monday at 09:00 (Europe/Berlin)`."""

from datetime import datetime

from dome_mcp.core.agenda import Schedule
from dome_mcp.core.expansion import has_fixed_time
from dome_mcp.core.rules import WEEKDAYS, Rule, parse_rule
from dome_mcp.core.zones import parse_zone

# Not calendar.day_name: that speaks the machine's language.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_UNITS = {
    "YEARLY": "year",
    "MONTHLY": "month",
    "WEEKLY": "week",
    "DAILY": "day",
    "HOURLY": "hour",
    "MINUTELY": "minute",
}
_WORKDAYS = WEEKDAYS[:5]
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def readable(schedule: Schedule) -> str:
    """The schedule in words, with its zone; a rule too rich for words is quoted.

    Raises:
        InvalidInput: unknown zone, or a rule that cannot be read.
    """
    zone = parse_zone(schedule.zone)
    start = schedule.start
    if schedule.rule is None:
        return f"{date_in_words(start)} at {_time(start)} ({zone.key})"
    rule = parse_rule(schedule.rule, zone)
    words = _repetition(rule, start)
    if words is None:
        return f"{schedule.rule} from {date_in_words(start)} at {_time(start)} ({zone.key})"
    completion = ", counted from completion" if schedule.anchor == "completion" else ""
    return f"{words}{completion}{_end(rule)} ({zone.key})"


def date_in_words(wall: datetime) -> str:
    """`Monday, 2 March 2026`."""
    return f"{_DAYS[wall.weekday()]}, {wall.day} {_MONTHS[wall.month - 1]} {wall.year}"


def _repetition(rule: Rule, start: datetime) -> str | None:
    """How often, on which days and when; None for parts that no phrase below covers."""
    if rule.positions or rule.year_days or rule.week_numbers or not has_fixed_time(rule):
        return _steps(rule)
    days = _days(rule, start)
    if days is None:
        return None
    hour = rule.hours[0] if rule.hours else start.hour
    minute = rule.minutes[0] if rule.minutes else start.minute
    return f"{days} at {hour:02}:{minute:02}"


def _steps(rule: Rule) -> str | None:
    """`every 2 hours`, for a rule of hours or minutes that says no more."""
    plain = Rule(rule.frequency, rule.interval, rule.count, rule.until, rule.week_start)
    return _every(rule) if rule == plain else None


def _days(rule: Rule, start: datetime) -> str | None:
    match rule.frequency:
        case "DAILY" if not (rule.months or rule.month_days or rule.weekdays):
            return _every(rule)
        case "WEEKLY" if not (rule.months or rule.month_days):
            return _of_week(rule, start)
        case "MONTHLY" if not rule.months:
            on = _of_month(rule, start)
            return on and f"{_every(rule)} on {on}"
        case "YEARLY" if len(rule.months) <= 1 and not (rule.weekdays and not rule.months):
            month = _MONTHS[(rule.months[0] if rule.months else start.month) - 1]
            on = _of_month(rule, start)
            return on and f"{_every(rule)} on {on} of {month}"
        case _:
            return None


def _of_week(rule: Rule, start: datetime) -> str:
    days = tuple(day for _, day in rule.weekdays) or (WEEKDAYS[start.weekday()],)
    if days == _WORKDAYS and rule.interval == 1:
        return "every weekday"
    names = _listed([_DAYS[WEEKDAYS.index(day)] for day in days])
    return f"every {names}" if rule.interval == 1 else f"{_every(rule)} on {names}"


def _of_month(rule: Rule, start: datetime) -> str | None:
    """`the 3rd`, `the last day`, `the 1st Monday`; None for more than a list of one kind."""
    if rule.weekdays:
        if rule.month_days or not all(n for n, _ in rule.weekdays):
            return None
        names = [f"{_nth(n)} {_DAYS[WEEKDAYS.index(day)]}" for n, day in rule.weekdays]
        return f"the {_listed(names)}"
    days = rule.month_days or (start.day,)
    names = [_nth(day) if day > 0 else f"{_nth(day)} day" for day in days]
    skips = " (not in months without it)" if max(days) > 28 and rule.frequency == "MONTHLY" else ""
    return f"the {_listed(names)}{skips}"


def _every(rule: Rule) -> str:
    unit = _UNITS[rule.frequency]
    return f"every {unit}" if rule.interval == 1 else f"every {rule.interval} {unit}s"


def _end(rule: Rule) -> str:
    if rule.count is not None:
        return f", {rule.count} times" if rule.count != 1 else ", once"
    return f", until {date_in_words(rule.until)}" if rule.until else ""


def _nth(number: int) -> str:
    if number < 0:
        return "last" if number == -1 else f"{_nth(-number)} last"
    ending = "th" if number in {11, 12, 13} else _ENDINGS.get(number % 10, "th")
    return f"{number}{ending}"


def _listed(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _time(wall: datetime) -> str:
    return f"{wall:%H:%M}"
