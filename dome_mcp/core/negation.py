"""What a sentence denies: "the landlord does not allow dogs" has the words of its contrary.

A negation denies the words after it, as far as its part of the sentence goes; where none come,
those before it ("Hunde mag er nicht"). What follows "but" or "sondern" is not denied.
"""

import re
from dataclasses import dataclass

from dome_mcp.core.questions import content_stems
from dome_mcp.core.terms import fold, likeness

_NEGATION = re.compile(
    r"\b(?:(?:not(?! only\b)|no|never|neither|nor|nobody|nothing|none|without|cannot"
    r"|forbid\w*|prohibit\w*|verbot\w*|verbiet\w*|untersag\w*|interdi\w*|prohibid\w*"
    r"|nicht(?! nur\b)|kein\w*|nie|niemals|niemand|nichts|ohne|weder"
    r"|pas|jamais|aucune?|sans|sin|nunca|ningun\w*|niet|geen|nooit|non|nem))\b|n['’]t\b"
)
_NUMBERED = re.compile(r"\bno\.\s*(?=\d)")
_PART = re.compile(
    r"[;:,.!?]\s|\n|\b(?:but|except|though|although|however|rather|instead|sondern|aber|sonst|ausser"
    r"|mais|sauf|sino|pero)\b"
)


@dataclass(frozen=True, slots=True)
class Stance:
    """What a sentence speaks of, and what of it it denies, as stems."""

    stems: frozenset[str]
    denied: frozenset[str]

    @classmethod
    def of(cls, text: str) -> "Stance":
        denied: set[str] = set()
        for part in _PART.split(_NUMBERED.sub("", fold(text))):
            if found := _NEGATION.search(part):
                denied |= content_stems(part[found.end() :]) or content_stems(part[: found.start()])
        return cls(content_stems(text), frozenset(denied))

    def contradicts(self, other: "Stance") -> bool:
        """Whether just one of the two denies something, and that is what both speak of."""
        if self.denied and other.denied:
            return False
        return any(likeness(stem, other.stems) for stem in self.denied) or any(
            likeness(stem, self.stems) for stem in other.denied
        )
