"""A notice as a letter, whoever takes it to the recipient."""

import html
from dataclasses import dataclass

from dome_mcp.backends.embedded.notify.wording import details, headline, plain
from dome_mcp.core.agenda import Action, Notice

_SUBJECT = 150
_BUTTON = "display:inline-block;padding:8px 16px;margin-right:8px;border:1px solid #888"


@dataclass(frozen=True, slots=True)
class Letter:
    """What an e-mail says: a subject of one line, the text, and HTML where there is what to tap."""

    subject: str
    text: str
    html: str | None = None


def letter_of(notice: Notice) -> Letter:
    """The notice as text, and as HTML where there are actions to tap."""
    subject = headline(notice, _SUBJECT)
    rest = details(notice, after=subject)
    links = "\n".join(f"{plain(action.label)}: {action.url}" for action in notice.actions)
    text = "\n\n".join(part for part in (subject, rest, links) if part) + "\n"
    return Letter(subject, text, _html(subject, rest, notice.actions) if notice.actions else None)


def _html(subject: str, rest: str, actions: tuple[Action, ...]) -> str:
    buttons = "".join(
        f'<a style="{_BUTTON}" href="{html.escape(action.url)}">'
        f"{html.escape(plain(action.label))}</a>"
        for action in actions
    )
    lines = html.escape(rest).replace("\n", "<br>\n")
    return (
        f'<html><body style="font-family:sans-serif">\n<h3>{html.escape(subject)}</h3>\n'
        f"<p>{lines}</p>\n<p>{buttons}</p>\n</body></html>\n"
    )
