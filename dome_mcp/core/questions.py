"""What a question asks for: the words of its subject, and the kind of answer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dome_mcp.core.answer_kinds import CALENDAR_WORDS, AnswerKind, answer_kind, shown_at
from dome_mcp.core.stopwords import STOP_WORDS
from dome_mcp.core.terms import Term, fold, likeness, stems_of, terms_of

# Words that frame a question and say nothing about its subject; folded. "Long" or "hoch" ask for
# a quantity, which the kind of answer already says.
_FRAME = frozenset(
    " ".join(
        (
            "much many long far old tall heavy big often high deep mean means meaning called kind",
            "sort type tell know show find exactly happen happened happens take takes took place",
            "say said says dr mr mrs ms prof frau herr madame",
            "viel viele vielen lange lang hoch gross weit alt oft schwer tief gibt",
            "heisst heissen bedeutet nennt genannt lautet versteht",
            "combien longtemps cuanto cuanta cuantos cuantas quanto quanta quanti hoeveel",
        )
    ).split()
)
_FRAMES_OF_KIND = {
    AnswerKind.TIME: frozenset(
        ("date", "day", "time", "year", "month", "week", "datum", "tag", "uhr", "jahr", "monat")
    ),
    AnswerKind.MONEY: frozenset(
        ("cost", "costs", "pay", "paid", "price", "kosten", "kostet", "teuer", "coute", "cuesta")
    ),
    AnswerKind.WEIGHT: frozenset(("weigh", "weighs", "wiegt", "pese")),
}
"""Words that say no more than the kind of answer does already."""
_GERMAN_FUNCTION_WORDS = frozenset(
    " ".join(
        (
            "die den man hat war waren muss soll kann hilft wem wessen welchem welchen",
            "woran worauf woraus wobei wodurch worin worum wovon wofür wozu wonach",
        )
    ).split()
)
"""Function words in German, and words with a meaning of their own elsewhere."""
_GERMAN = frozenset(
    " ".join(
        (
            "ist sind wie wer wann welche welcher welches welchen warum wieso der das dem ein eine",
            "einen haben wird wurde wurden für im zum zur gegen und mit von ich wir nach bei",
            "nicht auch auf sich dass durch über unter oder aber wenn sein seine ihr ihre vom beim",
            "laut sowie beträgt",
        )
    ).split()
)
"""Words that no English sentence has and few German ones lack."""
_HIRAGANA = re.compile("[\u3041-\u309f]+")


@dataclass(frozen=True, slots=True)
class QuestionTerms:
    """A question as evidence is compared with it: content words, each once, and kind of answer.

    `named` are those of the stems that are a name, a number or, in German, a noun: what the
    question is about, where a verb may be any other of the same sense.
    """

    stems: tuple[str, ...]
    kind: AnswerKind
    named: frozenset[str] = frozenset()
    is_german: bool = False
    """Whether all its nouns are among the named."""


def question_terms(text: str) -> QuestionTerms:
    """The question's content words and kind; where it has nothing else, every word is content."""
    content = content_terms(text)
    stems = dict.fromkeys(term.stem for term in content or terms_of(text))
    words = [text[term.start : term.end] for term in terms_of(text)]
    german = capitalises_nouns(words)
    named = (term.stem for term in content if _is_named(term, text, words[0], german=german))
    return QuestionTerms(tuple(stems), answer_kind(text), frozenset(named), german)


def _is_named(term: Term, text: str, opening: str, *, german: bool) -> bool:
    """Whether a word is a number, a noun of German, or written like a name elsewhere."""
    word = text[term.start : term.end]
    if term.is_number or german:
        return term.is_number or term.is_capitalised
    return is_name(word) and word != opening


def content_terms(text: str) -> list[Term]:
    """The words of the question's subject, in order; none where there is only the frame of one."""
    words = [(term, text[term.start : term.end]) for term in terms_of(text)]
    frame = _FRAME | _FRAMES_OF_KIND.get(answer_kind(text), frozenset())
    german = capitalises_nouns(word for _, word in words)
    return [
        term
        for term, word in words
        if fold(word) not in frame and not is_function_word(word, german=german)
    ]


def shows_answer(question: QuestionTerms, text: str) -> bool | None:
    """Whether the text has the kind of thing asked for; None where that cannot be told.

    A person is any capitalised word that the question did not have. A definition has its subject
    before the verb.
    """
    if question.kind is AnswerKind.OTHER:
        return None
    if question.kind is AnswerKind.PERSON:
        has_case = text.lower() != text.upper()
        return (
            None if not has_case else any(_may_be_person(term, question) for term in terms_of(text))
        )
    at = shown_at(question.kind, text)
    if question.kind is AnswerKind.DEFINITION and at is not None:
        subject = stems_of(fold(text)[:at])
        return all(likeness(stem, subject) for stem in question.stems)
    return at is not None


def _may_be_person(term: Term, question: QuestionTerms) -> bool:
    return term.is_capitalised and not term.is_number and term.stem not in question.stems


def content_stems(text: str) -> frozenset[str]:
    """The stems of the words that say something about a subject."""
    words = [(term, text[term.start : term.end]) for term in terms_of(text)]
    german = capitalises_nouns(word for _, word in words)
    return frozenset(term.stem for term, word in words if not is_function_word(word, german=german))


def capitalises_nouns(words: Iterable[str]) -> bool:
    """Whether the words are German, where a capital marks any noun and not just a name."""
    return any(word.lower() in _GERMAN for word in words)


def is_name(word: str) -> bool:
    """Whether a word of a language that does not capitalise nouns is written like a name."""
    return word[0].isupper() and fold(word) not in CALENDAR_WORDS


def is_function_word(word: str, *, german: bool) -> bool:
    """Whether a word says nothing about a subject; hiragana alone are particles and endings."""
    lower = word.lower()
    if lower in STOP_WORDS or fold(word) in STOP_WORDS:
        return True
    return (german and lower in _GERMAN_FUNCTION_WORDS) or _HIRAGANA.fullmatch(word) is not None
