"""One-tap links: a signed token that says which action on which firing, and until when.

A token is `payload.signature`, both base64url without padding: the payload is a JSON list, the
signature its HMAC-SHA256. Whoever holds a token may do that one thing; nobody can make another.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from dome_mcp.core.errors import Forbidden
from dome_mcp.core.timestamps import from_ms, to_ms

LinkVerb = Literal["done", "snooze"]

_VERSION = 1
_MAX_CHARACTERS = 1024
_ASK = "Tell your assistant instead what is to happen with the reminder."


@dataclass(frozen=True, slots=True)
class LinkAction:
    """What a genuine token asks for: `action` on the firing of a reminder at `due_at_ms`."""

    action: LinkVerb
    user_id: str
    reminder_id: str
    due_at_ms: int
    expires_at: datetime

    @property
    def link_id(self) -> str:
        """The same for each link to this action on this firing, whichever channel it came by."""
        parts = (self.action, self.user_id, self.reminder_id, str(self.due_at_ms))
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def sign(
    secret: bytes,
    action: LinkVerb,
    *,
    user_id: str,
    reminder_id: str,
    due_at_ms: int,
    expires_at: datetime,
) -> str:
    """The token for one action on one firing, safe in the path of a URL."""
    content = [_VERSION, action, user_id, reminder_id, due_at_ms, to_ms(expires_at)]
    payload = _encode(json.dumps(content, separators=(",", ":")).encode())
    return f"{payload}.{_encode(_signature(secret, payload))}"


def verify(secret: bytes, token: str, *, now: datetime) -> LinkAction:
    """What the token asks for.

    Raises:
        Forbidden: it was not signed with this secret, or it has expired.
    """
    payload, _, signature = token.partition(".")
    if len(token) > _MAX_CHARACTERS or not _is_signed(secret, payload, signature):
        raise Forbidden("This link is not a whole and genuine one.", _ASK)
    _, action, user_id, reminder_id, due_at_ms, expires_at_ms = json.loads(_decode(payload))
    expires_at = from_ms(expires_at_ms)
    if now >= expires_at:
        raise Forbidden("This link has expired.", _ASK)
    return LinkAction(cast(LinkVerb, action), user_id, reminder_id, due_at_ms, expires_at)


def _is_signed(secret: bytes, payload: str, signature: str) -> bool:
    try:
        given = _decode(signature)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, _signature(secret, payload))


def _signature(secret: bytes, payload: str) -> bytes:
    return hmac.digest(secret, payload.encode("utf-8", "surrogatepass"), "sha256")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
