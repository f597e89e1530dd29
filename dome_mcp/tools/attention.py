"""What the user has to be told, whatever was asked: the inbox, and whether reminders fire at all.

A reminder that fired stays in the inbox until it is acknowledged. With it stand the channels that
did not take its notice.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired
from zoneinfo import ZoneInfo

import anyio

# The standard library's TypedDict lacks what pydantic needs of it before Python 3.12.
from typing_extensions import TypedDict

from dome_mcp.app import Dome
from dome_mcp.core.errors import BackendError
from dome_mcp.core.notices import compose
from dome_mcp.core.timestamps import local_iso
from dome_mcp.services.companions import CompanionState, companion_state
from dome_mcp.services.reminders import InboxItem, inbox
from dome_mcp.tools.agenda import TEXT_CHARACTERS
from dome_mcp.tools.excerpts import shortened
from dome_mcp.tools.fences import fenced

INBOX_LIMIT = 5

_START_SECONDS = 0.3
"""How long an answer may wait to see a companion start."""

_LOOK_SECONDS = 0.02


class FailureResult(TypedDict):
    """A channel that did not take a notice and will not be tried again."""

    channel: str
    error: str


class InboxResult(TypedDict):
    """A reminder that fired and that nobody acknowledged."""

    reminder_id: str
    text: str
    local: str
    when: str
    fired: str
    late: NotRequired[str]
    failed: NotRequired[list[FailureResult]]


class Notices(TypedDict):
    """What every result about tasks and reminders has besides, where there is something."""

    inbox: NotRequired[list[InboxResult]]
    inbox_has_more: NotRequired[bool]
    warnings: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class Attention:
    """What the user has to be told; `has_more` where the inbox holds more than is shown."""

    inbox: tuple[InboxResult, ...]
    has_more: bool
    warnings: tuple[str, ...]

    def notices(self) -> Notices:
        """The part of a structured result."""
        notices: Notices = {}
        if self.inbox:
            notices["inbox"] = list(self.inbox)
        if self.has_more:
            notices["inbox_has_more"] = True
        if self.warnings:
            notices["warnings"] = list(self.warnings)
        return notices


def notice_lines(notices: Notices) -> list[str]:
    """The part of a text result."""
    lines = [f"Warning: {warning}" for warning in notices.get("warnings", ())]
    if inbox := notices.get("inbox"):
        lines += [
            "These reminders fired and nobody acknowledged them. Tell the user, then call "
            "update_reminder with acknowledge.",
            fenced("\n".join(map(_line, inbox)), "reminders"),
        ]
    if notices.get("inbox_has_more"):
        lines.append("There are more: list_reminders with state fired.")
    return lines


async def attention(dome: Dome) -> Attention:
    """What the user has to be told now; it asks for a companion where one is needed.

    Nothing is told to a caller who may not read reminders, but somebody has to fire what they set.
    """
    attend = await _look(dome)
    may_know = dome.principal.may("tasks:read")
    return attend if may_know else Attention((), has_more=False, warnings=())


async def _look(dome: Dome) -> Attention:
    # A backend that fails here is a warning: what the call was about is done by then.
    now = dome.now()
    try:
        items = await inbox(dome.ports, user_id=dome.user_id, now=now, limit=INBOX_LIMIT + 1)
        problem = await _companion_problem(dome, now)
    except BackendError as error:
        return Attention((), has_more=False, warnings=(f"The inbox cannot be read. {error}",))
    return Attention(
        inbox=tuple(map(_inbox_result, items[:INBOX_LIMIT])),
        has_more=len(items) > INBOX_LIMIT,
        warnings=(problem,) if problem else (),
    )


async def _companion_problem(dome: Dome, now: datetime) -> str | None:
    """Why no reminder fires, in words; None where they do, or where there is none to fire."""
    state = await companion_state(dome.ports.database, now=now)
    if state.problem(now) is not None and dome.settings.companion == "auto":
        state = await _after_ringing(dome, state)
    return state.problem(now)


async def _after_ringing(dome: Dome, state: CompanionState) -> CompanionState:
    """The companions' state a moment after one was asked for."""
    dome.companion.ring()
    with anyio.move_on_after(_START_SECONDS):
        while state.problem(dome.now()) is not None:
            await anyio.sleep(_LOOK_SECONDS)
            state = await companion_state(dome.ports.database, now=dome.now())
    return state


def _inbox_result(item: InboxItem) -> InboxResult:
    firing, reminder = item.firing, item.reminder
    # As it was when it fired: how long ago that is, `fired` tells.
    notice = compose(reminder, firing, now=firing.fired_at)
    zone = ZoneInfo(reminder.schedule.zone)
    result: InboxResult = {
        "reminder_id": reminder.reminder_id,
        "text": reminder.text,
        "local": local_iso(firing.due_at, zone),
        "when": notice.when,
        "fired": local_iso(firing.fired_at, zone),
    }
    if notice.late:
        result["late"] = notice.late
    if item.failed:
        result["failed"] = [
            {"channel": delivery.channel, "error": delivery.last_error or "It was given up."}
            for delivery in item.failed
        ]
    return result


def _line(item: InboxResult) -> str:
    """A fired reminder on one line: what, when, how late, what failed, id."""
    failures = [
        f"{failure['channel']} failed: {shortened(failure['error'], TEXT_CHARACTERS)}"
        for failure in item.get("failed", ())
    ]
    parts = [
        shortened(item["text"], TEXT_CHARACTERS),
        item["when"],
        item.get("late", ""),
        *failures,
        item["reminder_id"],
    ]
    return " · ".join(filter(None, parts))
