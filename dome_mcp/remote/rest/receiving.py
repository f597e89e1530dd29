"""Requests that carry a file: it is put away as it comes, before anything else looks at it."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from dome_mcp.core.uploads import too_large
from dome_mcp.remote.callers import caller_of
from dome_mcp.remote.multipart import Form, Incoming, read_form
from dome_mcp.remote.rest.repeating import DomeRoute, needed_scopes
from dome_mcp.services.uploads import require_room
from dome_mcp.settings import Settings

FORM_OVERHEAD_BYTES = 131_072
"""What a form may have besides its file: boundaries, headers and fields."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class SpooledRequest(Request):
    """A request whose form has been read, its file into `incoming`."""

    def __init__(self, request: Request, sent: Form, incoming: Incoming) -> None:
        super().__init__(request.scope, request.receive)
        self.sent = sent
        self.incoming = incoming

    async def form(self, **_limits: object) -> FormData:  # pyright: ignore[reportIncompatibleMethodOverride]  only ever awaited
        """The fields, and in the file's place what tells it from any other: its digest."""
        file = f"{self.sent.filename}\n{self.sent.content_type}\n{self.incoming.sha256}"
        return FormData([*self.sent.fields, ("file", file)])


def form_route(
    receiving: Callable[[Settings], AbstractAsyncContextManager[Incoming]],
) -> type[DomeRoute]:
    """The class of routes that hand their endpoint a `SpooledRequest` where the body is a form.

    `receiving` opens what takes the file, for as long as the request lasts.
    """

    class FormRoute(DomeRoute):
        def get_route_handler(self) -> Handler:
            """The handler of the endpoint, with all that comes before it."""
            handle = super().get_route_handler()
            scopes = needed_scopes(self) or ()

            async def received(request: Request) -> Response:
                content_type = request.headers.get("content-type", "")
                if not content_type.lower().startswith("multipart/form-data"):
                    return await handle(request)
                caller = caller_of(request)
                caller.principal.require(*scopes)
                dome = await caller.dome()
                limit = dome.settings.max_document_bytes
                if declared_length(request) > limit + FORM_OVERHEAD_BYTES:
                    raise too_large(limit)
                await require_room(dome.ports.database, user_id=dome.user_id)
                async with receiving(dome.settings) as incoming:
                    try:
                        sent = await read_form(request.stream(), content_type, incoming)
                    except ClientDisconnect as error:
                        raise broken_off() from error
                    await incoming.flush()
                    return await handle(SpooledRequest(request, sent, incoming))

            return received

    return FormRoute


def declared_length(request: Request) -> int:
    """The Content-Length; 0 where there is none, or none that is a number."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


def broken_off() -> HTTPException:
    """The error for a client that left; it is rarely there to read it."""
    return HTTPException(400, "The connection broke off before the body was whole.")


def also_fails(*statuses: int) -> dict[str, Any]:
    """The responses of an operation that fails in more ways than its description shows."""
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}
