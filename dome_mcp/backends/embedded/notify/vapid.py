"""The keys of this installation for Web Push, and encryption for a browser.

Imported at the first push: pywebpush brings two HTTP clients, of which it uses none here. What it
encrypts and signs goes out by posting.py, which checks where.
"""

import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid, VapidException
from pywebpush import WebPusher, WebPushException

from dome_mcp.backends.embedded.notify.pushes import damaged_subscription
from dome_mcp.core.channels import PushSubscription
from dome_mcp.core.errors import DeliveryFailed

KEY_FILE = "vapid.pem"
_FOR_THE_OWNER = 0o600

Keys = Vapid


def load_keys(home: Path) -> Keys:
    """The key pair in the data folder, made on the first call; two processes make the same one.

    Raises:
        DeliveryFailed: the file is damaged, or cannot be read or written.
    """
    path = home / KEY_FILE
    try:
        if not path.exists():
            _make_keys(path)
        return Vapid.from_pem(path.read_bytes())
    except (OSError, ValueError, VapidException) as error:
        raise DeliveryFailed(
            f"The keys for Web Push in {path} cannot be used.",
            "Remove the file and add the webpush channels again.",
            retryable=False,
        ) from error


def encrypt(content: bytes, subscription: PushSubscription) -> bytes:
    """The content as only this browser reads it: aes128gcm, 86 bytes and a tag longer.

    Raises:
        DeliveryFailed: the subscription's keys are no keys.
    """
    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    try:
        pusher = WebPusher({"endpoint": subscription.endpoint, "keys": keys})
        return bytes(pusher.encode(content)["body"])
    except (ValueError, TypeError, WebPushException) as error:
        raise damaged_subscription() from error


def authorization(claims: Mapping[str, str | int], keys: Keys) -> str:
    """The `Authorization` header that says to a push service who sends (RFC 8292)."""
    return keys.sign(dict(claims))["Authorization"]


def public_key(keys: Keys) -> str:
    """The public half as browsers take it: base64url of the point, without padding."""
    key = cast("EllipticCurvePublicKey", keys.public_key)
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return urlsafe_b64encode(point).rstrip(b"=").decode()


def _make_keys(path: Path) -> None:
    keys = Vapid()
    keys.generate_keys()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{KEY_FILE}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FOR_THE_OWNER)
        with open(descriptor, "wb") as file:
            file.write(keys.private_pem())
        _publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    """Gives the draft its name, unless another process was first: whole, or not at all."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:
        # A file system without hard links, where the last of two at once would win.
        draft.replace(path)
