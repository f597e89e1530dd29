"""Where sentences begin and end, by rules that know no language but many scripts.

A sentence ends at

- a full stop, question or exclamation mark before a space, unless the text goes on in
  lower case or the full stop belongs to an abbreviation, an initial, an item or a date;
- a full stop of a script that writes no spaces (。！？) or has its own (। ؟ ۔);
- a blank line, or a line break that was meant: before a list item, heading, table row, quotation
  or `Label: …`, after a heading or table row, or after a line too short to have been wrapped.
"""

import re

_STOPS = ".!?…؟۔।"
_CLOSERS = "\"'”’»)\\]*_"
# Runs are matched whole (possessive, and only from their first character): a long row of dots
# that ends no sentence must not be tried again from every dot.
_BOUNDARY = re.compile(
    rf"(?<![{_STOPS}])(?P<stop>[{_STOPS}]++)[{_CLOSERS}]*+(?=\s)"
    r"|(?P<wide>[。！？｡]+)[」』”’）】]*"
    r"|(?P<blank>\n[^\S\n]*\n)"
    r"|(?P<line>\n)"
)
_NEVER_LAST = re.compile(
    r"mrs?|ms|dr|prof|st|rev|gen|col|sgt|capt|lt|hon|messrs|mme|mlle|vs|e\.?g|i\.?e|cf|approx|ca"
    r"|est|dept|z\.b|d\.h|u\.a|bzw|vgl|hr|fr|dipl|ing|inkl|zzgl|ggf|evtl|sog|p\.ex"
)
_BEFORE_NUMBERS = re.compile(
    r"nos?|vols?|figs?|eqs?|sec|ch|pp?|art|nr|abb|bd|núm|pág|tel"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
)
_MONTH = re.compile(
    r"\s+(?:Jan(?:uar)?|Feb(?:ruar)?|März|Apr(?:il)?|Mai|Juni?|Juli?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Okt(?:ober)?|Nov(?:ember)?|Dez(?:ember)?)\b"
)
_WORD_BEFORE = 24
_LAST_WORD = re.compile(r"[^\s(\[{\"'“‘«/—–]*\Z")
_ITEM_NUMBER = re.compile(r"\n[^\S\n]*(?:\d{1,3}|[A-Za-z])\Z")
_NEXT_CHARACTER = re.compile(r"[\s\"'“‘«(\[*_]*(\S?)")
_LINE_START = re.compile(
    r"[^\S\n]*(?:[-*+•‣◦–—]\s|#{1,6}\s|>|\||```|~~~|\d{1,3}[.)]\s|\[[ xX]\]"
    r"|[^\W\d_][\w .'/-]{0,30}:\s)"
)
_WHOLE_LINE = re.compile(r"[^\S\n]*(?:#{1,6}\s|\||```|~~~)")
_FIRST_WORD = re.compile(r"[^\S\n]*(\S*)")
_WRAP_WIDTH = 50
"""No writer or PDF wraps lines shorter than this, so such a break was meant."""


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """The sentences as `(start, end)`, in order, without surrounding whitespace.

    They do not overlap and hold every character that is not whitespace. A list item, a heading,
    a table row and a line of its own count as sentences.
    """
    spans: list[tuple[int, int]] = []
    start = line_start = 0
    for match in _BOUNDARY.finditer(text):
        end = match.end()
        if _ends_sentence(text, match, line_start):
            _append_stripped(spans, text, start, end)
            start = end
        if text[end - 1] == "\n":
            line_start = end
    _append_stripped(spans, text, start, len(text))
    return spans


def _ends_sentence(text: str, match: re.Match[str], line_start: int) -> bool:
    if match["line"] is not None:
        return _is_meant_break(text, line_start, match.start())
    if match["stop"] is not None:
        return _is_full_stop(text, match)
    return True


def _is_full_stop(text: str, match: re.Match[str]) -> bool:
    following = _NEXT_CHARACTER.match(text, match.end())
    character = following[1] if following else ""
    if character.islower():
        return False
    if match["stop"] != ".":
        return True
    # A line break in front of the text lets its first line be an item, as any other line.
    before = (
        "\n" + text[: match.start()]
        if match.start() < _WORD_BEFORE
        else text[match.start() - _WORD_BEFORE : match.start()]
    )
    if _ITEM_NUMBER.search(before):
        return False
    found = _LAST_WORD.search(before)
    word = found[0].casefold() if found else ""
    if word.isdecimal() and len(word) <= 2:
        return not _MONTH.match(text, match.end())
    if _BEFORE_NUMBERS.fullmatch(word):
        return not character.isdecimal()
    is_initial = len(word) == 1 and word.isalpha()
    return not is_initial and not _NEVER_LAST.fullmatch(word)


def _is_meant_break(text: str, line_start: int, newline: int) -> bool:
    if _LINE_START.match(text, newline + 1) or _WHOLE_LINE.match(text, line_start):
        return True
    following = _FIRST_WORD.match(text, newline + 1, newline + 1 + _WRAP_WIDTH)
    word = following[1] if following else ""
    return newline - line_start + len(word) < _WRAP_WIDTH and not word[:1].islower()


def _append_stripped(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    lead = len(piece) - len(piece.lstrip())
    length = len(piece.strip())
    if length:
        spans.append((start + lead, start + lead + length))
