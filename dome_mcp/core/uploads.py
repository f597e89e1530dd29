"""Files on their way in: what they are called, where they lie, and who may send one.

A signed URL lets whoever holds it send one file, and nothing else: its signature is an
HMAC-SHA256 over the upload, its user, the size limit and the time it holds until.
"""

import hmac
import json
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Literal

from dome_mcp.core.errors import Forbidden, UnreadableDocument
from dome_mcp.core.timestamps import to_ms

UploadState = Literal["open", "complete", "consumed"]
"""`open`: no file yet; `complete`: it is here; `consumed`: a job has it."""

URL_LIFETIME = timedelta(hours=1)
COMPLETE_LIFETIME = timedelta(days=1)
"""How long a file that is here waits for somebody to ingest it."""

MAX_FILENAME = 255
NAMELESS = "upload"

_VERSION = 1
_DIGEST_IN_NAME = 16
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"
"""Invisible, but part of how some scripts are spelt."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody announced; `sha256` is None until it is here.

    `size_bytes` is the size it must have, None for any up to `max_bytes`.
    """

    upload_id: str
    user_id: str
    filename: str
    content_type: str | None
    size_bytes: int | None
    max_bytes: int
    state: UploadState
    created_at: datetime
    expires_at: datetime
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that is whole and on disk."""

    upload_id: str
    sha256: str
    size_bytes: int
    filename: str
    content_type: str | None

    @property
    def name(self) -> str:
        """What the file is called where it waits.

        The digest is part of it, so that no other bytes ever take the place of those a row names.
        """
        return f"{self.upload_id}-{self.sha256[:_DIGEST_IN_NAME]}"


def upload_of(name: str) -> str:
    """The id of the upload that a waiting file belongs to."""
    return name.partition("-")[0]


def clean_filename(name: str) -> str:
    """The last part of a client's path, without what cannot be seen, at most MAX_FILENAME long."""
    last = name.replace("\\", "/").rpartition("/")[2]
    seen = "".join(c for c in last if c in _JOINERS or unicodedata.category(c) not in _INVISIBLE)
    seen = unicodedata.normalize("NFC", seen).strip()
    if not seen.strip("."):
        return NAMELESS
    suffix = PurePosixPath(seen).suffix[:MAX_FILENAME]
    return seen if len(seen) <= MAX_FILENAME else seen[: MAX_FILENAME - len(suffix)] + suffix


def sign_upload(secret: bytes, upload: Upload, *, expires_at: datetime) -> str:
    """The signature that lets its bearer send the upload's file until then, in hexadecimal."""
    content = [_VERSION, upload.upload_id, upload.user_id, upload.max_bytes, to_ms(expires_at)]
    return hmac.digest(secret, json.dumps(content).encode(), "sha256").hex()


def require_signature(
    secret: bytes, upload: Upload, signature: str, *, expires_at: datetime, now: datetime
) -> None:
    """Does nothing where the signature is genuine and still holds.

    Raises:
        Forbidden: it is not, or no longer.
    """
    genuine = sign_upload(secret, upload, expires_at=expires_at)
    # As bytes, because a text that is not ASCII cannot be compared in constant time.
    if not hmac.compare_digest(genuine.encode(), signature.encode("utf-8", "surrogatepass")):
        raise unsigned()
    if now >= expires_at:
        raise Forbidden("This address for an upload has expired.", "POST /api/uploads gives one.")


def unsigned() -> Forbidden:
    """The one refusal of an unknown upload and of a wrong signature."""
    return Forbidden(
        "This is not the address of an upload, whole and unchanged.",
        "Send the file to the url that POST /api/uploads gave, exactly as it is.",
    )


def too_large(max_bytes: int) -> UnreadableDocument:
    """The error for a file over the limit."""
    return UnreadableDocument(
        "too_large",
        f"The file is larger than the limit of {max_bytes / 1e6:,.1f} MB ({max_bytes:,} bytes).",
        "Split it, or raise DOME_MAX_DOCUMENT_MB.",
    )
