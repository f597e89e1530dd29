"""Sortable identifiers: the time in front, a digest of what is named behind.

An id is a function of its inputs, so a write that is repeated names the same row.
The form is a ULID's: 26 characters of Crockford base 32, 48 bits of milliseconds, 80 bits of
digest. Source: https://github.com/ulid/spec (2026-11).
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime

from dome_mcp.core.timestamps import to_ms

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def content_hash(data: bytes | str) -> str:
    """The SHA-256 of bytes, or of text as UTF-8, in hexadecimal (64 characters)."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return hashlib.sha256(raw).hexdigest()


def sortable_id(now: datetime, *parts: str) -> str:
    """A 26-character id that sorts by `now` and is the same for the same `parts`."""
    digest = hashlib.sha256("\x00".join((str(to_ms(now)), *parts)).encode("utf-8", "surrogatepass"))
    number = (to_ms(now) << 80) | int.from_bytes(digest.digest()[:10], "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def chunk_ids(note_id: str, hashes: Iterable[str]) -> list[str]:
    """One id per chunk, from its note and its content hash, so that unchanged text keeps its id.

    Equal chunks of one note are told apart by their turn: `….2`, `….3`.
    """
    seen: dict[str, int] = {}
    ids: list[str] = []
    for digest in hashes:
        turn = seen[digest] = seen.get(digest, 0) + 1
        stem = f"{note_id}.{digest[:12]}"
        ids.append(stem if turn == 1 else f"{stem}.{turn}")
    return ids


def blob_key(user_id: str, note_id: str, *, digest: str, suffix: str) -> str:
    """Where a note keeps bytes with this SHA-256; `suffix` such as `.pdf` is kept where it is safe.

    The digest makes the blob verifiable; the note id makes it the note's own, so that deleting one
    note can never take another's bytes away, whatever runs at the same time.
    """
    extension = suffix.lower() if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", suffix) else ""
    return f"{note_prefix(user_id, note_id)}{digest}{extension}"


def note_prefix(user_id: str, note_id: str) -> str:
    """What the keys of all of a note's blobs start with."""
    return f"{user_prefix(user_id)}{note_id}/"


def user_prefix(user_id: str) -> str:
    """What the keys of all of a user's blobs start with."""
    return f"{content_hash(user_id)[:16]}/"
