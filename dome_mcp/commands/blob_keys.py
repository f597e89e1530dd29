"""How DOME's own files are told from what others keep in the same bucket."""

import re

_BLOB_KEY = re.compile(r"[0-9a-f]{16}/[0-9A-Z]{26}/[0-9a-f]{64}(\.[A-Za-z0-9]{1,10})?")


def is_ours(key: str) -> bool:
    """Whether a key has the form that `core.identifiers.blob_key` gives; no other is removed."""
    return _BLOB_KEY.fullmatch(key) is not None
