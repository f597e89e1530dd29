"""An event that a question counts time from: "before I moved", "after the operation"."""

import re
from dataclasses import dataclass

from dome_mcp.core.periods import ONE_DAY, Days

_SUBJECT = r"i|we|you|he|she|they|it|ich|wir|du|ihr|er|sie|man"
_OWNER = (
    r"the|my|our|his|her|their|your|de[mnr]|(?:mein|unser|sein|ihr|dein)e[mnr]"
    r"|(?:mein|unser|sein|ihr|dein)"
)
_EVENT = re.compile(
    r"\b(?:(?P<before>before|until|till|bevor|ehe|bis|vor)"
    r"|(?P<after>after|(?:ever\s+)?since|nachdem|nach|seit(?:dem)?))\s+"
    rf"(?P<event>(?:(?P<subject>{_SUBJECT})|{_OWNER})\s[^,;?!？]*?)"
    r"\s*(?:[,;?!？.]|$|(?=\s(?:what|who|where|which|how|why|was|wer|wo|welche\w?|wie)\b))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class EventWords:
    """The event in words, and whether the time before it is meant, or that after it.

    `is_told`: it is a sentence ("I moved") and not only the name of a thing ("the house").
    """

    event: str
    is_before: bool
    is_told: bool

    def period(self, event: Days) -> Days | None:
        """The days before or after those of the event."""
        if event.first is None:
            return None
        return Days(None, event.first - ONE_DAY) if self.is_before else Days(event.first, None)


def event_words(question: str) -> EventWords | None:
    """The event that a question counts time from, None where it names none."""
    found = _EVENT.search(question)
    if found is None:
        return None
    return EventWords(found["event"].strip(), bool(found["before"]), bool(found["subject"]))
