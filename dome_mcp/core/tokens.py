"""Bearer tokens: their text, and what of it is stored.

A token is `dome_` + id + `_` + secret. The id (13 characters of base 32) finds its row;
the secret (43 characters of base64url, 256 bits) is never stored, only its SHA-256. A slow hash
would add nothing: nobody guesses 256 bits, and each request pays for it.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime

from dome_mcp.core.access import Scope

ID_BYTES = 8
SECRET_BYTES = 32

_PREFIX = "dome"
_TOKEN = re.compile(rf"{_PREFIX}_([a-z2-7]{{13}})_([A-Za-z0-9_-]{{43}})")


@dataclass(frozen=True, slots=True)
class Token:
    """What is stored of a token; `last_used_at` is exact to a minute or so."""

    token_id: str
    user_id: str
    name: str
    scopes: frozenset[Scope]
    secret_hash: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether the token may still be used."""
        is_expired = self.expires_at is not None and now >= self.expires_at
        return self.revoked_at is None and not is_expired


def token_text(id_bytes: bytes, secret_bytes: bytes) -> str:
    """The text of a token, from ID_BYTES and SECRET_BYTES of randomness."""
    token_id = base64.b32encode(id_bytes).decode().rstrip("=").lower()
    secret = base64.urlsafe_b64encode(secret_bytes).decode().rstrip("=")
    return f"{_PREFIX}_{token_id}_{secret}"


def parse_token(text: str) -> tuple[str, str] | None:
    """The id and the secret in a token's text; None where it is no token of ours."""
    found = _TOKEN.fullmatch(text)
    return (found[1], found[2]) if found else None


def hash_secret(secret: str) -> str:
    """What is stored of a secret: its SHA-256, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(secret: str, secret_hash: str) -> bool:
    """Whether the secret is the one that was hashed; takes the same time for every wrong one."""
    return hmac.compare_digest(hash_secret(secret), secret_hash)
