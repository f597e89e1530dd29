"""The text of a setting, read as what it means, and back; an `InvalidInput` where it cannot be.

The messages are put into a list of problems, so they start small and end without a full stop.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, cast
from urllib.parse import urlsplit

from dome_mcp.core.errors import InvalidInput

Backend = Literal["embedded", "cloudflare"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Companion = Literal["auto", "off"]
T = TypeVar("T")

NO_MODEL = "off"
"""As embedding model: none, search by keyword only."""

_USER = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
_BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A text that never shows itself; `value` gives it to the one place that needs it."""

    value: str

    def __repr__(self) -> str:
        return "***"


def folder(text: str) -> Path:
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise InvalidInput(f"{text!r} names a user without a home folder") from error
    if not path.is_absolute():
        raise InvalidInput(f"{text!r} is not a whole path; start it at the root or with ~")
    return path


def folders(text: str) -> tuple[Path, ...]:
    return tuple(folder(part.strip()) for part in text.split(os.pathsep) if part.strip())


def backend(text: str) -> Backend:
    return choice(text.lower(), ("embedded", "cloudflare"))


def log_level(text: str) -> LogLevel:
    return choice(text.upper(), ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))


def companion(text: str) -> Companion:
    return choice(text.lower(), ("auto", "off"))


def choice(text: str, choices: Sequence[T]) -> T:
    for each in choices:
        if each == text:
            return each
    raise InvalidInput(f"{text!r} is not one of {', '.join(map(str, choices))}")


def boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise InvalidInput(f"{text!r} is not true or false")
    return _BOOLEANS[text.lower()]


def matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    """The text itself, which the whole pattern matches; `what` is what it has to be."""

    def parse_text(text: str) -> str:
        if not pattern.fullmatch(text):
            raise InvalidInput(f"{text!r} is not {what}")
        return text

    return parse_text


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise InvalidInput(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def user(text: str) -> str:
    if not _USER.fullmatch(text):
        raise InvalidInput(f"{text!r} must be 1 to 64 letters, digits or any of . _ @ -")
    return text


def service_url(text: str) -> str:
    """An http or https URL without a slash at its end, and without a password in it."""
    parts = urlsplit(text)
    if parts.username or parts.password:
        raise InvalidInput("the URL holds a password; set DOME_LLM_API_KEY instead")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"{text!r} is not an http or https URL")
    return text.rstrip("/")


def public_url(text: str) -> str:
    """An https URL, or http on this machine, to which the path of a link can be added."""
    parts = urlsplit(text)
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if not parts.hostname or not is_plain or (parts.scheme != "https" and not is_here):
        raise InvalidInput(f"{text!r} is not an https URL such as https://dome.example.org")
    return text.rstrip("/")


def api_url(text: str) -> str:
    """The address of a DOME server without its `/api`; a token is sent there, so it is https."""
    return public_url(text).removesuffix("/api")


def shown(value: object) -> str:
    """The text of a value, from which it would be read again; a secret's is `***`."""
    if isinstance(value, frozenset):
        return " ".join(sorted(cast("frozenset[str]", value)))
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        separator = os.pathsep if any(isinstance(item, Path) for item in items) else " "
        return separator.join(map(str, items))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"  # Without ".0", which would not be read back.
    return "" if value is None else str(value)
