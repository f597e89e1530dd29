"""What a client is told when something fails."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from fastapi import FastAPI

from dome_mcp.app import Dome, Door
from dome_mcp.core import errors
from dome_mcp.core.access import InsufficientScope
from dome_mcp.remote.rest import problems
from dome_mcp.settings import Settings
from tests.remote.rest.conftest import Api, api_over, problem_in
from tests.serving import settings_in

pytestmark = pytest.mark.anyio

IN_AN_HOUR = datetime.now(UTC) + timedelta(hours=1)

TOLD = [
    (errors.InvalidInput("No."), 422, "invalid-input"),
    (errors.UnreadableDocument("scanned", "Only pictures."), 422, "invalid-input"),
    (errors.UnreadableDocument("too_large", "Too much."), 413, "too-large"),
    (errors.UnreadableDocument("unsupported", "A video."), 415, "unsupported-type"),
    (errors.NotFound("note", "x"), 404, "not-found"),
    (errors.Conflict("Changed."), 409, "conflict"),
    (errors.Forbidden("Outside."), 403, "forbidden"),
    (InsufficientScope(["notes:read"]), 403, "insufficient-scope"),
    (errors.BackendUnavailable("web", "get", "Silent."), 503, "unavailable"),
    (errors.BackendRejected("web", "get", "It says no."), 502, "backend-refused"),
    (errors.BackendProtocolError("web", "get", "Nonsense."), 502, "backend-refused"),
    (errors.QuotaExhausted("sqlite", "query", "Disk full."), 507, "out-of-space"),
    (errors.QuotaExhausted("llm", "ask", "Used up.", until=IN_AN_HOUR), 503, "unavailable"),
    (errors.DeliveryFailed("Refused.", retryable=False), 502, "undelivered"),
    (errors.ConfigurationError(["DOME_HOME /secret"]), 500, "internal-error"),
]


async def failing(error: Exception) -> httpx.Response:
    """What a route answers that raises this."""
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://dome.test") as client:
        return await client.get("/")


@pytest.mark.parametrize(
    ("error", "status", "name"), TOLD, ids=[type(each).__name__ for each, *_ in TOLD]
)
async def test_every_error_of_ours_is_a_problem_of_its_type(
    error: errors.DomeError, status: int, name: str
):
    problem = problem_in(await failing(error), status, name)
    if status != 500:
        assert problem["detail"] == error.message
        assert problem.get("hint", "") == error.hint


async def test_settings_that_cannot_work_are_nobodys_business_but_the_logs(
    caplog: pytest.LogCaptureFixture,
):
    response = await failing(errors.ConfigurationError(["DOME_HOME /secret"]))
    assert "/secret" not in response.text
    assert "/secret" in caplog.text


async def test_a_missing_scope_is_named_in_the_challenge():
    response = await failing(InsufficientScope(["notes:write", "admin"]))
    assert response.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", scope="admin notes:write"'
    )


@pytest.mark.parametrize(
    ("error", "least", "most"),
    [
        (errors.BackendUnavailable("web", "get", "Busy.", retry_after=6.2), 7, 7),
        (errors.BackendUnavailable("web", "get", "Busy."), 1, 60),
    ],
)
async def test_what_may_pass_says_when_to_try_again(
    error: errors.BackendError, least: int, most: int
):
    response = await failing(error)
    assert least <= int(response.headers["retry-after"]) <= most


async def test_what_passes_at_a_time_says_how_long_that_is():
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    response = await failing(errors.QuotaExhausted("llm", "ask", "Used up.", until=in_an_hour))
    assert 3000 <= int(response.headers["retry-after"]) <= 3600


async def test_an_unexpected_error_is_a_reference_and_its_message_stays_inside(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)
    response = await failing(RuntimeError("my diary says"))
    problem = problem_in(response, 500, "internal-error")
    assert str(problem["reference"]) in caplog.text
    assert "diary" not in response.text + caplog.text


async def test_a_failure_to_open_the_application_reaches_whoever_asks(tmp_path: Path):
    @asynccontextmanager
    async def closed(settings: Settings) -> AsyncIterator[Dome]:
        raise errors.BackendUnavailable("sqlite", "open", "The database is busy.")
        yield  # pragma: no cover  what makes it a generator

    door = Door(settings_in(tmp_path), closed)
    async with anyio.create_task_group() as tasks, api_over(door) as api:
        tasks.start_soon(door.keep, lambda _: nullcontext())
        problem_in(await api.get("/api/notes"), 503, "unavailable")
        tasks.cancel_scope.cancel()


async def test_a_field_that_cannot_work_is_named_and_what_was_sent_is_not_repeated(api: Api):
    response = await api.post("/api/notes", json={"text": {"secret": 1}, "titel": "hush"})
    problem = problem_in(response, 422, "invalid-input")
    assert {each["location"] for each in problem["errors"]} == {"body.text", "body.titel"}
    assert "secret" not in response.text
    assert "hush" not in response.text


async def test_a_parameter_that_does_not_exist_is_refused_rather_than_passed_over(api: Api):
    problem = problem_in(await api.get("/api/notes?tag=travel"), 422, "invalid-input")
    assert problem["errors"][0]["location"] == "query.tag"


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"text": "a", "tags": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"text": ' + b"9" * 5000 + b"}",
    ],
    ids=["cut off", "not utf-8", "deep", "deeper than anybody needs", "a huge number"],
)
async def test_what_is_not_json_is_malformed(api: Api, body: bytes):
    response = await api.post("/api/notes", content=body, headers=JSON)
    problem_in(response, 400, "malformed-request")


async def test_brackets_in_a_text_nest_nothing(api: Api):
    text = "[{" * 200 + '"' + "\\[" * 200
    response = await api.post("/api/notes", json={"text": text})
    assert response.status_code == 201, response.text


@pytest.mark.parametrize(
    "body",
    [
        '{"text": "\\ud800"}',
        b'{"text": "\xed\xa0\x80"}',
        '{"text": "a", "\\ud800": 1}',
        '{"text": "a", "tags": [1e999]}',
        '{"text": null}',
        '["text"]',
        "null",
        "",
        '{"text": "a", "created_at": "yesterday"}',
        '{"text": "\\u0000"}',
    ],
)
async def test_json_that_makes_no_note_is_invalid_and_never_a_failure(api: Api, body: str | bytes):
    response = await api.post("/api/notes", content=body, headers=JSON)
    problem_in(response, 422, "invalid-input")


async def test_a_nul_in_a_label_is_no_failure(api: Api):
    sent = {"text": "Bread.", "title": "a\0b", "tags": ["x\0"], "context": "\0", "source": "\0"}
    response = await api.post("/api/notes", json=sent)
    assert response.status_code == 201, response.text
    problem_in(await api.get("/api/notes/%00"), 404, "not-found")


@pytest.mark.parametrize("media_type", ["text/plain", "multipart/form-data; boundary=x", None])
async def test_a_body_of_another_type_is_not_taken_for_json(api: Api, media_type: str | None):
    headers = {"content-type": media_type} if media_type else {}
    response = await api.post("/api/notes", content=json.dumps({"text": "a"}), headers=headers)
    problem_in(response, 415, "unsupported-type")


async def test_scopes_are_checked_before_a_body_is_read(api: Api):
    reader = api.as_("ann", "notes:read")
    response = await reader.post("/api/notes", content=b"{", headers=JSON)
    problem = problem_in(response, 403, "insufficient-scope")
    assert "notes:write" in str(problem["detail"])
