"""Signs of measure read in words: the columns of a table say "km2", a question "square kilometres".

English and German, both spellings.
"""

import re
from itertools import chain

from dome_mcp.core.terms import fold, stem

_WORDS = {
    "km2 sqkm": "square kilometres kilometers Quadratkilometer",
    "m2 sqm qm": "square metres meters Quadratmeter",
    "m3 cbm": "cubic metres meters Kubikmeter",
    "km": "kilometres kilometers",
    "m": "metres meters",
    "cm": "centimetres centimeters Zentimeter",
    "mm": "millimetres millimeters",
    "ha": "hectares Hektar",
    "ft": "feet",
    "kg": "kilos kilograms Kilogramm",
    "g": "grams Gramm",
    "mg": "milligrams Milligramm",
    "t": "tonnes tons Tonnen",
    "l": "litres liters",
    "ml": "millilitres milliliters",
    "kwh": "kilowatt hours Kilowattstunden",
    "kw": "kilowatts",
    "w": "watts",
    "gb": "gigabytes",
    "mb": "megabytes",
    "h hrs": "hours Stunden",
    "min": "minutes Minuten",
    "s sec": "seconds Sekunden",
    "°c": "degrees Grad Celsius",
    "% pct": "percent per cent Prozent",
    "€ eur": "euros",
    "$ usd": "dollars",
    "£ gbp": "pounds Pfund",
    "chf": "francs Franken",
}
_STEMS = {
    sign: frozenset(map(stem, words.split()))
    for signs, words in _WORDS.items()
    for sign in signs.split()
}
MEASURES = frozenset(chain.from_iterable(_STEMS.values()))
"""The stems of all words of measure."""

_LETTERS = "|".join(sorted((sign for sign in _STEMS if sign.isalnum()), key=len, reverse=True))
_SIGN = re.compile(
    # A letter or two may be anything, but not behind a figure, in brackets, or ending a cell.
    rf"(?:(?<=\d)[\s-]?|\()(?P<beside>{_LETTERS})(?![^\W_])"
    r"|\b(?P<alone>km2|m2|m3|km|cm|mm|kg|kwh|eur|usd|gbp|chf)\b"
    r"|(?P<mark>[€$£%]|°c)"
)


def measure_stems(text: str) -> frozenset[str]:
    """The stems of the words for each sign of measure in the text."""
    signs = (found[found.lastgroup or 0] for found in _SIGN.finditer(fold(text)))
    return frozenset(chain.from_iterable(_STEMS[sign] for sign in signs))
