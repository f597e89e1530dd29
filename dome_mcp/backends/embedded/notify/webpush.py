"""Web Push on this machine: sealed by pywebpush, with the keys of the data folder."""

import importlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import ModuleType

import anyio.to_thread

from dome_mcp.backends.embedded.notify.apprise import EXTRA_HINT
from dome_mcp.backends.embedded.notify.pushes import claims
from dome_mcp.core.channels import PushSubscription
from dome_mcp.core.errors import DeliveryFailed


class VapidSeal:
    """`Seal` in a worker thread; `home` is where the keys are."""

    def __init__(self, home: Path, *, clock: Callable[[], datetime]) -> None:
        self._home = home
        self._clock = clock

    async def __call__(
        self, payload: bytes, subscription: PushSubscription, contact: str
    ) -> tuple[bytes, str]:
        """See `Seal`."""
        return await anyio.to_thread.run_sync(self._sealed, payload, subscription, contact)

    def _sealed(
        self, payload: bytes, subscription: PushSubscription, contact: str
    ) -> tuple[bytes, str]:
        vapid = load_vapid()
        said = claims(subscription.endpoint, contact, now=self._clock())
        authorization: str = vapid.authorization(said, vapid.load_keys(self._home))
        return vapid.encrypt(payload, subscription), authorization


def load_vapid() -> ModuleType:
    """The module with the cryptography of Web Push, whose libraries are an extra.

    Raises:
        DeliveryFailed: they are not installed.
    """
    try:
        return importlib.import_module("dome_mcp.backends.embedded.notify.vapid")
    except ImportError as error:
        raise DeliveryFailed(
            "This channel needs pywebpush, which is not installed.", EXTRA_HINT, retryable=False
        ) from error
