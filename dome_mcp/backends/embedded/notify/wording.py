"""A notice as text, and its length fitted to what a channel takes."""

import hashlib
import re
from collections.abc import Callable

from dome_mcp.core.agenda import Notice

# A lone surrogate has no UTF-8, and a control character has no place in a header or on a screen.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def headline(notice: Notice, limit: int) -> str:
    """The reminder's text on one line, at most `limit` characters."""
    return cut(" ".join(plain(notice.text).split()), limit)


def details(notice: Notice, *, after: str) -> str:
    """What follows the headline `after`: the text where it was cut, then when, how late, why.

    The full text comes last, because where this is cut again, the headline has its beginning.
    """
    text = plain(notice.text).strip()
    whole = text if " ".join(text.split()) != after else ""
    parts = (plain(part).strip() for part in (notice.when, notice.late, notice.snippet, whole))
    return "\n".join(part for part in parts if part)


def plain(text: str) -> str:
    """The text without what cannot be sent or shown."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n"))


def cut(text: str, limit: int) -> str:
    """The text, or its beginning up to a whole word and an ellipsis, at most `limit` characters."""
    if len(text) <= limit:
        return text
    kept = text[: max(limit - 1, 0)]
    space = max(kept.rfind(" "), kept.rfind("\n"))
    return f"{(kept[:space] if space > limit // 2 else kept).rstrip()}…"


def fitted(text: str, limit: int, *, size: Callable[[str], int]) -> str:
    """The longest beginning of the text whose `size` is at most `limit`, cut as `cut` does it."""
    if size(text) <= limit:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(cut(text, middle)) <= limit else (low, middle - 1)
    return cut(text, low) if low else ""


def utf8_bytes(text: str) -> int:
    return len(text.encode())


def key_digest(idempotency_key: str) -> str:
    """The key in 32 hexadecimal digits, for places that allow few characters."""
    return hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]
