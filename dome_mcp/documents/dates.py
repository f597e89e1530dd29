"""The dates that files carry in their metadata, in the forms that programs write them."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime

from dateutil import parser

_PDF_DATE = re.compile(
    r"(?:D:)?(?P<year>\d{4})(?P<month>\d\d)?(?P<day>\d\d)?(?P<hour>\d\d)?(?P<minute>\d\d)?"
    r"(?P<second>\d\d)?(?:(?P<sign>[+-])(?P<offset_hours>\d\d)'?(?P<offset_minutes>\d\d)?'?|(?P<utc>Z.*))?"
)
_FIRST_YEAR = 1970
"""Before it nothing was saved as a file: an older year is that of the work, or a blank date."""

_LAST_YEAR = 9998
"""In the next one some time zones reach the end of the calendar."""


def parse_date(text: str | None) -> datetime | None:
    """The date in ISO 8601, RFC 5322 or PDF form that a text is; None where it is none of these.

    In UTC where the text has an offset. Without one it is naive, because it is the wall clock of
    whoever wrote it. Missing parts are the first there is.
    """
    value = (text or "").strip()
    for read in (_iso, _pdf, parsedate_to_datetime):
        try:
            moment = read(value)
            return _plausible(moment) if moment else None
        except (ValueError, OverflowError):
            continue
    return None


def _plausible(moment: datetime) -> datetime | None:
    date = moment.astimezone(UTC) if moment.tzinfo else moment
    return date if _FIRST_YEAR <= date.year <= _LAST_YEAR else None


def _iso(value: str) -> datetime:
    if not value[4:5] == "-":
        raise ValueError("not the extended form")
    return parser.isoparse(value)


def _pdf(value: str) -> datetime:
    match = _PDF_DATE.fullmatch(value)
    if match is None:
        raise ValueError("not a PDF date")
    return datetime(
        int(match["year"]),
        int(match["month"] or 1),
        int(match["day"] or 1),
        int(match["hour"] or 0),
        int(match["minute"] or 0),
        int(match["second"] or 0),
        tzinfo=_pdf_zone(match),
    )


def _pdf_zone(match: re.Match[str]) -> tzinfo | None:
    if not match["sign"]:
        return UTC if match["utc"] else None
    offset = timedelta(hours=int(match["offset_hours"]), minutes=int(match["offset_minutes"] or 0))
    return timezone(offset if match["sign"] == "+" else -offset)
