"""What is indexed of a text, and the full-text query that any user's words become.

Rules. The tokenizer (FTS5's unicode61 under porter) lower-cases, strips Latin accents and stems
English; what it leaves undone is done here, the same way for notes and for queries:
- scripts without spaces become one token a character, so that an FTS5 phrase finds any substring;
- compatibility forms, sharp s, vowel points and the like are folded away;
- every term of a query is quoted, so that no character of it is FTS5 syntax.
Terms are alternatives (OR): BM25 puts notes with more and rarer ones first.
"""

import re
import unicodedata
from collections.abc import Iterator

from dome_mcp.core.stopwords import STOP_WORDS

MAX_TERMS = 64
"""The longest real questions have about 60 different words; more is a pasted text."""

CONTEXT_WORDS = 60
"""How many words of context a chunk takes, and how many of its own it may have to take any.

In dialogues this took nDCG@10 by meaning from 0.33 to 0.41 and hybrid from 0.51 to 0.56 (100 words
to 0.54); context that has nothing to do with the note cost hybrid 0.008 at most.
"""

_MAX_CHARACTERS = 10_000
_MAX_PHRASE_WORDS = 8

_HIRAGANA = "\u3041-\u309f"
_KATAKANA = "\u30a0-\u30ff\u31f0-\u31ff"
_HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
_SOUTH_EAST_ASIAN = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f"
_UNSPACED = f"{_HIRAGANA}{_KATAKANA}{_HAN}{_HANGUL}{_SOUTH_EAST_ASIAN}"

_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
_SCRIPT_RUN = re.compile(
    f"(?P<particle>[{_HIRAGANA}]+)|(?P<pairs>[{_KATAKANA}]+|[{_HAN}]+|[{_HANGUL}]+)"
    f"|(?P<fours>[{_SOUTH_EAST_ASIAN}]+)|(?P<word>[^{_UNSPACED}]+)"
)
# Accents, Hebrew points, Arabic vowel signs and stretching, the hyphen that is only a hint, and
# what selects the picture of an emoji. Marks of Indian scripts are vowels and stay.
_UNWRITTEN = re.compile(
    "[\u00ad\u0300-\u036f\u0591-\u05bd\u05bf\u05c1-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06ed\u200b-\u200d\u20d0-\u20ff\ufe00-\ufe0f]"
)
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_LETTER_NAME = re.compile(r"(?<![^\W_])([A-Za-z])(\+\+|#)(?!\w)")
_SYMBOL_WORDS = {"++": "plusplus", "#": "sharp"}

_QUOTED = re.compile('"([^"]+)"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»|「([^」]+)」')
_IDENTIFIER = re.compile(r"\w[_@]\w|\d\.\d+\.\d")
_CONTRACTION = re.compile(r"(?<=\w)['’](?:s|t|d|m|re|ve|ll)\b", re.IGNORECASE)


def indexed_text(text: str) -> str:
    """What the full-text index holds of a text; plain English comes back as it is.

    `C++` and `C#` also get a word of their own, because the tokenizer sees only the letter.
    """
    named = _LETTER_NAME.sub(_with_symbol_word, text)
    if named.isascii():
        return named
    decomposed = unicodedata.normalize("NFKD", named.casefold())
    folded = _UNWRITTEN.sub("", decomposed).translate(_PLAIN_LETTERS)
    return _UNSPACED_CHARACTER.sub(r" \g<0> ", unicodedata.normalize("NFC", folded))


def embedding_text(
    title: str,
    heading: str | None,
    text: str,
    *,
    before: str = "",
) -> str:
    """What is embedded for a chunk: its title and heading in front, unless the text has them.

    `before` is what was noted just before a short note (a message, a line of a diary), which
    often holds what the note speaks of: its last words follow the text of a short chunk, where a
    model that reads only so far loses them first. The date is left out; it made questions about
    dates no easier and others harder.
    """
    lead = [part for part in (title, heading) if part and not _opens_with(text, part)]
    context = before.split()[-CONTEXT_WORDS:] if takes_context(text) else []
    return "\n".join([*dict.fromkeys(lead), text, *filter(None, [" ".join(context)])])


def takes_context(text: str) -> bool:
    """Whether a chunk is so short that what was noted before it helps to find it."""
    return len(text.split()) <= CONTEXT_WORDS


def match_terms(query: str) -> list[str]:
    """The terms of a query as FTS5 strings, to be OR-ed; at most `MAX_TERMS`.

    A stop word is dropped while there are other terms; a word that the query repeats counts as
    often. What stands in quotation marks, or is written in one piece like `foo_bar-1.2`, is
    looked for as a phrase and as words.
    """
    text = _normal(query)
    words = list(_words(text))
    has_lower_case = any(word.islower() for word in words)
    telling = [word for word in words if not _is_stop_word(word, among_lower_case=has_lower_case)]
    single = [_searchable(word) for word in telling or words]
    phrases = dict.fromkeys(map(_searchable, _phrases(text)))
    terms = [*(phrase for phrase in phrases if phrase not in single), *single]
    return [f'"{term}"' for term in terms[:MAX_TERMS]]


def asks_for_words(query: str) -> bool:
    """Whether the query wants these very words: something quoted, an identifier, an address."""
    text = _normal(query)
    return bool(_QUOTED.search(text) or _IDENTIFIER.search(text))


def _normal(query: str) -> str:
    text = _UNWRITTEN.sub("", unicodedata.normalize("NFKC", query[:_MAX_CHARACTERS]))
    return _CONTRACTION.sub(" ", text)


def _phrases(text: str) -> Iterator[str]:
    """Several words that belong together: quoted, or written in one piece."""
    for match in _QUOTED.finditer(text):
        yield from _phrase(match[0])
    for piece in text.split():
        yield from _phrase(piece)


def _phrase(text: str) -> Iterator[str]:
    parts = _parts(indexed_text(text))
    if 1 < len(parts) <= _MAX_PHRASE_WORDS:
        yield " ".join(parts)


def _words(text: str) -> Iterator[str]:
    """The single terms of a query: words, and short runs of scripts without spaces."""
    for piece in _LETTER_NAME.sub(_with_symbol_word, text).split():
        parts = _parts(piece)
        for part in parts:
            # The O of O'Brien and the R of R&D would find every list that is numbered in letters.
            if len(parts) == 1 or len(part) > 1 or not part.isascii():
                yield from _terms_of_word(part)


def _terms_of_word(word: str) -> Iterator[str]:
    runs = list(_SCRIPT_RUN.finditer(word))
    for run in runs:
        kind = run.lastgroup
        if kind == "word":
            yield run[0]
        elif kind == "particle" and len(runs) > 1:
            continue  # hiragana beside kanji: endings and particles
        else:
            yield from _windows(run[0], 4 if kind == "fours" else 2)


def _windows(run: str, width: int) -> Iterator[str]:
    """Every stretch of `width` characters: a word is found though its limits are not known."""
    for at in range(max(1, len(run) - width + 1)):
        yield run[at : at + width]


def _parts(text: str) -> list[str]:
    """The stretches of letters, digits and marks, as the tokenizer sees them."""
    return "".join(char if _is_token(char) else " " for char in text).split()


def _searchable(term: str) -> str:
    """The term as the index has it."""
    return " ".join(indexed_text(term).lower().split())


def _is_token(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"


def _is_stop_word(word: str, *, among_lower_case: bool) -> bool:
    """US, IT and WHO are names where the rest of the query is not in capitals."""
    is_name = among_lower_case and len(word) > 1 and word.isupper()
    return not is_name and word.casefold() in STOP_WORDS


def _with_symbol_word(match: re.Match[str]) -> str:
    return f"{match[0]} {match[1]}{_SYMBOL_WORDS[match[2]]}"


def _opens_with(text: str, title: str) -> bool:
    """Whether the text begins with the title: one made from the text says nothing new."""
    start = _bare(title.rstrip("… "))
    return _bare(text[: 2 * len(title) + 20]).startswith(start)


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
