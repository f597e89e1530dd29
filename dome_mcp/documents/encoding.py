"""Bytes to text: which encoding they are in, and whether they are text at all."""

import codecs
import re

from charset_normalizer import from_bytes

from dome_mcp.core.errors import UnreadableDocument

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Restricting the guess to what files are really written in makes short ones come out right.
_CANDIDATES = [
    *("cp1252", "cp932", "euc_jp", "gb18030", "big5", "cp949", "cp1251", "koi8_r", "cp1250"),
    *("cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "tis_620", "iso2022_jp"),
]
# The code pages for Latin letters share most of their bytes, and a guess among them is a toss-up.
# Text whose bytes are all letters and quotation marks of Western Europe is Western.
_LATIN = ("cp1250", "cp1252", "cp1254", "cp1257", "cp1258")
_WESTERN = re.compile(
    rb"[\x00-\x7f\x80\x82\x84\x85\x8c\x91-\x97\x9c\xa0\xa3\xa7\xa9\xab\xae\xb0\xb4\xb7\xbb"
    rb"\xc0-\xd6\xd8-\xf6\xf8-\xff]*"
)
# Whoever declares one of these means the larger encoding that Windows writes under its name.
# Source: https://encoding.spec.whatwg.org/#names-and-labels
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}
_SAMPLE_BYTES = 65_536
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MAX_CONTROL_SHARE = 0.02


def decode(data: bytes, *, filename: str, charset: str | None = None) -> str:
    """The text of the bytes: by byte order mark, UTF-8, the declared encoding, or a guess.

    Raises:
        UnreadableDocument: `binary`, the bytes are not text in any encoding known here.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(name, errors="replace")
    text = _decoded(data, "utf-8")
    if text is None and charset:
        text = _decoded(data, _meant(charset))
    if text is None or "\x00" in text[:_SAMPLE_BYTES]:
        text = _decoded(data, _guess(data) or "")
    if text is None or _has_controls(text):
        raise UnreadableDocument(
            "binary",
            f"{filename!r} holds binary data, not text.",
            "Send text, Markdown, HTML, PDF, DOCX, PPTX, XLSX, EPUB, CSV, JSON or e-mail (.eml).",
        )
    return text


def _decoded(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeError, LookupError):
        return None


def _meant(charset: str) -> str:
    """The encoding to read where this one was declared."""
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        return charset
    return _MEANT.get(name, name)


def _guess(data: bytes) -> str | None:
    sample = data[:_SAMPLE_BYTES]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) > len(sample) / 8:
        # Latin text in UTF-16 has a zero in every other byte.
        return "utf-16-le" if odd > even else "utf-16-be"
    best = from_bytes(sample, cp_isolation=_CANDIDATES).best()
    if best and best.encoding in _LATIN and _WESTERN.fullmatch(sample):
        return "cp1252"
    return best.encoding if best else None


def _has_controls(text: str) -> bool:
    sample = text[:_SAMPLE_BYTES]
    return "\x00" in sample or len(_CONTROLS.findall(sample)) > len(sample) * _MAX_CONTROL_SHARE
