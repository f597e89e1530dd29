"""A web server for this machine alone: a few requests a day, each on a connection of its own.

h11 reads and writes the protocol. Nothing runs between requests, so the server costs an idle
companion nothing.
"""

import logging
from collections.abc import Awaitable, Callable

import anyio
import h11
from anyio.abc import Listener, SocketAttribute, SocketStream

from dome_mcp.link_pages import Page, Request, refusal

HOST = "127.0.0.1"

_REQUEST_SECONDS = 10.0
_NAME_SECONDS = 1.0
_MAX_BODY_BYTES = 16_384
_MAX_CONNECTIONS = 32
_PIECE_BYTES = 16_384

_log = logging.getLogger(__name__)

Answer = Callable[[Request], Awaitable[Page]]


async def listen(port: int) -> Listener[SocketStream]:
    """A listener on the loopback address; port 0 takes any that is free.

    Raises:
        OSError: the port is taken.
    """
    listener = await anyio.create_tcp_listener(local_host=HOST, local_port=port)
    return listener.listeners[0]


def port_of(listener: Listener[SocketStream]) -> int:
    attribute = SocketAttribute.local_port
    return int(listener.extra(attribute))  # noqa: S610  not the method of Django's querysets


async def serve(listener: Listener[SocketStream], answer: Answer, *, name: str) -> None:
    """Answers requests until it is cancelled, then closes the listener.

    Each answer carries `name`, by which `name_at` knows the server.
    """
    limiter = anyio.CapacityLimiter(_MAX_CONNECTIONS)

    async def handle(stream: SocketStream) -> None:
        async with stream:
            try:
                with anyio.move_on_after(_REQUEST_SECONDS):
                    async with limiter:
                        await _converse(stream, answer, name=name)
            except Exception:  # noqa: BLE001  one connection must not close the door for all
                _log.exception("a connection failed")

    async with listener:
        await listener.serve(handle)


async def name_at(port: int) -> str | None:
    """The name of the server at a port; None where none answers as ours does."""
    connection = h11.Connection(h11.CLIENT)
    head = h11.Request(method="GET", target="/", headers=[("Host", HOST), ("Connection", "close")])
    asked = connection.send(head) or b""
    try:
        with anyio.fail_after(_NAME_SECONDS):
            async with await anyio.connect_tcp(HOST, port) as stream:
                await stream.send(asked)
                while (event := connection.next_event()) is h11.NEED_DATA:
                    connection.receive_data(await stream.receive(_PIECE_BYTES))
    except (OSError, TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError):
        return None
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, h11.Response):
        return None
    return dict(event.headers).get(b"server", b"").decode("ascii", "replace")


async def _converse(stream: SocketStream, answer: Answer, *, name: str) -> None:
    """One request and its answer; who hangs up gets none, and who talks nonsense a refusal."""
    connection = h11.Connection(h11.SERVER)
    try:
        request = await _read(stream, connection)
        page = await answer(request)
        has_body = request.method != "HEAD"
        await stream.send(_written(connection, page, name=name, has_body=has_body))
    except h11.RemoteProtocolError as error:
        if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            page = refusal(error.error_status_hint, "This is not a request for a link.")
            await stream.send(_written(connection, page, name=name, has_body=True))
    except (anyio.BrokenResourceError, anyio.EndOfStream):
        return


async def _read(stream: SocketStream, connection: h11.Connection) -> Request:
    """The request's head; its body is read and forgotten, because the path says it all."""
    head: h11.Request | None = None
    body_bytes = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive(_PIECE_BYTES))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body_bytes += len(event.data)
            if body_bytes > _MAX_BODY_BYTES:
                raise h11.RemoteProtocolError("the body is too long", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return Request(
                method=head.method.decode(),
                path=head.target.decode("ascii", "replace"),
                host=dict(head.headers).get(b"host", b"").decode("ascii", "replace"),
            )
        else:
            raise anyio.EndOfStream


def _written(connection: h11.Connection, page: Page, *, name: str, has_body: bool) -> bytes:
    body = page.html.encode()
    length = {"Content-Length": str(len(body)), "Connection": "close"}
    headers = {**page.headers, **length, "Server": name}
    head = h11.Response(status_code=page.status, headers=list(headers.items()))
    pieces = [connection.send(head)]
    if has_body:
        pieces.append(connection.send(h11.Data(data=body)))
    pieces.append(connection.send(h11.EndOfMessage()))
    return b"".join(piece for piece in pieces if piece)
