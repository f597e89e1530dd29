"""What the user typed, read: standard input, labels, filters."""

import argparse
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread

from dome_mcp.core.drafts import Labels, clean_context, clean_tags
from dome_mcp.core.errors import Forbidden, InvalidInput, NotFound
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.timestamps import parse_end, parse_instant

STANDARD_INPUT = "-"
_PIECE_BYTES = 1 << 18


async def read_text(name: str) -> str:
    """All of a UTF-8 text file, or of standard input for `-`.

    Raises:
        NotFound, Forbidden, InvalidInput: it cannot be opened, or is not UTF-8.
    """
    return decoded(b"".join([piece async for piece in _pieces(name)]))


async def line_batches(name: str) -> AsyncIterator[list[bytes]]:
    """The lines of a file, or of standard input for `-`, as many at a time as a read brings.

    Raises:
        NotFound, Forbidden, InvalidInput: it cannot be opened.
    """
    pending: list[bytes] = []
    async for piece in _pieces(name):
        head, newline, tail = piece.rpartition(b"\n")
        if newline:
            yield b"".join((*pending, head)).split(b"\n")
            pending = []
        pending.append(tail)
    if rest := b"".join(pending):
        yield [rest]


def decoded(data: bytes) -> str:
    """The text of UTF-8 bytes.

    Raises:
        InvalidInput: they are not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("The text is not UTF-8.", "Convert it, or ingest the file.") from error


async def _pieces(name: str) -> AsyncIterator[bytes]:
    """What each read brings, without a buffer, so that a read never waits for more to come."""
    with _opened(name) as file:
        while True:
            await _until_readable(file)
            piece = await anyio.to_thread.run_sync(file.read, _PIECE_BYTES)
            if not piece:
                return
            yield piece


async def _until_readable(file: RawIOBase | BinaryIO) -> None:
    """Waits for input where the user may have to type it.

    A thread that waits cannot be interrupted, and the interpreter would not end before it did.
    """
    if os.name == "nt":
        return  # It can wait for sockets only; its console ends a read at Ctrl-C.
    try:
        await anyio.wait_readable(file)
    except (OSError, ValueError):
        return  # A plain file, which never makes anybody wait.


@contextmanager
def _opened(name: str) -> Iterator[RawIOBase | BinaryIO]:
    if name == STANDARD_INPUT:
        yield getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
        return
    try:
        file = open(name, "rb", buffering=0)  # noqa: SIM115  closed below; only opening is tried
    except FileNotFoundError as error:
        raise NotFound("file", name) from error
    except PermissionError as error:
        raise Forbidden(f"{name!r} is not readable.", "Check its permissions.") from error
    except OSError as error:
        raise InvalidInput(f"{name!r} cannot be read: {error.strerror}.") from error
    with file:
        yield file


def whole_path(name: str) -> Path:
    """The path from the root on, `~` and the working folder filled in."""
    return Path(os.path.abspath(os.path.expanduser(name)))


def labels_of(arguments: argparse.Namespace) -> Labels:
    """The labels that `--title`, `--tag` and `--context` give."""
    return Labels(
        title=getattr(arguments, "title", None),
        tags=tuple(arguments.tags or ()),
        context=arguments.context,
    )


def filter_of(arguments: argparse.Namespace, zone: ZoneInfo) -> NoteFilter:
    """The filter that `--tag`, `--context`, `--note`, `--since` and `--until` give.

    Raises:
        InvalidInput: a date is none, or a label is too long.
    """
    since, until = arguments.since, arguments.until
    return NoteFilter(
        tags=clean_tags(tuple(arguments.tags or ())),
        context=clean_context(arguments.context) or None,
        note_ids=tuple(arguments.note_ids or ()),
        since=parse_instant(since, zone, name="--since") if since else None,
        until=parse_end(until, zone, name="--until") if until else None,
    )
