"""Evidence: the sentences, list items and table rows of passages, as units that can be quoted.

What frames a unit (title, heading, the line that leads into a list, the question it answers, a
table's header row, the label that its line begins with) belongs to its meaning but not to the
quote.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise, repeat

from dome_mcp.core.model import Passage
from dome_mcp.core.printed import is_label, printed_spans, row_headers
from dome_mcp.core.records import Record, cut_at_settings, record_of, setting_paths
from dome_mcp.core.sentences import sentence_spans

_HEADING = re.compile(r"#{1,6}\s+(?P<body>.*?)\s*#*$", re.DOTALL)
_ITEM = re.compile(
    r"(?:[-*+•‣◦–]|\(?\d{1,3}[.)]|\(?[a-z]\))\s+(?:\[[ xX]\]\s+)?(?P<body>\S.*)", re.DOTALL
)
_ROW = re.compile(r"\|\s*(?P<body>.*?)\s*\|?$", re.DOTALL)
_LABEL = re.compile(r"(?P<label>[^\W\d_][\w .'’-]{0,30}):\s")
_CAPTION = re.compile(r"Tab(?:le|elle|leau|la|\.)\s")
_RULE = re.compile(r"[\s|:*_=+~`.-]*")
_LEADERS = re.compile(r"\s\.$|(\. ?){5}")  # dots of a table of contents
_PAGE_NUMBERS = re.compile(r"[^\W\d].*,\s*\d+(?:,\s*\d+)*\s*$")  # an entry of an index of words
_SHORTEST_INDEX = 6
"""Lines; a short list of names and numbers may well be what was asked for."""
_REFERS_BACK = re.compile(
    r"(?:This|These|Such|In (?:this|that|these|those|such)|Dies\w*|In (?:dies|solch)\w+)\s"
)
_LONGEST_PAIR = 400
_MARKUP = "#>*-_ "
_STOPS = ".!。！"
_LONGEST_LIST = 400
"""Characters; a longer list is quoted by item only."""
_LONGEST_UNLED_LIST = 200
"""Items that no line leads into are, where they are long, paragraphs that happen to be counted."""


class UnitKind(StrEnum):
    """How a unit is written."""

    SENTENCE = "sentence"
    HEADING = "heading"
    ITEM = "item"
    LIST = "list"
    ROW = "row"


_PATTERNS = (
    (UnitKind.HEADING, _HEADING),
    (UnitKind.ROW, _ROW),
    (UnitKind.ITEM, _ITEM),
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch `[start, end)` of the text of passage number `passage`, `text` word for word.

    `frame` is what it stands under, outermost first, one a line; `nearby` its neighbours.
    """

    passage: int
    start: int
    end: int
    text: str
    kind: UnitKind
    frame: str = ""
    nearby: str = ""
    header: str = ""
    record: Record | None = None
    """Its fields, where it is a row or a setting."""

    @property
    def in_context(self) -> str:
        """The unit after the line it stands under most closely: what a model is to embed."""
        line = self.frame.rpartition("\n")[2].rstrip(":： ")
        return f"{line}: {self.text}" if line else self.text


def evidence_units(passages: Sequence[Passage]) -> list[Unit]:
    """Every unit of the passages, in order; what two passages both say counts once.

    The index at the end of a book names everything and says nothing, so it is no evidence.
    """
    units: list[Unit] = []
    seen: set[str] = set()
    for index, passage in enumerate(passages):
        if _is_index_of_words(passage.text):
            continue
        is_printed = passage.page is not None
        for unit in units_of(passage.text, _place(passage), is_printed=is_printed):
            key = " ".join(unit.text.split()).casefold()
            if key in seen:
                continue
            seen.add(key)
            # The title of a short note is all of its first sentence, and that states something.
            is_title = unit.text in (passage.title, passage.heading) and unit.text[-1] not in _STOPS
            kind = UnitKind.HEADING if is_title else unit.kind
            units.append(replace(unit, passage=index, kind=kind))
    return units


def _is_index_of_words(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    entries = sum(bool(_PAGE_NUMBERS.match(line.strip())) for line in lines)
    return len(lines) >= _SHORTEST_INDEX and 2 * entries > len(lines)


def _place(passage: Passage) -> str:
    """Title and heading; a title that is only how the text begins adds nothing to it."""
    first, _, rest = passage.text.strip().partition("\n")
    is_line_of_its_own = bool(rest) and first.lstrip(_MARKUP) == passage.title
    is_opening = _flat(passage.text).startswith(passage.title.rstrip("…"))
    states_something = passage.title.endswith(tuple(_STOPS))
    is_known = is_opening and (states_something or not is_line_of_its_own)
    return "\n".join(
        filter(None, dict.fromkeys(("" if is_known else passage.title, passage.heading)))
    )


def _flat(text: str) -> str:
    return " ".join(text.split()).lstrip(_MARKUP)


def units_of(text: str, frame: str = "", *, is_printed: bool = False) -> list[Unit]:
    """The units of one text that stands under `frame`, with their neighbours filled in.

    `is_printed` says that it is from a page, whose lines mean more (`core.printed`).
    """
    spans = printed_spans(text) if is_printed else cut_at_settings(sentence_spans(text), text)
    classified = _classified(text, spans)
    if is_printed:
        classified = _with_printed_rows(classified)
    pieces = ((unit.start, unit.text) for unit in classified)
    paths = repeat("", len(classified)) if is_printed else setting_paths(pieces, text)
    framed = _framed(_labelled(classified, text, paths), frame, is_printed=is_printed)
    units = [replace(unit, nearby=_nearby(framed, at)) for at, unit in enumerate(framed)]
    return _with_antecedents(units, text) + _whole_lists(framed, text)


def _with_antecedents(units: Sequence[Unit], text: str) -> list[Unit]:
    """The units, a sentence that refers back ("In this case …") with the one that it refers to."""
    whole = list(units[:1])
    for one, other in pairwise(units):
        are_sentences = one.kind is other.kind is UnitKind.SENTENCE and one.text[-1] in _STOPS
        is_near = other.end - one.start <= _LONGEST_PAIR
        if are_sentences and is_near and _REFERS_BACK.match(other.text):
            whole.append(replace(other, start=one.start, text=text[one.start : other.end]))
        else:
            whole.append(other)
    return whole


def _nearby(units: Sequence[Unit], at: int) -> str:
    if units[at].record is not None:  # what stands beside a row is about something else
        return ""
    return "\n".join(unit.text for unit in (*units[max(0, at - 1) : at], *units[at + 1 : at + 2]))


def _classified(text: str, spans: Iterable[tuple[int, int]]) -> list[Unit]:
    """The spans of the text without their list, heading and table marks."""
    units: list[Unit] = []
    for start, end in spans:
        raw = text[start:end]
        kind, body = UnitKind.SENTENCE, (0, len(raw))
        for candidate, pattern in _PATTERNS:
            if found := pattern.fullmatch(raw):
                kind, body = candidate, found.span("body")
                break
        units.append(Unit(0, start + body[0], start + body[1], raw[body[0] : body[1]], kind))
    return units


def _with_printed_rows(units: Sequence[Unit]) -> list[Unit]:
    """The units, of which rows of a table are so, and its columns and caption headings."""
    headers = row_headers([unit.text for unit in units])
    marked: list[Unit] = []
    for at, unit in enumerate(units):
        if at in headers:
            marked.append(replace(unit, kind=UnitKind.ROW, header=headers[at]))
        elif above := headers.get(at + 1) or (_CAPTION.match(unit.text) and headers.get(at + 2)):
            marked.append(replace(unit, kind=UnitKind.HEADING, header=above))
        else:
            marked.append(unit)
    return marked


def _labelled(units: Iterable[Unit], text: str, paths: Iterable[str]) -> Iterator[Unit]:
    """The units, each framed by the label of its line, who says it as a rule, or by its path.

    "Ada: Yes. I moved in May." is quoted by the sentence, and the second is as much Ada's.
    """
    label, end = "", 0
    for unit, path in zip(units, paths, strict=True):
        own = _LABEL.match(unit.text)
        if own or "\n" in text[end : unit.start]:
            label = ""
        yield replace(unit, frame=label or path)
        label = own["label"] if own else label
        end = unit.end


def _framed(units: Iterable[Unit], frame: str, *, is_printed: bool) -> list[Unit]:
    """The units with what they stand under; rules and table separators fall out."""
    framed: list[Unit] = []
    outer = frame.split("\n")
    heading = name = lead = asked = header = ""
    for unit in units:
        if unit.kind is not UnitKind.ROW or unit.header:
            header = unit.header
        elif _is_separator(unit) and framed and not header:
            header = framed[-1].text
            framed[-1] = replace(framed[-1], kind=UnitKind.HEADING)
        if _RULE.fullmatch(unit.text) or _LEADERS.search(unit.text):
            continue
        is_number = is_printed and unit.kind is not UnitKind.ROW and is_label(unit.text)
        if is_number:
            # "Definition 20" says nothing of what it numbers, "Satz 1.1 (Heine-Borel)" does.
            name, lead = unit.text if "(" in unit.text else "", ""
        elif unit.kind is UnitKind.HEADING and not unit.header:  # columns head their rows alone
            heading, name, lead = unit.text, "", ""
        elif unit.kind is UnitKind.SENTENCE:
            lead = ""
        over = dict.fromkeys(filter(None, (*outer, heading, name, lead, asked, header, unit.frame)))
        kind = UnitKind.HEADING if unit.text in over or is_number else unit.kind
        over.pop(unit.text, None)
        record = (
            None
            if kind is UnitKind.HEADING
            else record_of(unit.text, header, is_printed=is_printed)
        )
        framed.append(replace(unit, kind=kind, frame="\n".join(over), header=header, record=record))
        if kind is UnitKind.SENTENCE and unit.text.endswith((":", "：")):
            lead = unit.text
        asked = unit.text if unit.text.endswith(("?", "？")) else ""
    return framed


def _is_separator(row: Unit) -> bool:
    return "-" in row.text and _RULE.fullmatch(row.text) is not None


def _whole_lists(units: Sequence[Unit], text: str) -> list[Unit]:
    """One unit per short list, from the line that leads into it to its last item."""
    lists: list[Unit] = []
    first = 0
    while first < len(units):
        last = first
        while last < len(units) and units[last].kind is UnitKind.ITEM:
            last += 1
        if last - first > 1:
            leads = first > 0 and units[first - 1].text.endswith((":", "："))
            head, tail = units[first - leads], units[last - 1]
            if tail.end - head.start <= (_LONGEST_LIST if leads else _LONGEST_UNLED_LIST):
                quote = text[head.start : tail.end]
                lists.append(Unit(0, head.start, tail.end, quote, UnitKind.LIST, head.frame))
        first = last + 1
    return lists
