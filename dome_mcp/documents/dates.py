"""The dates that files carry in their metadata, in the forms that programs write them."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from dateutil import parser

_PDF_DATE = re.compile(
    r"(?:D:)?(?P<year>\d{4})(?P<month>\d\d)?(?P<day>\d\d)?(?P<hour>\d\d)?(?P<minute>\d\d)?"
    r"(?P<second>\d\d)?(?:(?P<sign>[+-])(?P<offset_hours>\d\d)'?(?P<offset_minutes>\d\d)?'?|Z.*)?"
)
_FIRST_YEAR = 1970
"""Before it nothing was saved as a file: an older year is that of the work, or a blank date."""


def parse_date(text: str | None) -> datetime | None:
    """The UTC instant of an ISO 8601, RFC 5322 or PDF date; None where it is none of these.

    Without an offset it counts as UTC. Missing parts are the first there is.
    """
    value = (text or "").strip()
    for read in (_iso, _pdf, parsedate_to_datetime):
        try:
            moment = read(value)
            return as_utc(moment) if moment else None
        except (ValueError, OverflowError):
            continue
    return None


def as_utc(moment: datetime) -> datetime | None:
    """The instant in UTC, to which a datetime without a zone is taken to belong."""
    try:
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        instant = aware.astimezone(UTC)
    except OverflowError:
        return None
    return instant if instant.year >= _FIRST_YEAR else None


def _iso(value: str) -> datetime:
    if not value[4:5] == "-":
        raise ValueError("not the extended form")
    return parser.isoparse(value)


def _pdf(value: str) -> datetime:
    match = _PDF_DATE.fullmatch(value)
    if match is None:
        raise ValueError("not a PDF date")
    moment = datetime(
        int(match["year"]),
        int(match["month"] or 1),
        int(match["day"] or 1),
        int(match["hour"] or 0),
        int(match["minute"] or 0),
        int(match["second"] or 0),
        tzinfo=UTC,
    )
    if not match["sign"]:
        return moment
    offset = timedelta(hours=int(match["offset_hours"]), minutes=int(match["offset_minutes"] or 0))
    return moment.replace(tzinfo=timezone(offset if match["sign"] == "+" else -offset))
