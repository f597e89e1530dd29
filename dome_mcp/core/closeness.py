"""How close two texts are in meaning, on one scale whatever the embedding model.

Models differ in what a cosine says. Two texts that have nothing in common get 0.05 from one model
and 0.75 from another, and from the second the best answer to a question gets no more than 0.9. What
is alike is how far a pair stands out from pairs that have nothing in common.

So a model is measured: it embeds statements about 32 unrelated things. Their cosines with a text
say where that text's cosines begin, those among themselves how far they spread by chance. On the
scale both are what they are for all-MiniLM-L6-v2, whose cosines the thresholds of support.py and
citations.py were made for, so a closeness reads like one of its cosines. What is added to every
cosine of a model, or stretches them all alike, changes nothing.

The statements are all English. With German ones beside them, German questions lost more right
answers than they were spared wrong ones. What benchmarks/answers.jsonl asks about is not among
them, and must not be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from operator import mul
from statistics import fmean, pstdev

from dome_mcp.core.statements import Vector

STATEMENTS = (
    "Line 47 stops in front of the stadium every ten minutes.",
    "The vet found two loose teeth in the cat's jaw and wants to pull them.",
    "Martha plays the violin at the school concert on 12 March.",
    "Igor beat everybody at chess and took the cup home.",
    "A third of the aquarium's water is changed every two weeks.",
    "Our plane to Oslo did not take off because of fog.",
    "Our tax return is now done by an accountant called Priya Nair.",
    "The second set of keys for the car hangs in the hall cupboard.",
    "I finished the marathon in four hours and twelve minutes.",
    "Leo must not be given penicillin, it brings him out in a rash.",
    "Hold the button on the back of the router for ten seconds to restore its factory settings.",
    "The report on the merger of the two banks was written by the legal department.",
    "The gym takes 29 pounds a month from my account.",
    "Jupiter and Saturn stand above the horizon after ten in the evening.",
    "The proposal has to reach the foundation by 31 January.",
    "Sofia has a degree in marine biology from Lisbon.",
    "The new neighbours come from Ghana and have three small children.",
    "The recipe needs two cloves of garlic and a tin of chickpeas.",
    "The court decided that the tenant may keep the dog.",
    "The museum is closed on Mondays and free for students.",
    "Her third novel is about a lighthouse keeper in the war.",
    "The printer only works when it is plugged into the left socket.",
    "Sales rose by six per cent in the last quarter.",
    "The hospital moved the operation to Thursday morning.",
    "Grandma's wedding ring was made of gold from a coin.",
    "The password of the old laptop was changed after the break-in.",
    "Snow is expected above one thousand metres at the weekend.",
    "The carpenter brings the new shelves next week.",
    "The choir rehearses on Tuesdays in the parish hall.",
    "Bees sleep in the hive in winter and live on honey.",
    "The train to Vienna leaves from platform nine.",
    "The football team lost its last match by two goals.",
)
"""What a model is measured by."""

BACKGROUND = 0.056
"""The mean cosine of all-MiniLM-L6-v2 between the statements and the benchmark's questions."""
SPREAD = 0.077
"""The standard deviation of its cosines among the statements."""

_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Scale:
    """A model's own: the mean of the statements' vectors, and what its cosines are stretched by."""

    centre: Vector
    stretch: float

    @classmethod
    def of(cls, vectors: Sequence[Vector]) -> "Scale":
        """The scale of the model that made these `vectors`, of the STATEMENTS as passages.

        A model that cannot tell them apart gives everything the closeness of unrelated texts.
        """
        spread = pstdev(_dot(one, other) for one, other in combinations(vectors, 2))
        centre = [fmean(values) for values in zip(*vectors, strict=True)]
        return cls(centre, SPREAD / spread if spread > _TINY else 0.0)

    def closeness(self, one: Vector, others: Sequence[Vector]) -> list[float]:
        """How close each of the others is to the one: about 0 for what is unrelated, 1 at most."""
        unrelated = _dot(one, self.centre)
        return [
            min(1.0, BACKGROUND + self.stretch * (_dot(one, other) - unrelated)) for other in others
        ]


def _dot(one: Vector, other: Vector) -> float:
    return sum(map(mul, one, other))
