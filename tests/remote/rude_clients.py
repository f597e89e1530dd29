"""Clients that no library would be: they send half of something, or read nothing."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from tests.remote.serving_http import bearer

MANY = 500
"""Answers of 70 kB, more than all the buffers on the way hold."""


async def connect(url: str) -> socket.socket:
    """A bare connection to the server at a URL."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.setblocking(False)
    return connection


@asynccontextmanager
async def slow_reader(url: str, token: str) -> AsyncIterator[None]:
    """A client that asks for more than the buffers hold, and reads none of it."""
    connection = await connect(url)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    await send(connection, head_of("GET", "/api/openapi.json", token) * MANY)
    yield
    connection.close()


@asynccontextmanager
async def half_open(url: str) -> AsyncIterator[None]:
    connection = await connect(url)
    await send(connection, b"GET / HTTP/1.1\r\nHo")
    yield
    connection.close()


def head_of(method: str, path: str, token: str, *headers: str) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        *(f"{name}: {value}" for name, value in bearer(token).items()),
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def send(connection: socket.socket, data: bytes) -> None:
    while data:
        await anyio.wait_writable(connection)
        data = data[connection.send(data) :]


async def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    received = b""
    with connection:
        while True:
            await anyio.wait_readable(connection)
            piece = connection.recv(65_536)
            if not piece:
                return received
            received += piece
