"""Words as evidence compares them: folded, lightly stemmed, with numbers and names kept apart.

The stemmer is deliberately small. It only has to bring the inflections of one word together, in
English and German well and elsewhere passably; `likeness` forgives the rest (`renovate` and
`renovation`, `Heizung` inside `Fußbodenheizung`).
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

_UNSPACED = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
_TOKEN = re.compile(
    rf"(?P<number>\d+(?:[.,:]\d+)*[a-zA-Z]*)|(?P<run>{_UNSPACED}+)|(?:(?!{_UNSPACED})[^\W_])+"
)
_THOUSANDS = re.compile(r"(?<=\d)[.,](?=\d{3}(?!\d))")
_UNIT = re.compile(r"[^\d.,:]+$")
_POSSESSIVE = re.compile(r"(?<=[^\W\d_])['’]s\b")
_SUFFIXES = (
    *("ations", "ation", "ments", "ment", "ings", "ungen", "ing", "ung", "ions", "ion", "ied"),
    *("ies", "ers", "ern", "est", "ed", "en", "em", "er", "es", "ly", "s", "e", "n", "y"),
)
_IRREGULAR_PAIRS = (
    "ate/eat became/become began/begin begun/begin bought/buy broke/break "
    "broken/break brought/bring built/build came/come caught/catch chose/choose "
    "chosen/choose did/do done/do drank/drink drove/drive fell/fall felt/feel "
    "flew/fly forgot/forget found/find gave/give given/give grew/grow grown/grow "
    "heard/hear held/hold hid/hide kept/keep knew/know known/know laid/lay led/lead "
    "left/leave lent/lend lost/lose made/make meant/mean met/meet paid/pay ran/run "
    "rode/ride rose/rise said/say sang/sing saw/see seen/see sent/send slept/sleep "
    "sold/sell spent/spend spoke/speak spoken/speak stole/steal stood/stand swam/swim "
    "swollen/swell taken/take taught/teach thought/think threw/throw thrown/throw "
    "told/tell took/take tore/tear torn/tear understood/understand went/go woke/wake "
    "won/win wore/wear worn/wear written/write wrote/write children/child feet/foot "
    "men/man mice/mouse people/person teeth/tooth women/woman"
)
_IRREGULAR: dict[str, str] = {
    form: base for form, _, base in (pair.partition("/") for pair in _IRREGULAR_PAIRS.split())
}
_ACCENT_CLASS = 10
"""Lower combining classes are no accents: Indic signs and kana voicing make another letter."""
_SHORTEST_STEM = 3
_SHORTEST_PREFIX = 5
_SHORTEST_PART = 6
_ALIKE = 0.85
_PART_LIKENESS = 0.7


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a text: where it stands, its stem, and what the writing tells about it."""

    start: int
    end: int
    stem: str
    is_number: bool
    is_capitalised: bool


def terms_of(text: str) -> list[Term]:
    """The words of a text, in order; a script without spaces gives one term per two characters."""
    plain = _POSSESSIVE.sub(lambda match: " " * len(match[0]), text)
    found: list[Term] = []
    for match in _TOKEN.finditer(plain):
        if match["run"]:
            found.extend(_pairs(match[0], match.start()))
        else:
            found.append(_term(match[0], match.start()))
    return found


def stems_of(text: str) -> frozenset[str]:
    """The stems of a text's words."""
    return frozenset(term.stem for term in terms_of(text))


def fold(text: str) -> str:
    """The text in lower case, without accents and compatibility forms."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in decomposed if unicodedata.combining(char) < _ACCENT_CLASS)
    return unicodedata.normalize("NFC", bare)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """What the inflections of a word have in common; numbers lose their thousands separators."""
    folded = fold(word)
    if folded[:1].isdigit():
        return _THOUSANDS.sub("", folded)
    folded = _IRREGULAR.get(folded, folded)
    for suffix in _SUFFIXES:
        if folded.endswith(suffix) and len(folded) - len(suffix) >= _SHORTEST_STEM:
            return _undouble(folded[: -len(suffix)])
    return folded


def likeness(sought: str, stems: Collection[str]) -> float:
    """How well the best of `stems` stands for the one sought: 1 the same, 0 not at all.

    A longer form of the same word counts in full, a word inside a compound 0.7.
    """
    if sought in stems:
        return 1.0
    return max((_pair_likeness(sought, candidate) for candidate in stems), default=0.0)


def numbers_in(terms: Iterable[Term]) -> frozenset[str]:
    """The numbers among the terms, without thousands separators, leading zeros and units."""
    return frozenset(
        _UNIT.sub("", term.stem).lstrip("0") or "0" for term in terms if term.is_number
    )


@lru_cache(maxsize=65536)
def _pair_likeness(one: str, other: str) -> float:
    shorter, longer = sorted((one, other), key=len)
    if shorter[:1].isdigit() or len(shorter) < _SHORTEST_PREFIX:
        return 0.0
    shared = 0
    for left, right in zip(shorter, longer, strict=False):
        if left != right:
            break
        shared += 1
    if shared >= _SHORTEST_PREFIX and shared >= _ALIKE * len(shorter):
        return 1.0
    return _PART_LIKENESS if len(shorter) >= _SHORTEST_PART and shorter in longer else 0.0


def _term(word: str, start: int) -> Term:
    return Term(
        start=start,
        end=start + len(word),
        stem=stem(word),
        is_number=word[0].isdigit(),
        is_capitalised=word[0].isupper(),
    )


def _pairs(run: str, start: int) -> list[Term]:
    if len(run) == 1:
        return [Term(start, start + 1, fold(run), is_number=False, is_capitalised=False)]
    return [
        Term(
            start + at,
            start + at + 2,
            fold(run[at : at + 2]),
            is_number=False,
            is_capitalised=False,
        )
        for at in range(len(run) - 1)
    ]


def _undouble(stemmed: str) -> str:
    """`plann` is `plan`: English doubles the consonant before some suffixes."""
    doubled = len(stemmed) > _SHORTEST_STEM and stemmed[-1] == stemmed[-2]
    return stemmed[:-1] if doubled and stemmed[-1] in "bdgmnprt" else stemmed
