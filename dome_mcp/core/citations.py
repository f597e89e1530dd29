"""Checks what a language model wrote against the passages it was given.

Every sentence is compared with the units of evidence in the passages. It keeps those of its
citations that hold, gets the one that does where they do not, and is marked `[unsupported]` where
nothing supports it. A unit supports a sentence when the numbers and names of the sentence occur
in its passage, and it shares most of the sentence's words or, by a model, its meaning.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dome_mcp.core.answering import citation
from dome_mcp.core.evidence import Unit
from dome_mcp.core.model import Citation, Passage
from dome_mcp.core.packing import NO_ANSWER
from dome_mcp.core.questions import capitalises_nouns, is_function_word, is_name
from dome_mcp.core.sentences import sentence_spans
from dome_mcp.core.terms import fold, likeness, numbers_in, stems_of, terms_of

UNSUPPORTED = "[unsupported]"

_MARK = r"\s*[\[【]\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*[\]】]"
_MARKS = re.compile(_MARK)
_STOP_BEFORE_MARKS = re.compile(rf"([.!?。！？]+)((?:{_MARK})+)")
_THINKING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_THINK = "<think>"
_LIST_MARK = re.compile(r"(?:[-*+•]|\d{1,2}[.)])\s+|#{1,6}\s+")
_REFUSAL = re.compile(
    r"\b(not (mentioned|stated|specified|found|included|available)"
    r"|(do|does|did) not (contain|mention|say|state|specify|include|provide|hold)"
    r"|(don|doesn|didn)['’]t (contain|mention|say|state|specify|include|provide|know)"
    r"|no (information|mention|record)|(cannot|can['’]t) (answer|find|determine)"
    r"|keine (angaben?|informationen?|hinweise?)|nicht (erwahnt|angegeben|enthalten|genannt))\b"
)
_OPENERS = stems_of(
    "Yes No According Overall Additionally Furthermore Currently Finally Note Total"
)
"""Words that open a sentence with a capital and name nothing."""
_MOST_WORDS = 0.65
_SOME_WORDS = 0.4
_WORDS_AND_MEANING = 1.2


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
    """A model's text with citations that hold; `unsupported` are the sentences without any."""

    text: str
    citations: tuple[Citation, ...]
    unsupported: tuple[str, ...]
    is_refusal: bool


@dataclass(frozen=True, slots=True)
class _Words:
    """A claim's content words, and those a supporting passage cannot do without."""

    stems: tuple[str, ...]
    names: frozenset[str]
    numbers: frozenset[str]


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
    units: Sequence[Unit],
    *,
    passages: Sequence[Passage],
    similarity: Sequence[Sequence[float]] | None = None,
) -> Checked:
    """The claims as one text again, each with the citations that hold.

    `units` are those of `passages`, which are in the order the claims cite them by;
    `similarity[c][u]` is how close claim and unit are (closeness.py), where a model could tell.
    """
    evidence = _Evidence.of(units, passages)
    register = _Register(passages)
    written: list[str] = []
    unsupported: list[str] = []
    refused = False
    for index, claim in enumerate(claims):
        text = claim.text.replace(NO_ANSWER, "").strip()
        refused = refused or text != claim.text or _refuses(text)
        if not any(map(str.isalnum, text)):
            continue
        found = evidence.supporting(claim, similarity[index] if similarity else None)
        marks = "".join(f"[{n}]" for n in dict.fromkeys(map(register.number, found)))
        if not marks and _needs_support(claim):
            marks = UNSUPPORTED
            unsupported.append(text)
        written.append(f"{claim.before}{text} {marks}".rstrip())
    return Checked(
        text="".join(written).strip(),
        citations=tuple(register.citations.values()),
        unsupported=tuple(unsupported),
        is_refusal=refused and not register.citations,
    )


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The units with the words that each, and each passage, offers to a claim."""

    units: Sequence[Unit]
    own: Sequence[frozenset[str]]
    reach: Sequence[frozenset[str]]
    passages: Sequence[frozenset[str]]
    numbers: Sequence[frozenset[str]]

    @classmethod
    def of(cls, units: Sequence[Unit], passages: Sequence[Passage]) -> "_Evidence":
        about = [_about(passage) for passage in passages]
        texts = [f"{label}\n{one.text}" for label, one in zip(about, passages, strict=True)]
        return cls(
            units,
            [stems_of(unit.text) for unit in units],
            [stems_of("\n".join((u.text, u.frame, u.nearby, about[u.passage]))) for u in units],
            [stems_of(text) for text in texts],
            [numbers_in(terms_of(text)) for text in texts],
        )

    def supporting(self, claim: Claim, similarity: Sequence[float] | None) -> list[Unit]:
        """One unit for each cited passage that supports the claim, or the best one anywhere."""
        words = _words(claim.text)
        if not words.stems or (_leads_over(claim) and not claim.cited):
            return []
        best: dict[int, tuple[float, Unit]] = {}
        for at, unit in enumerate(self.units):
            fit = self._fit(words, at, similarity[at] if similarity else None)
            if fit > best.get(unit.passage, (0.0, unit))[0]:
                best[unit.passage] = (fit, unit)
        cited = [best[n - 1] for n in claim.cited if n - 1 in best]
        kept = cited or sorted(best.values(), key=lambda one: -one[0])[:1]
        return [unit for _, unit in kept]

    def _fit(self, words: _Words, at: int, close: float | None) -> float:
        """How well a unit supports a claim; 0 where it does not."""
        passage = self.units[at].passage
        if not words.numbers <= self.numbers[passage] or not all(
            likeness(name, self.passages[passage]) for name in words.names
        ):
            return 0.0
        own = _share(words.stems, self.own[at])
        reach = _share(words.stems, self.reach[at])
        means_it = reach >= _SOME_WORDS and reach + (close or 0.0) >= _WORDS_AND_MEANING
        if own == 0 or not (reach >= _MOST_WORDS or means_it):
            return 0.0
        return own + 0.5 * reach + (close or 0.0)


def _needs_support(claim: Claim) -> bool:
    """False for headings, for lines that lead over to what follows, and for "it does not say"."""
    is_statement = not _leads_over(claim) and not _refuses(claim.text)
    return is_statement and bool(_words(claim.text).stems)


def _leads_over(claim: Claim) -> bool:
    return claim.text.startswith("#") or claim.text.endswith((":", "："))


def _refuses(text: str) -> bool:
    return _REFUSAL.search(fold(text)) is not None


def _words(text: str) -> _Words:
    """A claim's words; in German, which capitalises nouns, none is taken for a name."""
    plain = _LIST_MARK.sub("", text, count=1)
    terms = [(term, plain[term.start : term.end]) for term in terms_of(plain)]
    german = capitalises_nouns(word for _, word in terms)
    content = [pair for pair in terms if not is_function_word(pair[1], german=german)]
    names = (term.stem for term, word in content if not german and is_name(word))
    return _Words(
        stems=tuple(term.stem for term, _ in content),
        names=frozenset(names) - _OPENERS,
        numbers=numbers_in(term for term, _ in terms),
    )


def _share(stems: Sequence[str], offered: frozenset[str]) -> float:
    return sum(likeness(stem, offered) for stem in stems) / len(stems)


def _about(passage: Passage) -> str:
    """What a claim may say beside the text: title, heading, tags, and the date in words."""
    day = passage.created_at
    date = f"{day:%Y-%m-%d} {day.day} {day:%B} {day.month}"
    return "\n".join((passage.title, passage.heading or "", " ".join(passage.tags), date))
