"""Checks what a language model wrote against the passages it was given.

Every sentence keeps those of its citations that bear it out (grounds.py), gets the one that does
where they do not, and is marked `[unsupported]` where nothing does. A sentence that joins what two
passages say is borne out by both together, each part by its own, and cites both. What an order in
a note had the model say is left out, and so are images, and links that no passage has: a picture's
address tells its server whatever the model was made to put into it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dome_mcp.core.answering import citation
from dome_mcp.core.evidence import Unit
from dome_mcp.core.grounds import Closeness, Ground, Grounds
from dome_mcp.core.meant import Meant
from dome_mcp.core.model import Citation, Passage
from dome_mcp.core.packing import NO_ANSWER
from dome_mcp.core.sentences import sentence_spans
from dome_mcp.core.terms import fold
from dome_mcp.core.widening import Block

UNSUPPORTED = "[unsupported]"

_MARK = r"\s*[\[【]\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*[\]】]"
_MARKS = re.compile(_MARK)
_STOP_BEFORE_MARKS = re.compile(rf"([.!?。！？]+)((?:{_MARK})+)")
_THINKING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_THINK = "<think>"
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)[^\s<>\"')\]]+", re.IGNORECASE)
_IMAGE = re.compile(r"!\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?")
_LINK = re.compile(r"\[([^\]]*)\]\(\s*([^)\s]*)[^)]*\)")
_ELEMENT = re.compile(r"</?[a-z][^>]*>", re.IGNORECASE)
_ENDS_URL = ".,;:!?"
_REFUSAL = re.compile(
    r"\b(not (mentioned|stated|specified|found|included|available)"
    r"|(do|does|did) not (contain|mention|say|state|specify|include|provide|hold)"
    r"|(don|doesn|didn)['’]t (contain|mention|say|state|specify|include|provide|know)"
    r"|no (information|mention|record)|(cannot|can['’]t) (answer|find|determine)"
    r"|keine (angaben?|informationen?|hinweise?)|nicht (erwahnt|angegeben|enthalten|genannt))\b"
)
_JOINTS = re.compile(
    r"[,;]\s+(?:and|but|while|und|aber|während)\s+|;\s+"
    r"|\s+(?:and|but|while|whereas|und|aber|während|sowie)\s+",
)
_MOST_BESIDE = 2
"""Further units cited for the names and numbers that the one that fits best does not have."""
_FEWEST_WORDS = 2
"""Content words of a part of a sentence that says something by itself."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence a model wrote, without its citation marks.

    `before` is the white space between it and the claim before, `cited` what it cites, from 1.
    """

    text: str
    before: str = ""
    cited: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """A model's text with citations that hold.

    `unsupported` are the statements without any, `ordered` those that were left out because an
    order in a note had the model say them. `statements` counts all three kinds, `support` is their
    mean support, 0 to 1.
    """

    text: str
    citations: tuple[Citation, ...]
    unsupported: tuple[str, ...]
    ordered: tuple[str, ...]
    statements: int
    support: float
    is_refusal: bool

    @property
    def is_borne_out(self) -> bool:
        """Whether at least half of what is stated is supported."""
        failed = len(self.unsupported) + len(self.ordered)
        return bool(self.citations) and 2 * failed <= self.statements


@dataclass(slots=True)
class _Register:
    """Numbers citations from 1 in the order of their first use; one quote has one number."""

    passages: Sequence[Passage]
    citations: dict[tuple[int, int, int], Citation] = field(
        default_factory=dict[tuple[int, int, int], Citation]
    )

    def number(self, unit: Unit) -> int:
        key = (unit.passage, unit.start, unit.end)
        if key not in self.citations:
            n = len(self.citations) + 1
            self.citations[key] = citation(n, unit, self.passages[unit.passage])
        return self.citations[key].n


def spoken(text: str) -> str:
    """What a model has said so far, without its thinking; it only grows as the text does."""
    said = _THINKING.sub("", text).lstrip()
    # The end may be the beginning of a mark that starts the thinking.
    held = next((n for n in range(len(_THINK) - 1, 0, -1) if said.endswith(_THINK[:n])), 0)
    return said[: len(said) - held]


def without_foreign_links(text: str, passages: Sequence[Passage]) -> str:
    """The text without thinking, images, elements of HTML, and addresses that no passage has."""
    known = {url for one in passages for url in _urls(f"{one.text}\n{one.source or ''}")}
    # An element's mark goes alone; that of thinking takes what was thought along, so it is first.
    plain = _ELEMENT.sub("", _IMAGE.sub(r"\1", _THINKING.sub("", text)))
    plain = _LINK.sub(lambda found: found[0] if found[2] in known else found[1], plain)
    return _URL.sub(lambda found: found[0] if _bare(found[0]) in known else "", plain)


def claims_of(text: str) -> list[Claim]:
    """The sentences of a model's text, in order, without what it wrote while thinking."""
    text = _STOP_BEFORE_MARKS.sub(r"\2\1", _THINKING.sub("", text).strip())
    claims: list[Claim] = []
    last = 0
    for start, end in sentence_spans(text):
        marked = text[start:end]
        numbers = [int(n) for marks in _MARKS.findall(marked) for n in re.findall(r"\d+", marks)]
        plain = _MARKS.sub("", marked).replace(UNSUPPORTED, "").strip()
        if plain:
            claims.append(Claim(plain, text[last:start], tuple(dict.fromkeys(numbers))))
        last = end
    return claims


def check(
    claims: Sequence[Claim],
    blocks: Sequence[Block],
    grounds: Grounds,
    *,
    close: Mapping[str, Closeness] | None = None,
) -> Checked:
    """The claims as one text again, each with the citations that hold.

    A claim cites `blocks` from 1; `grounds` are those of their passages, in order. `close` has the
    closeness of claims, and of their parts, to units, by their text; None where no model can
    compare them.
    """
    checking = _Checking(blocks, grounds, close)
    for claim in claims:
        checking.take(claim)
    return checking.result()


def to_compare(claims: Sequence[Claim], grounds: Grounds) -> dict[str, list[int]]:
    """Which units the meaning of which claims has to be compared with, by the claims' text."""
    texts = [text for claim in claims for text in dict.fromkeys((claim.text, *_parts(claim.text)))]
    wanted = ((text, grounds.to_compare(text)) for text in texts)
    return {text: units for text, units in wanted if units}


class _Checking:
    """Goes through claims, and keeps what became of them."""

    def __init__(
        self,
        blocks: Sequence[Block],
        grounds: Grounds,
        close: Mapping[str, Closeness] | None,
    ) -> None:
        self._block = [n for n, block in enumerate(blocks, 1) for _ in block.passages]
        self._grounds = grounds
        self._close = close
        self._register = _Register([one for block in blocks for one in block.passages])
        self._written: list[str] = []
        self._unsupported: list[str] = []
        self._ordered: list[str] = []
        self._strengths: list[float] = []
        self._refused = False

    def take(self, claim: Claim) -> None:
        text = claim.text.replace(NO_ANSWER, "").strip()
        self._refused = self._refused or text != claim.text or _refuses(text)
        if not any(map(str.isalnum, text)):
            return
        found = self._found(claim)
        marks = "".join(f"[{n}]" for n in self._numbers(text, found))
        if found:
            self._strengths.append(max(ground.strength for ground in found))
        elif _needs_support(claim):
            self._strengths.append(0.0)
            if self._grounds.is_ordered(text):
                self._ordered.append(text)
                return
            marks = UNSUPPORTED
            self._unsupported.append(text)
        self._written.append(f"{claim.before}{text} {marks}".rstrip())

    def result(self) -> Checked:
        citations = tuple(self._register.citations.values())
        statements = len(self._strengths)
        return Checked(
            text="".join(self._written).strip(),
            citations=citations,
            unsupported=tuple(self._unsupported),
            ordered=tuple(self._ordered),
            statements=statements,
            support=sum(self._strengths) / statements if statements else 0.0,
            is_refusal=self._refused and not citations,
        )

    def _found(self, claim: Claim) -> list[Ground]:
        """What bears a claim out: of what it cites, or the best there is, or its parts together."""
        if not Meant.by(claim.text).stems or (_leads_over(claim) and not claim.cited):
            return []
        if whole := self._cited(claim.text, claim.cited):
            return whole
        parts = [self._cited(part, claim.cited) for part in _parts(claim.text)]
        return [one for part in parts for one in part] if parts and all(parts) else []

    def _cited(self, text: str, cited: Sequence[int]) -> list[Ground]:
        close = None if self._close is None else self._close.get(text, {})
        bearing = self._grounds.bearing(text, close)
        blocks = {self._block[one.unit.passage]: one for one in reversed(bearing)}
        return [blocks[n] for n in cited if n in blocks] or bearing[:1]

    def _numbers(self, text: str, found: Sequence[Ground]) -> dict[int, None]:
        units = [
            unit
            for ground in found
            for unit in (ground.unit, *self._grounds.beside(text, ground)[:_MOST_BESIDE])
        ]
        return dict.fromkeys(map(self._register.number, units))


def _parts(text: str) -> list[str]:
    """The parts of a sentence that each say something; none where it is only one."""
    parts: list[str] = []
    for part in _JOINTS.split(text):
        if parts and len(Meant.by(part).stems) < _FEWEST_WORDS:
            parts[-1] += f" {part}"
        else:
            parts.append(part)
    return parts if len(parts) > 1 else []


def _urls(text: str) -> list[str]:
    return [_bare(url) for url in _URL.findall(text)]


def _bare(url: str) -> str:
    return url.rstrip(_ENDS_URL)


def _needs_support(claim: Claim) -> bool:
    """False for headings, for lines that lead over to what follows, and for "it does not say"."""
    is_statement = not _leads_over(claim) and not _refuses(claim.text)
    return is_statement and bool(Meant.by(claim.text).stems)


def _leads_over(claim: Claim) -> bool:
    return claim.text.startswith("#") or claim.text.endswith((":", "："))


def _refuses(text: str) -> bool:
    return _REFUSAL.search(fold(text)) is not None
