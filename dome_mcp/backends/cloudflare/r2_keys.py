"""The keys of blobs as R2 takes them: over its S3 API and by a binding alike.

Source: https://developers.cloudflare.com/r2/platform/limits/ (2026-11).
"""

import re

from dome_mcp.core.errors import BackendRejected

BACKEND = "r2"
MAX_KEY_BYTES = 1024

_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,255}")


def is_key(key: str) -> bool:
    """Whether this is a key of a blob store, and not too long for R2."""
    return len(key) <= MAX_KEY_BYTES and all(map(_SEGMENT.fullmatch, key.split("/")))


def require_key(key: str, operation: str) -> None:
    """Returns for a key.

    Raises:
        BackendRejected: it is none.
    """
    if not is_key(key):
        raise BackendRejected(BACKEND, operation, "This is not a key of the blob store.")
