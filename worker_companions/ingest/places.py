"""Where the files of ingest jobs are in the bucket, how large they may be, and whose they are.

This runs inside Workers and out of them, so it imports the standard library alone.
"""

import re

from dome_mcp.backends.cloudflare.markdown_shapes import MAX_BYTES
from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.core.jobs import JobKind
from dome_mcp.core.uploads import ReceivedFile

KIND: JobKind = "bucket_ingest"
"""The jobs whose file, if they have one, waits in the bucket."""

_IN_INBOX = re.compile(r"inbox/(?!\.{1,2}/)([A-Za-z0-9._-]{1,64})/(.*[^/])", re.DOTALL)


def require_size(size_bytes: int) -> None:
    """Does nothing where a file of this size is taken in.

    Raises:
        UnreadableDocument: `too_large`.
    """
    if size_bytes > MAX_BYTES:
        raise UnreadableDocument(
            "too_large",
            f"The file has {size_bytes:,} bytes; at most {MAX_BYTES:,} are taken in here.",
            "Split it, or ingest it on a computer that runs DOME.",
        )


def waiting_key(file: ReceivedFile) -> str:
    """Where a job's file waits until the job is over."""
    return f"incoming/{file.name}"


def inbox_of(key: str) -> str | None:
    """Whose inbox a key is in, `inbox/{user_id}/…`; None for one that is in nobody's."""
    found = _IN_INBOX.fullmatch(key)
    return found[1] if found else None
