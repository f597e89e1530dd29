"""Requests as the SDK's bridge to ASGI takes them, their bodies no longer than is read here."""

from collections.abc import AsyncIterator
from typing import Any


class Incoming:
    """A request whose body ends with the first piece that makes it longer than `max_bytes`.

    The bridge reads a body before the application sees the request, and a Worker has 128 MB. What
    is too long the gate refuses, as it does anywhere.
    """

    def __init__(self, request: Any, *, max_bytes: int) -> None:
        self.method: str = request.method
        self.url: str = request.url
        self.headers: list[tuple[str, str]] = list(request.headers.items())
        self.body = _beginning(request.body, max_bytes) if request.body else None


async def _beginning(body: Any, max_bytes: int) -> AsyncIterator[Any]:
    taken = 0
    async for piece in body:
        yield piece
        taken += piece.byteLength
        if taken > max_bytes:
            return
