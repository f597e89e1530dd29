"""What a question asks for: the words of its subject, and the kind of answer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from dome_mcp.core.answer_kinds import CALENDAR_WORDS, KIND_OF, AnswerKind, answer_kind, shown_at
from dome_mcp.core.namings import calls, gives_name, gives_name_to
from dome_mcp.core.stopwords import STOP_WORDS
from dome_mcp.core.terms import Term, fold, likeness, stems_of, terms_of

# Words that frame a question and say nothing about its subject; folded. "Long" or "hoch" ask for
# a quantity, which the kind of answer already says.
_FRAME = frozenset(
    " ".join(
        (
            "much many long far old tall heavy big often high deep mean means meaning called kind",
            "sort type tell know show find exactly happen happened happens take takes took taken",
            "place say said says according mention mentions mentioned contain contains stand",
            "stands dr mr mrs ms prof frau herr madame",
            "viel viele vielen lange lang hoch gross weit alt oft schwer tief gibt",
            "heisst heissen bedeutet nennt genannt lautet versteht",
            "sagt sagen enthalt erwahnt steht stehen finden findet",
            "combien longtemps cuanto cuanta cuantos cuantas quanto quanta quanti hoeveel",
        )
    ).split()
)
_TITLES = frozenset(("herr", "herrn", "frau", "dr", "prof", "familie", "tante", "onkel"))
"""What a name follows, in German."""
_PEOPLE = frozenset(
    " ".join(
        (
            "i we people everyone everybody nobody anyone mother father parents sister brother",
            "wife husband son daughter aunt uncle grandmother grandfather child children friend",
            "neighbour neighbours colleague boss team company owner owners tenant landlord",
            "ich wir leute niemand mutter vater eltern schwester bruder mann sohn tochter oma opa",
            "kind kinder freund freundin nachbar nachbarin chef chefin firma mieter vermieter",
        )
    ).split()
)
"""Who somebody may be without a name."""
_FRAMES_OF_KIND = {
    AnswerKind.TIME: frozenset(
        ("date", "day", "time", "year", "month", "week", "datum", "tag", "uhr", "jahr", "monat")
    ),
    AnswerKind.MONEY: frozenset(
        ("cost", "costs", "pay", "paid", "price", "kosten", "kostet", "teuer", "coute", "cuesta")
    ),
    AnswerKind.WEIGHT: frozenset(("weigh", "weighs", "wiegt", "pese")),
    AnswerKind.DURATION: frozenset(("dauert", "dauerte", "dauern", "lasts", "lasted")),
    AnswerKind.UUID: frozenset(("uuid", "uuids", "guid", "guids")),
    AnswerKind.NAME: frozenset(
        " ".join(
            (
                "name names other another called call known alternative",
                "namen anderer anderen weiterer weiteren kennt bekannt bezeichnet",
            )
        ).split()
    ),
    AnswerKind.CONDITION: frozenset(("called", "spricht", "bezeichnet")),
}
"""Words that say no more than the kind of answer does already."""
_GERMAN_FUNCTION_WORDS = frozenset(
    " ".join(
        (
            "die den man hat war waren muss soll kann hilft wem wessen welchem welchen",
            "woran worauf woraus wobei wodurch worin worum wovon wofür wozu wonach",
            "dieser diese dieses diesem diesen jeder jede jedes jedem jeden alle allen aller alles",
            "unsere unserem unseren meinem meinen meiner ihrem ihren ihrer seinem seinen seiner",
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
    form: AnswerKind | None = None
    """What of the kind is asked for, where that can be told more closely."""


def question_terms(text: str) -> QuestionTerms:
    """The question's content words and kind; where it has nothing else, every word is content."""
    content = content_terms(text)
    stems = dict.fromkeys(term.stem for term in content or terms_of(text))
    words = [text[term.start : term.end] for term in terms_of(text)]
    german = capitalises_nouns(words)
    named = (term.stem for term in content if _is_named(term, text, words[0], german=german))
    form = answer_kind(text)
    kind = KIND_OF.get(form, form)
    return QuestionTerms(tuple(stems), kind, frozenset(named), german, form)


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

    A definition has its subject before the verb, or gives it its name.
    """
    form = question.form or question.kind
    text = " ".join(text.split())  # a printed line may end anywhere
    match form:
        case AnswerKind.OTHER:
            return None
        case AnswerKind.PERSON:
            return _shows_person(question, text)
        case AnswerKind.NAME:
            return gives_name_to(text, question.stems) or None
        case AnswerKind.CONDITION:
            return calls(text, question.stems[-1])
        case AnswerKind.DEFINITION:
            return gives_name(text, question.stems) or _opens_with_subject(question, text)
        case _:
            return shown_at(form, text) is not None


def _opens_with_subject(question: QuestionTerms, text: str) -> bool:
    """Whether all words of the question stand before the verb."""
    at = shown_at(AnswerKind.DEFINITION, text)
    subject = stems_of(fold(text)[:at]) if at else frozenset[str]()
    return all(likeness(stem, subject) for stem in question.stems)


def _shows_person(question: QuestionTerms, text: str) -> bool | None:
    """Whether there is a name that the question did not have.

    Two in a row are one. Of a single word that cannot be told where it begins a sentence, nor of
    any in German, and somebody may be meant without a name.
    """
    if text.lower() == text.upper():
        return None
    words = [(term, text[term.start : term.end]) for term in terms_of(text)]
    german = capitalises_nouns(word for _, word in words)
    names = [_may_be_name(term, word, question, german=german) for term, word in words]
    if not any(names):
        return None if any(fold(word) in _PEOPLE for _, word in words) else False
    gaps = [text[one.end : other.start] for (one, _), (other, _) in pairwise(words)]
    leads = [name or fold(word) in _TITLES for (_, word), name in zip(words, names, strict=True)]
    for lead, name, gap in zip(leads, names[1:], gaps, strict=False):
        if name and (_is_within(gap) if not german else lead and gap.strip(".") == " "):
            return True
    return None


def _is_within(gap: str) -> bool:
    """Whether what stands between two words ends no sentence."""
    return not any(mark in gap for mark in ".!?")


def _may_be_name(term: Term, word: str, question: QuestionTerms, *, german: bool) -> bool:
    if not term.is_capitalised or term.is_number or term.stem in question.stems:
        return False
    return fold(word) not in _FRAME | CALENDAR_WORDS and not is_function_word(word, german=german)


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
