"""Recurrence rules as text: RFC 5545 RRULEs, and the shorthands people use for them.

Accepted: FREQ from YEARLY to MINUTELY with INTERVAL, COUNT or UNTIL, WKST and every BY part but
BYEASTER, within the limits of RFC 5545 section 3.3.10. Refused, each with what to send instead:
SECONDLY and several BYSECONDs (a reminder every second is a mistake), and BYSETPOS over several
times of a day.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Anchor
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.zones import to_wall

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY")
SUBDAILY = frozenset({"HOURLY", "MINUTELY"})

_MAX_LENGTH = 1000
_MAX_COUNT = 10_000
_MAX_INTERVAL = 10_000
_EXAMPLE = "Send for example FREQ=WEEKLY;BYDAY=MO,WE, or daily, weekdays, every 2 weeks."
_END_OF_DAY = time(23, 59, 59)

_NUMBERS = {
    "BYMONTH": (range(1, 13), False),
    "BYMONTHDAY": (range(1, 32), True),
    "BYYEARDAY": (range(1, 367), True),
    "BYWEEKNO": (range(1, 54), True),
    "BYHOUR": (range(24), False),
    "BYMINUTE": (range(60), False),
    "BYSECOND": (range(60), False),
    "BYSETPOS": (range(1, 367), True),
}
"""The numbers a part may have, and whether they may count from the end as well."""

_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_NUMBERS})
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d)(?::?(\d\d))?(Z)?)?")

_UNITS = {
    "minute": "MINUTELY",
    "hour": "HOURLY",
    "day": "DAILY",
    "week": "WEEKLY",
    "month": "MONTHLY",
    "year": "YEARLY",
}
_WORDS = {
    "hourly": "FREQ=HOURLY",
    "daily": "FREQ=DAILY",
    "weekdays": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "weekends": "FREQ=WEEKLY;BYDAY=SA,SU",
    "weekly": "FREQ=WEEKLY",
    "biweekly": "FREQ=WEEKLY;INTERVAL=2",
    "fortnightly": "FREQ=WEEKLY;INTERVAL=2",
    "monthly": "FREQ=MONTHLY",
    "quarterly": "FREQ=MONTHLY;INTERVAL=3",
    "yearly": "FREQ=YEARLY",
    "annually": "FREQ=YEARLY",
    "weekday": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "weekend": "FREQ=WEEKLY;BYDAY=SA,SU",
}
_EVERY = re.compile(r"(?:every\b(!?)\s*)?(.*?)(!?)")
_STEP = re.compile(r"(?:(\d{1,5}|other)\s+)?(minute|hour|day|week|month|year)s?")
_DAY_NAME = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*")


@dataclass(frozen=True, slots=True)
class Rule:
    """An RRULE, part by part; a part that is not given is empty. `until` is a wall time."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    week_start: str = "MO"
    weekdays: tuple[tuple[int, str], ...] = ()
    """(n, day): the n-th such day of the month or year, every one where n is 0."""
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    week_numbers: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()

    def __str__(self) -> str:
        """The rule in one spelling: fixed order, no defaults."""
        days = tuple(f"{n or ''}{day}" for n, day in self.weekdays)
        parts = {
            "FREQ": (self.frequency,),
            "INTERVAL": (self.interval,) if self.interval != 1 else (),
            "BYMONTH": self.months,
            "BYWEEKNO": self.week_numbers,
            "BYYEARDAY": self.year_days,
            "BYMONTHDAY": self.month_days,
            "BYDAY": days,
            "BYHOUR": self.hours,
            "BYMINUTE": self.minutes,
            "BYSECOND": self.seconds,
            "BYSETPOS": self.positions,
            "WKST": (self.week_start,) if self.week_start != "MO" else (),
            "COUNT": () if self.count is None else (self.count,),
            "UNTIL": () if self.until is None else (f"{self.until:%Y%m%dT%H%M%S}",),
        }
        return ";".join(f"{name}={','.join(map(str, v))}" for name, v in parts.items() if v)


def parse_rule(text: str, zone: ZoneInfo) -> Rule:
    """The rule of an RRULE, with or without its `RRULE:` and a DTSTART line, which is dropped.

    An UNTIL in UTC becomes wall time in `zone`, and one without a time includes its whole day.

    Raises:
        InvalidInput: not such a rule; the message names the part.
    """
    parts = _split(text)
    frequency = parts.get("FREQ", "")
    if frequency == "SECONDLY":
        raise InvalidInput("A rule cannot fire every second.", "Send FREQ=MINUTELY or rarer.")
    if frequency not in FREQUENCIES:
        raise InvalidInput(f"FREQ is {frequency!r}.", f"Send one of {', '.join(FREQUENCIES)}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise InvalidInput("A rule ends by COUNT or by UNTIL, not by both.", "Send one of them.")
    numbers = {name: _numbers(name, parts.get(name)) for name in _NUMBERS}
    rule = Rule(
        frequency=frequency,
        interval=_natural(parts, "INTERVAL", most=_MAX_INTERVAL) or 1,
        # 0 is how a series that counts from completion is stored once it has ended.
        count=_natural(parts, "COUNT", most=_MAX_COUNT, least=0),
        until=_until(parts["UNTIL"], zone) if "UNTIL" in parts else None,
        week_start=_week_start(parts.get("WKST", "MO")),
        weekdays=_weekdays(parts.get("BYDAY")),
        months=numbers["BYMONTH"],
        month_days=numbers["BYMONTHDAY"],
        year_days=numbers["BYYEARDAY"],
        week_numbers=numbers["BYWEEKNO"],
        hours=numbers["BYHOUR"],
        minutes=numbers["BYMINUTE"],
        seconds=numbers["BYSECOND"],
        positions=numbers["BYSETPOS"],
    )
    _check_together(rule)
    return rule


def parse_repeat(text: str) -> tuple[str, Anchor]:
    """The RRULE and the anchor of a repetition: an RRULE, or words.

    `daily`, `weekdays`, `weekly`, `monthly`, `yearly`, `every 2 weeks`, `every Monday, Friday`;
    a `!`, as in `every! 10 days`, counts from completion. Only words are checked here.

    Raises:
        InvalidInput: neither an RRULE nor such words.
    """
    value = text.strip()
    if "=" in value:
        return value, "schedule"
    match = _EVERY.fullmatch(" ".join(value.lower().split()))
    rule = _rule_of_words(match[2]) if match else None
    if match is None or rule is None:
        raise InvalidInput(f"{text!r} is not a repetition.", _EXAMPLE)
    return rule, "completion" if match[1] or match[3] else "schedule"


def _rule_of_words(words: str) -> str | None:
    if words in _WORDS:
        return _WORDS[words]
    if step := _STEP.fullmatch(words):
        interval = 2 if step[1] == "other" else int(step[1] or 1)
        return f"FREQ={_UNITS[step[2]]}" + (f";INTERVAL={interval}" if interval != 1 else "")
    names = [name for name in re.split(r"[,\s]+|\band\b", words) if name]
    if names and all(_DAY_NAME.fullmatch(name) for name in names):
        return f"FREQ=WEEKLY;BYDAY={','.join(name[:2].upper() for name in names)}"
    return None


def _split(text: str) -> dict[str, str]:
    """The parts of a rule by name, upper case."""
    if len(text) > _MAX_LENGTH:
        raise InvalidInput("The repetition is too long.", _EXAMPLE)
    lines = [line for line in text.upper().split() if not line.startswith("DTSTART")]
    if len(lines) != 1 or re.match(r"(EXDATE|EXRULE|RDATE)\b", lines[0]):
        raise InvalidInput("The repetition is not one RRULE.", _EXAMPLE)
    parts: dict[str, str] = {}
    for part in lines[0].removeprefix("RRULE:").strip(";").split(";"):
        name, sign, value = part.partition("=")
        if not sign or not value or name in parts:
            raise InvalidInput(f"{part!r} in the repetition cannot be read.", _EXAMPLE)
        if name not in _PARTS:
            raise InvalidInput(f"The repetition has an unknown part {name!r}.", _EXAMPLE)
        parts[name] = value
    return parts


def _natural(parts: dict[str, str], name: str, *, most: int, least: int = 1) -> int | None:
    text = parts.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", text) or not least <= int(text) <= most:
        raise InvalidInput(f"{name} is {text!r}.", f"Send a number from 1 to {most}.")
    return int(text)


def _numbers(name: str, text: str | None) -> tuple[int, ...]:
    allowed, may_count_back = _NUMBERS[name]
    numbers: set[int] = set()
    for each in text.split(",") if text is not None else ():
        number = int(each) if re.fullmatch(r"[+-]?[0-9]{1,3}", each) else None
        if number is None or (abs(number) if may_count_back else number) not in allowed:
            back = f", or from -{allowed[-1]} to -1" if may_count_back else ""
            hint = f"Send numbers from {allowed[0]} to {allowed[-1]}{back}."
            raise InvalidInput(f"{each!r} is no {name}.", hint)
        numbers.add(number)
    return tuple(sorted(numbers))


def _weekdays(text: str | None) -> tuple[tuple[int, str], ...]:
    days: dict[tuple[int, str], None] = {}
    for each in text.split(",") if text is not None else ():
        match = _BYDAY.fullmatch(each)
        number = int(match[1] or 0) if match else 0
        if match is None or abs(number) > 53 or (match[1] and not number):
            raise InvalidInput(f"{each!r} is no BYDAY.", "Send MO, TU …, or 1MO, -1FR.")
        days[number, match[2]] = None
    return tuple(sorted(days, key=lambda day: (day[0], WEEKDAYS.index(day[1]))))


def _week_start(text: str) -> str:
    if text not in WEEKDAYS:
        raise InvalidInput(f"WKST is {text!r}.", f"Send one of {', '.join(WEEKDAYS)}.")
    return text


def _until(text: str, zone: ZoneInfo) -> datetime:
    hint = "Send UNTIL=20261231 or UNTIL=20261231T180000."
    match = _UNTIL.fullmatch(text)
    if match is None:
        raise InvalidInput(f"UNTIL is {text!r}.", hint)
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        if match[4] is None:
            return datetime.combine(datetime(year, month, day), _END_OF_DAY)
        moment = datetime(year, month, day, hour, minute, second, tzinfo=None)
        if match[7] is None:
            return moment
        return to_wall(moment.replace(tzinfo=ZoneInfo("UTC")), zone)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"UNTIL is {text!r}: {error}.", hint) from error


def _check_together(rule: Rule) -> None:
    """Refuses parts that RFC 5545 does not allow with each other, or that we do not."""
    if rule.week_numbers and rule.frequency != "YEARLY":
        raise InvalidInput("BYWEEKNO goes with FREQ=YEARLY only.", "Send FREQ=YEARLY.")
    if any(n for n, _ in rule.weekdays) and rule.frequency not in {"YEARLY", "MONTHLY"}:
        raise InvalidInput(
            "A numbered BYDAY goes with FREQ=MONTHLY or YEARLY only.",
            "Send FREQ=MONTHLY;BYDAY=1MO, or BYDAY=MO without the number.",
        )
    if any(n for n, _ in rule.weekdays) and rule.week_numbers:
        raise InvalidInput("A numbered BYDAY does not go with BYWEEKNO.", "Send BYDAY=MO.")
    if len(rule.seconds) > 1:
        raise InvalidInput("A rule fires once a minute at most.", "Send one BYSECOND.")
    several_times = rule.frequency in SUBDAILY or len(rule.hours) > 1 or len(rule.minutes) > 1
    if rule.positions and several_times:
        raise InvalidInput(
            "BYSETPOS picks among days, so the rule can have one time of day only.",
            "Send one BYHOUR and one BYMINUTE with a FREQ of DAILY or rarer.",
        )
