"""How large a body may be, by where it goes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dome_mcp.http_settings import HttpSettings
from tests.remote.gated import HOST, Gated, gated

pytestmark = pytest.mark.anyio


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gated]:
    async with gated(tmp_path) as running:
        yield running


async def test_a_body_that_says_it_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    async with gated(tmp_path, http=HttpSettings(allowed_hosts=(HOST,), max_body_mb=1)) as gate:
        text, _ = await gate.token()
        async with gate.client(text) as client:
            response = await client.post("/mcp", content=b"x" * 1_000_001)
            assert response.status_code == 413
            assert "/api/ingest" in response.json()["hint"]
            assert (await client.post("/mcp", content=b"x" * 1_000_000)).status_code == 200


async def test_a_body_that_does_not_say_how_large_it_is_is_counted(tmp_path: Path) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100_000

    async with gated(tmp_path, http=HttpSettings(allowed_hosts=(HOST,), max_body_mb=1)) as gate:
        text, _ = await gate.token()
        async with gate.client(text) as client:
            assert (await client.post("/mcp", content=parts())).status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("POST", "/api/ingest", "multipart/form-data; boundary=x", 200),
        ("POST", "/api/ingest", "application/json", 413),
        ("PUT", "/api/uploads/abc", "application/pdf", 200),
        ("POST", "/api/uploads/abc", "application/pdf", 413),
        ("POST", "/mcp", "multipart/form-data; boundary=x", 413),
    ],
)
async def test_a_file_may_be_larger_than_another_body_where_files_are_taken(
    tmp_path: Path, method: str, path: str, kind: str, status: int
) -> None:
    http = HttpSettings(allowed_hosts=(HOST,), max_body_mb=1)
    async with gated(tmp_path, http=http, changes={"max_document_bytes": 2_000_000}) as gate:
        text, _ = await gate.token()
        async with gate.client(text, headers={"Content-Type": kind}) as client:
            response = await client.request(method, path, content=b"x" * 2_064_000)
            assert response.status_code == status
            response = await client.request(method, path, content=b"x" * 2_064_001)
            assert response.status_code == 413


async def test_a_length_that_is_no_number_is_refused(gate: Gated) -> None:
    text, _ = await gate.token()
    async with gate.client(text, headers={"Content-Length": "1e3"}) as client:
        assert (await client.post("/mcp", content=b"x")).status_code == 413
