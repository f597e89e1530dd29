"""What in the notes bears a claim out, and how far.

A unit of evidence (evidence.py) bears a claim out when nothing speaks against it, and it has all of
the claim's words, or some of them and by an embedding model its meaning. Against it speak

- a name of the claim that its passage does not have, or has only beside it where it names another;
- a number that its passage does not have, has of another measure, or says of something else
  (quantities.py);
- that one of the two denies what the other says (negation.py);
- that a model was ordered to say so: orders are no evidence (instructions.py), and of a sentence
  that reports one the claim needs more than the order's words.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dome_mcp.core.evidence import Unit, UnitKind, evidence_units
from dome_mcp.core.instructions import without_orders
from dome_mcp.core.meant import Meant, names_in
from dome_mcp.core.model import Passage
from dome_mcp.core.negation import Stance
from dome_mcp.core.quantities import Clause, clauses_of, misreads, numbers_of
from dome_mcp.core.terms import likeness, stems_of

_SOME_WORDS = 0.25
_SAME_MEANING = 0.75
"""Most right paraphrases are closer, and most wrong claims that have all but one word of a note are
not: "Anna wants the fridge under the window" is 0.63 from the sink that she wants there."""
_MOST_WORDS_ALONE = 0.8
"""Where no model can compare meanings, so many of the words have to do."""
_REPORTED = 0.25
"""How much of a claim has to stand outside the order that a sentence reports."""

Closeness = Mapping[int, float]
"""How close a claim is to units, by their place in `Grounds.units`."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A unit that bears a claim out; `strength`, 0 to 1, says how far, `fit` orders units."""

    unit: Unit
    fit: float
    strength: float


class Grounds:
    """The units of passages that claims are held against.

    A unit's `passage` is the place of its passage among these. What two passages both say is a
    unit of each: their titles may name different things that it is said of.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._sources = [
            source for at, passage in enumerate(passages) for source in _sources_in(at, passage)
        ]
        self._orders = [stems for stems in map(_ordered, passages) if stems]

    @property
    def units(self) -> list[Unit]:
        return [source.unit for source in self._sources]

    def bearing(self, text: str, close: Closeness | None) -> list[Ground]:
        """For each passage that bears the claim out the unit that does best, the best first.

        `close` is None where no model can compare meanings; of units that are not in it nothing
        is known.
        """
        meant = Meant.by(text)
        best: dict[int, Ground] = {}
        for at, source in enumerate(self._sources):
            ground = _ground(meant, source, None if close is None else close.get(at, 0.0))
            passage = source.unit.passage
            if ground and (passage not in best or ground.fit > best[passage].fit):
                best[passage] = ground
        return sorted(best.values(), key=lambda one: -one.fit)

    def beside(self, text: str, ground: Ground) -> list[Unit]:
        """The units of the same passage that have the names and numbers which this one lacks."""
        meant = Meant.by(text)
        own = [source for source in self._sources if source.unit.passage == ground.unit.passage]
        missing = {*meant.names, *meant.numbers}
        for source in own:
            if source.unit is ground.unit:
                missing -= source.offers(missing)
        units: list[Unit] = []
        for source in sorted(own, key=lambda one: -_share(meant.stems, one.own)):
            if found := source.offers(missing):
                missing -= found
                units.append(source.unit)
        return units

    def to_compare(self, text: str) -> list[int]:
        """The units whose meaning tells whether they bear the claim out; their words do not."""
        meant = Meant.by(text)
        return [
            at
            for at, source in enumerate(self._sources)
            if _shares(meant, source)[1] >= _SOME_WORDS and not source.forbids(meant)
        ]

    def is_ordered(self, text: str) -> bool:
        """Whether the claim says what an order to a model in the passages has it say."""
        stems = Meant.by(text).stems
        return any(_share(stems, order) >= _MOST_WORDS_ALONE for order in self._orders)


@dataclass(frozen=True)
class _Source:
    """A unit with what it offers to a claim."""

    unit: Unit
    passage: Passage
    about: str
    clauses: Sequence[Clause]
    """Of the whole passage and what it is about."""

    @cached_property
    def own(self) -> frozenset[str]:
        return stems_of(self.unit.text)

    @cached_property
    def framed(self) -> frozenset[str]:
        return stems_of(self._in_frame)

    @cached_property
    def reach(self) -> frozenset[str]:
        return self.framed | stems_of(self.unit.nearby)

    @cached_property
    def everything(self) -> frozenset[str]:
        return stems_of(f"{self.about}\n{self.passage.text}")

    @cached_property
    def stance(self) -> Stance:
        return Stance.of(self.unit.text)

    @cached_property
    def names(self) -> frozenset[str]:
        return names_in(self.unit.text)

    @cached_property
    def unordered(self) -> frozenset[str]:
        """The words outside of the orders to a model that it reports."""
        return stems_of(without_orders(self.unit.text, or_quoted=True))

    @property
    def _in_frame(self) -> str:
        return "\n".join((self.unit.text, self.unit.frame, self.about))

    def offers(self, needed: Collection[str]) -> set[str]:
        """The names and numbers among those needed that it has, or stands under."""
        numbers = numbers_of(clauses_of(self._in_frame))
        return {one for one in needed if one in numbers or likeness(one, self.framed)}

    def forbids(self, meant: Meant) -> bool:
        """Whether something speaks against the claim."""
        missing = {name for name in meant.names if not likeness(name, self.framed)}
        if any(not likeness(name, self.everything) for name in missing):
            return True
        names_another = any(not likeness(name, meant.stems) for name in self.names)
        if missing and names_another:
            return True
        return misreads(meant.clauses, self.clauses) or meant.stance.contradicts(self.stance)


def _sources_in(at: int, passage: Passage) -> list[_Source]:
    """The units of a passage without the orders to a model that stand in it."""
    clean = replace(
        passage,
        text=without_orders(passage.text),
        title=without_orders(passage.title).strip(),
        heading=without_orders(passage.heading or "").strip() or None,
    )
    about = _about(clean)
    clauses = clauses_of(about, unmeasured="date") + clauses_of(clean.text)
    return [
        _Source(replace(unit, passage=at), clean, about, clauses)
        for unit in evidence_units([clean])
        if unit.text == passage.text[unit.start : unit.end] and not _is_of_pairs(unit)
    ]


def _is_of_pairs(unit: Unit) -> bool:
    """Whether it is a list of names and values, which says none of the names of all the values."""
    lines = unit.text.splitlines()
    return unit.kind is UnitKind.LIST and 2 * sum(": " in line for line in lines) >= len(lines)


def _ordered(passage: Passage) -> frozenset[str]:
    """The words of the orders to a model in a passage, its labels and its reports of some."""
    text = "\n".join((passage.title, passage.heading or "", *passage.tags, passage.text))
    plain = without_orders(text, or_quoted=True)
    return stems_of(
        "".join(one if one != kept else " " for one, kept in zip(text, plain, strict=True))
    )


def _ground(meant: Meant, source: _Source, close: float | None) -> Ground | None:
    own, reach = _shares(meant, source)
    said = _share(meant.stems, source.framed)
    if close is None:
        is_enough = said >= _MOST_WORDS_ALONE
    else:
        is_enough = said == 1 or (reach >= _SOME_WORDS and close >= _SAME_MEANING)
    if own == 0 or not is_enough or source.forbids(meant):
        return None
    if source.unordered != source.own and _share(meant.stems, source.unordered) < _REPORTED:
        return None
    words = (own + reach) / 2
    strength = max(words, (words + (close or 0.0)) / 2)
    return Ground(source.unit, own + 0.5 * reach + (close or 0.0), strength)


def _shares(meant: Meant, source: _Source) -> tuple[float, float]:
    """How much of a claim a unit says itself, and with what stands over and beside it."""
    own = _share(meant.stems, source.own)
    return own, _share(meant.stems, source.reach) if own else 0.0


def _share(stems: Sequence[str], offered: frozenset[str]) -> float:
    return sum(likeness(stem, offered) for stem in stems) / len(stems) if stems else 0.0


def _about(passage: Passage) -> str:
    """What a claim may say beside the text: title, heading, tags, and the date in words."""
    day = passage.created_at
    date = f"{day:%Y-%m-%d} {day.day} {day:%B} {day.month}"
    tags = " ".join(without_orders(tag.replace("-", " ")) for tag in passage.tags)
    return "\n".join((passage.title, passage.heading or "", tags, date))
