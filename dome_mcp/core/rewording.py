"""The prompt for a small language model: it puts into a sentence what is quoted from the notes.

A model of some hundred million parameters follows no list of rules and finds nothing in pages of
passages; it repeats the rules, or goes round in circles. Shown by examples how it is done, it makes
a right sentence of the few that hold the answer. So it is not asked to find, to choose or to cite,
and nothing here fences the notes off: whoever asks takes the orders out of them before, and holds
what comes back against them.

The examples are of what no note is likely to be about: a model that copies one is found out.
"""

import re
from collections.abc import Sequence

from dome_mcp.core.answering import without_marks
from dome_mcp.core.citations import Claim
from dome_mcp.core.model import Answer, Citation, Turn
from dome_mcp.core.packing import harmless
from dome_mcp.core.questions import content_stems, question_terms
from dome_mcp.core.terms import fold, stems_of, terms_of

_SYSTEM = "Answer the question in one sentence, with the words of the notes."
_GERMAN_EXAMPLES = (
    (
        "Wer die Orgel spielen will, kann den Schlüssel bei Frau Sommer für 5 Euro leihen.",
        "Was kostet der Schlüssel zur Orgel?",
        "Man kann den Schlüssel bei Frau Sommer für 5 Euro leihen.",
    ),
    (
        "Die Zither heißt auch Brettzither und wird in den Alpen gespielt.",
        "Wie nennt man die Zither noch?",
        "Die Zither heißt auch Brettzither.",
    ),
    (
        "Die Orgel wurde am 4. Oktober von Clara Winter gestimmt. Sie hat 47 Pfeifen.",
        "Wer hat die Orgel gestimmt?",
        "Die Orgel wurde von Clara Winter gestimmt.",
    ),
)
_EXAMPLES = (
    _GERMAN_EXAMPLES[0],
    (
        "Please ask for the keys of the organ at our reception.",
        "Where can visitors get the keys of the organ?",
        "Visitors can ask for the keys of the organ at our reception.",
    ),
    (
        "The zither serves as a plain instrument for playing the music of the Alps.",
        "What is the zither?",
        "The zither serves as a plain instrument for playing the music of the Alps.",
    ),
    (
        "The harp was tuned by Clara Winter on 4 October. It has 47 strings.",
        "Who tuned the harp?",
        "The harp was tuned by Clara Winter.",
    ),
)
_ROW = re.compile(r"\d\s+\d|\w: [^\n]*; \w[^\n]*: |\|")
"""Numbers side by side, names with their values, or columns."""
_CONDITIONS = frozenset(
    " ".join(
        (
            "if unless only except when while until",
            "wenn falls sofern nur ausser solange bis",
        )
    ).split()
)
"""Folded: without what follows one, a sentence says more than it did."""
_NUMBER = re.compile(r" \[\d{1,2}\]$", re.MULTILINE)


def to_reword(question: str, quotation: str) -> tuple[Turn, ...]:
    """What a model is told of a question that the text of an extractive answer answers."""
    quotes = harmless(_NUMBER.sub("", quotation))
    examples = _GERMAN_EXAMPLES if question_terms(question).is_german else _EXAMPLES
    asked = [
        turn
        for notes, example, answer in examples
        for turn in (Turn("user", _asked(notes, example)), Turn("assistant", answer))
    ]
    return (Turn("system", _SYSTEM), *asked, Turn("user", _asked(quotes, question)))


def can_be_reworded(quotation: Answer) -> bool:
    """Whether an extractive answer is sentences of the notes and nothing else.

    What it says itself, of older notes, of another time or of what is missing, would be lost. Of
    the values of a row it cannot be told whether the model has named them right.
    """
    quotes = "\n".join(
        f"{without_marks(one.quote.strip())} [{one.n}]" for one in quotation.citations
    )
    is_plain = quotation.text.split() == quotes.split()
    return is_plain and not any(_ROW.search(one.quote) for one in quotation.citations)


def says_again(claim: Claim, question: str, quotation: Citation) -> bool:
    """Whether a sentence answers in the words of a quotation and in their order, shorter at most.

    What it adds to them are words of the question, the title or the heading. A small model that
    leaves the words of the notes makes something up, and one that rearranges them says of one thing
    what they say of another. Nor may a condition be lost.
    """
    conditions = _CONDITIONS & set(_words(quotation.quote))
    if claim.text.endswith(("?", "？")) or not conditions <= set(_words(claim.text)):
        return False
    content = content_stems(claim.text)
    said = [term.stem for term in terms_of(claim.text) if term.stem in content]
    words = [term.stem for term in terms_of(quotation.quote)]
    asked = stems_of(question)
    offered = stems_of(f"{quotation.quote}\n{quotation.title}\n{quotation.heading or ''}")
    added = [stem for stem in said if stem not in asked]
    rest = iter(words)
    is_in_order = all(stem in rest for stem in said if stem in words)
    return bool(added) and is_in_order and all(stem in offered for stem in added)


def cites_any_of(cited: Sequence[Citation], quoted: Sequence[Citation]) -> bool:
    """Whether one of the citations has something of one of the quotations in it."""
    return any(
        one.chunk_id == other.chunk_id and one.start < other.end and other.start < one.end
        for one in cited
        for other in quoted
    )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", fold(text))


def _asked(notes: str, question: str) -> str:
    return f"Notes:\n{notes}\n\nQuestion: {' '.join(question.split())}"
