"""A push service as browsers' makers run it: it checks who sends, and plays the browser as well.

Checked as RFC 8030, 8188, 8291 and 8292 demand: TTL, Urgency, Topic, size, encoding, the sender's
signature, audience, expiry and contact, and that the key is the one the browser subscribed with.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import http_ece
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.simulators.webhook_sink import Answer, Posted, WebhookSink, running_webhook_sink

_MAX_BYTES = 4096
_TAKEN = Answer(201, b"")


@dataclass
class PushService:
    """`pushes` is what the browser got, decrypted; `refused` says why a request was not taken."""

    sink: WebhookSink
    now: datetime
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = bytes(range(16))
    application_key: str | None = None
    """The sender's key that the browser subscribed with; None takes any."""
    answer: Answer = _TAKEN
    pushes: list[dict[str, Any]] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def subscription(self) -> str:
        """What PushManager.subscribe() would give a page."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return json.dumps(
            {
                "endpoint": self.sink.url("/push/s3cret"),
                "expirationTime": None,
                "keys": {"p256dh": _encode(point), "auth": _encode(self.auth)},
            }
        )

    def respond(self, posted: Posted) -> Answer:
        if self.answer != _TAKEN:
            return self.answer
        if reason := self._objection(posted):
            self.refused.append(reason)
            return Answer(400, reason.encode())
        content = http_ece.decrypt(
            posted.body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"
        )
        self.topics.append(posted.headers["Topic"])
        self.pushes.append(json.loads(content))
        return _TAKEN

    def _objection(self, posted: Posted) -> str | None:
        headers = posted.headers
        if not re.fullmatch(r"\d+", headers.get("TTL", "")):
            return "no TTL"
        if headers.get("Urgency") not in ("very-low", "low", "normal", "high"):
            return "no urgency"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", headers.get("Topic", "x")):
            return "a topic that is none"
        if headers.get("Content-Encoding") != "aes128gcm" or len(posted.body) > _MAX_BYTES:
            return "wrong encoding, or too large"
        return self._objection_to_sender(headers.get("Authorization", ""))

    def _objection_to_sender(self, authorization: str) -> str | None:
        found = re.fullmatch(r"vapid t=([\w-]+\.[\w-]+)\.([\w-]+),\s?k=([\w-]+)", authorization)
        if not found:
            return "no authorization"
        signed, signature, key = found.groups()
        if self.application_key not in (None, key):
            return "the key of another sender"
        if not _is_signed(signed, _decode(signature), _decode(key)):
            return "a wrong signature"
        claims = json.loads(_decode(signed.partition(".")[2]))
        expires_at = datetime.fromtimestamp(claims["exp"], self.now.tzinfo)
        if claims["aud"] != self.sink.url("").rstrip("/"):
            return "made for another audience"
        if not self.now < expires_at <= self.now + timedelta(hours=24):
            return "expired, or for too long"
        if not re.match(r"mailto:[^@]+@[^@]+\.|https://", claims["sub"]):
            return "no contact"
        return None


@contextmanager
def running_push_service(now: datetime) -> Iterator[PushService]:
    """A push service whose clock stands at `now`."""
    with running_webhook_sink() as sink:
        service = PushService(sink, now)
        sink.respond = service.respond
        yield service


def _is_signed(signed: str, signature: bytes, key: bytes) -> bool:
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    half = len(signature) // 2
    r, s = (int.from_bytes(part) for part in (signature[:half], signature[half:]))
    try:
        public.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return json.loads(_decode(signed.partition(".")[0]))["alg"] == "ES256"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
