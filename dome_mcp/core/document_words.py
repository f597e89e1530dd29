"""The documents that a question says it means: "in the workbook", "auf Folie 3", "in trip.pdf".

Some words hardly mean anything else ("spreadsheet", "e-book", "PDF"); they count wherever a
certain one is meant. Others are as often something that happens or that lies on a table
("presentation", "notebook", "Tabelle"); they count only where something is looked for inside. What
is found decides in the end: without such a document they are words like any other.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from dome_mcp.core.model import Passage
from dome_mcp.core.questions import content_terms

_LONGEST = 500
"""Characters; what is longer brings a text along."""
_FILE = r"[ -]?(?:files?|documents?|datei(?:en)?|dokument(?:e?s|en?)?)"
_SHEETS = (".xlsx", ".xlsm", ".xls", ".ods", ".csv", ".tsv")
_SLIDES = (".pptx", ".pptm", ".ppt", ".odp")
_NOTEBOOKS = (".ipynb",)
_WEB = (".html", ".htm", ".xhtml", "http://", "https://")
# Words for each sort of document, and how the sources of such documents end or begin.
_CERTAIN = (
    (rf"work ?books?|spread ?sheets?|excel(?:{_FILE}|[ -]?(?:sheets?|tabellen?))?", _SHEETS),
    (r"arbeitsmappen?", _SHEETS),
    (rf"csv(?:{_FILE}|[ -]tab(?:le|elle))?", (".csv", ".tsv")),
    (rf"slides?|slide ?shows?|power ?points?(?:{_FILE})?|folien?", _SLIDES),
    (rf"word{_FILE}", (".docx", ".docm", ".dotx", ".doc", ".odt")),
    (r"e-?books?|e-?buch(?:e?s)?|epubs?", (".epub",)),
    (rf"pdfs?(?:{_FILE})?", (".pdf",)),
    (r"(?:jupyter|python)[ -]notebooks?", _NOTEBOOKS),
    (r"(?:web|internet)[ -]?(?:pages?|seiten?)|blog[ -]?(?:posts?|beitr[aä]ge?s?|artikels?)", _WEB),
    (rf"json(?:{_FILE})?", (".json", ".jsonl", ".ndjson", ".geojson")),
    (rf"markdown{_FILE}", (".md", ".markdown", ".mdx", ".mkd")),
    (rf"text{_FILE}", (".txt", ".text")),
)
_AMBIGUOUS = (
    (r"sheets?|tabellen?", _SHEETS),
    (r"presentations?|präsentation(?:en)?", _SLIDES),
    (r"notebooks?|notizbuch(?:e?s)?", _NOTEBOOKS),
    (r"e-?mails?|mails?", (".eml", ".msg")),
    (r"web ?sites?|blogs?|articles?", _WEB),
)
_INSIDE = r"\b(?:in|inside|on|of|from|according\s+to|im|auf|aus|von|vom|laut)\s+"
_THIS = (
    r"\b(?:the|my|our|your|this|these|de[mnrs]|die|das|diese[mnrs]?|(?:mein|unser)(?:e[mnrs]?)?)\s+"
)
_BETWEEN = r"(?:(?!(?:and|und|or|oder|in|on|of|for|auf|aus|für|is|are|was|ist)\b)[\w'’-]+\s+){0,3}?"
"""As in "in my household spreadsheet"."""
_END = r"(?![\w-]|\s+address)"
_TELLS = r"(?=\s+(?:says?|tells?|mentions?|contains?|lists?|shows?|prints?)\b)"
_TOLD_BY = r"\b(?:sagt|nennt|zeigt|enthält|erwähnt)\s+"
_PAGE = re.compile(
    r"\b(?:page|slide|sheet|seite|folie|blatt)\s+(?:no\.?\s*|nr\.?\s*)?(?P<page>\d{1,4})\b",
    re.IGNORECASE,
)
_AND = re.compile(r"^\W*(?:(?:and|und|or|oder|what\s+about)\s+)?", re.IGNORECASE)
_LEAD = re.compile(_INSIDE, re.IGNORECASE)
_NAMED = re.compile(
    rf"(?:{_INSIDE}(?:{_THIS})?)?"
    r"(?<![\w/@.-])(?P<name>[\w-]+(?:\.[\w-]+)*\.[a-z]\w{1,7})(?![\w/@]|\.\w)",
    re.IGNORECASE,
)


def _compiled(
    kinds: tuple[tuple[str, tuple[str, ...]], ...], lead: str, end: str = ""
) -> re.Pattern[str]:
    words = "|".join(
        f"(?P<kind{at}>(?:{pattern})(?:['’]s)?)" for at, (pattern, _) in enumerate(kinds)
    )
    return re.compile(
        rf"(?:{lead})(?P<between>{_BETWEEN})(?<!\w)(?:{words}){_END}{end}", re.IGNORECASE
    )


_PATTERNS = (
    (_compiled(_CERTAIN, rf"(?:{_INSIDE}(?:{_THIS})?|{_THIS})"), _CERTAIN),
    (_compiled(_AMBIGUOUS, rf"(?:(?:{_INSIDE}|{_TOLD_BY}){_THIS}|\bim\s+)"), _AMBIGUOUS),
    (_compiled(_AMBIGUOUS, _THIS, _TELLS), _AMBIGUOUS),
)


@dataclass(frozen=True, slots=True)
class DocumentWords:
    """Where a question says which documents it means, `[start, end)` each, and what tells these.

    `sources` are what their sources end with (`.pdf`, `trip.pdf`) or begin with (`https://`), in
    lower case, empty for any; `page` the page, slide or sheet, None for any.
    """

    spans: tuple[tuple[int, int], ...]
    sources: tuple[str, ...] = ()
    page: int | None = None

    def mean(self, passage: Passage) -> bool:
        """Whether a passage is of such a document, and of the page."""
        source = unquote(passage.source or "").casefold()
        is_of_them = source.endswith(self.sources) or source.startswith(self.sources)
        return (not self.sources or is_of_them) and self.page in (None, passage.page)

    def left_out_of(self, question: str) -> str:
        """The question without the words."""
        for start, end in reversed(self.spans):
            question = f"{question[:start].rstrip()} {question[end:].lstrip()}"
        return question


def document_words(question: str) -> DocumentWords | None:
    """What a question says of the documents that it means; None where it says nothing."""
    if len(question) > _LONGEST:
        return None
    spans: list[tuple[int, int]] = []
    sources: list[str] = []
    for pattern, kinds in _PATTERNS:
        for found in pattern.finditer(question):
            kind = found.lastgroup or ""
            start, end = found.span(kind)
            spans.append((start if found["between"] else found.start(), end))
            sources += kinds[int(kind.removeprefix("kind"))][1]
    named = list(_NAMED.finditer(question))
    page = _PAGE.search(question)
    spans += [found.span() for found in (*named, page) if found]
    if not spans:
        return None
    return DocumentWords(
        _merged(spans),
        tuple(found["name"].casefold() for found in named) or tuple(sources),
        int(page["page"]) if page else None,
    )


def about_documents(questions: Iterable[str]) -> list[str]:
    """The questions, of which one that names nothing but a document is the one before it again,
    of that document: "And in the workbook?" after "What is the rent in lease.pdf?"."""
    full: list[str] = []
    for question in questions:
        place = _AND.sub("", question)
        words = document_words(place)
        is_bare = words and _LEAD.match(place) and not content_terms(words.left_out_of(place))
        if full and is_bare:
            before = document_words(full[-1])
            subject = before.left_out_of(full[-1]) if before else full[-1]
            full.append(f"{subject.rstrip(' ?.!')} {place}")
        else:
            full.append(question)
    return full


def _merged(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The stretches in order, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
