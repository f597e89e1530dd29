"""Web Push by the Web Cryptography of the runtime alone: RFC 8291 for the body, RFC 8292 for us.

The key pair is the one of the user's machine, because a browser takes pushes of the key alone with
which it subscribed. It comes as a secret: the text of `vapid.pem`, or the base64 in it.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import js  # pyright: ignore[reportMissingImports] - only in a Worker
from pyodide.ffi import JsException, to_js  # pyright: ignore[reportMissingImports] - as above

from dome_mcp.backends.embedded.notify.pushes import claims, damaged_subscription
from dome_mcp.core.awaiting import AWAITING
from dome_mcp.core.channels import PushSubscription
from dome_mcp.core.errors import NotServed

_ECDH = {"name": "ECDH", "namedCurve": "P-256"}
_ECDSA = {"name": "ECDSA", "namedCurve": "P-256", "hash": "SHA-256"}
_RECORD_BYTES = 4096
_LAST_RECORD = b"\x02"
"""Ends the content of the last record, which here is the only one (RFC 8188, section 2)."""
_PEM_LINE = re.compile(r"-----[A-Z ]+-----|\s")


class CryptoSeal:
    """`Seal` with the key pair of `pem`, PKCS 8."""

    def __init__(self, pem: str, *, clock: Callable[[], datetime]) -> None:
        self._pem = pem
        self._clock = clock

    async def __call__(
        self, payload: bytes, subscription: PushSubscription, contact: str
    ) -> tuple[bytes, str]:
        """See `Seal`.

        Raises:
            NotServed: the key pair is none; a companion of the machine that has it can send.
        """
        said = claims(subscription.endpoint, contact, now=self._clock())
        try:
            authorization = await _authorization(said, self._pem)
        except (JsException, binascii.Error) as error:
            raise NotServed(
                f"{AWAITING}that can send by webpush: DOME_VAPID_KEY of the Worker is no key; run "
                "`dome-mcp cloud deploy` on the machine with vapid.pem."
            ) from error
        try:
            return await encrypt(payload, subscription), authorization
        except (JsException, binascii.Error) as error:
            raise damaged_subscription() from error


async def encrypt(content: bytes, subscription: PushSubscription) -> bytes:
    """The content as only this browser reads it: aes128gcm, 103 bytes longer.

    Raises:
        JsException, binascii.Error: the subscription's keys are no keys.
    """
    theirs, auth = _decoded(subscription.p256dh), _decoded(subscription.auth)
    ours = await _subtle("generateKey", _ECDH, True, ["deriveBits"])
    point = await _subtle("exportKey", "raw", ours.publicKey)
    public = await _subtle("importKey", "raw", theirs, _ECDH, False, [])
    shared = await _subtle("deriveBits", {"name": "ECDH", "public": public}, ours.privateKey, 256)
    keying = _derived(shared, auth, b"WebPush: info\x00" + theirs + point, 32)
    salt = secrets.token_bytes(16)
    key = _derived(keying, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derived(keying, salt, b"Content-Encoding: nonce\x00", 12)
    cipher = {"name": "AES-GCM", "iv": nonce}
    aes = await _subtle("importKey", "raw", key, "AES-GCM", False, ["encrypt"])
    sealed = await _subtle("encrypt", cipher, aes, content + _LAST_RECORD)
    return salt + _RECORD_BYTES.to_bytes(4) + bytes([len(point)]) + point + sealed


async def public_key(pem: str) -> str:
    """The key that a browser needs to subscribe, as base64url.

    Raises:
        JsException, binascii.Error: it is none.
    """
    _, point = await _pair(pem)
    return _encoded(point)


async def _authorization(said: dict[str, str | int], pem: str) -> str:
    """The `Authorization` header: a token signed with the key, and the key's public half."""
    key, point = await _pair(pem)
    parts = ({"typ": "JWT", "alg": "ES256"}, said)
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    signature = await _subtle("sign", _ECDSA, key, signed.encode())
    return f"vapid t={signed}.{_encoded(signature)}, k={_encoded(point)}"


async def _pair(pem: str) -> tuple[Any, bytes]:
    """The private key to sign with, and the point that is the public one."""
    pkcs8 = base64.b64decode(_PEM_LINE.sub("", pem), validate=True)
    key = await _subtle("importKey", "pkcs8", pkcs8, _ECDSA, True, ["sign"])
    public = await _subtle("exportKey", "jwk", key)
    return key, b"\x04" + _decoded(public.x) + _decoded(public.y)


async def _subtle(method: str, *arguments: object) -> Any:
    """What `crypto.subtle` answers: bytes where that is a buffer, a proxy of the rest."""
    converted = (_to_js(each) for each in arguments)
    result = await getattr(js.crypto.subtle, method)(*converted)
    return result.to_bytes() if hasattr(result, "to_bytes") else result


def _to_js(value: object) -> Any:
    if isinstance(value, dict | Sequence) and not isinstance(value, str):
        return to_js(value, dict_converter=js.Object.fromEntries)
    return value


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF with SHA-256 (RFC 5869), for at most 32 bytes."""
    extracted = hmac.digest(salt, secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)[:length]


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
