"""Clients that misbehave, all at once, while the others work."""

import asyncio
import secrets
from collections import Counter

from benchmarks.load_client import Connection

HALF_OPEN = 200
SLOW_READERS = 50
FAILED_LOGINS = 10_000
_OVERSIZED = 50_000_000
_REST = 0.02


async def misbehave(port: int, token: str, counts: Counter[str], *, seconds: float) -> None:
    """Goes on for so many seconds, then leaves; `counts` says what was tried and how it ended."""
    async with asyncio.timeout(seconds + 30), asyncio.TaskGroup() as tasks:
        for _ in range(HALF_OPEN):
            tasks.create_task(_half_open(port, counts, seconds))
        for _ in range(SLOW_READERS):
            tasks.create_task(_slow_reader(port, token, counts, seconds))
        tasks.create_task(_failed_logins(port, counts))
        tasks.create_task(_bad_bodies(port, token, counts, seconds))


async def _half_open(port: int, counts: Counter[str], seconds: float) -> None:
    """Sends half a request and waits; the server should hang up."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /api/notes HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            async with asyncio.timeout(60):
                await reader.read()
            counts["half-open connections closed by the server"] += 1
            writer.close()
        except TimeoutError:
            counts["half-open connections left open for a minute"] += 1
        except OSError:
            counts["half-open connections refused"] += 1
        await asyncio.sleep(1)


async def _slow_reader(port: int, token: str, counts: Counter[str], seconds: float) -> None:
    """Asks for much, in one go, and reads next to nothing of it."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    request = (
        f"GET /api/notes?limit=200 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()
    while loop.time() < end:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(request)
            for _ in range(20):
                if not await reader.read(1):
                    break
                await asyncio.sleep(1)
            counts["slow readers"] += 1
            writer.close()
        except OSError:
            counts["slow readers cut off"] += 1


async def _failed_logins(port: int, counts: Counter[str]) -> None:
    connection = Connection(port, "")
    for number in range(FAILED_LOGINS):
        wrong = f"dome_{secrets.token_hex(6)}a_{secrets.token_urlsafe(32)}" if number % 2 else "x"
        answer = await connection.request(
            "GET", "/api/notes", headers={"Authorization": f"Bearer {wrong}"}
        )
        counts[f"failed logins answered {answer.status}"] += 1
        if number % 10 == 0:
            await asyncio.sleep(_REST)


async def _bad_bodies(port: int, token: str, counts: Counter[str], seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        connection = Connection(port, token)
        for path in ("/mcp", "/api/notes"):
            headers = {"Accept": "application/json, text/event-stream"}
            answer = await connection.request("POST", path, b'{"text": "\xff\xfe', headers)
            counts[f"malformed bodies answered {answer.status}"] += 1
        counts[f"oversized bodies answered {await _oversized(port, token)}"] += 1
        connection.close()
        await asyncio.sleep(1)


async def _oversized(port: int, token: str) -> int | str:
    """The status of a request that announces a body far beyond the limit and starts to send it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        (
            f"POST /api/notes HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {_OVERSIZED}\r\n\r\n"
        ).encode()
    )
    try:
        writer.write(b" " * 65_536)
        return int((await reader.readline()).split()[1])
    except (OSError, IndexError):
        return "by hanging up"
    finally:
        writer.close()
