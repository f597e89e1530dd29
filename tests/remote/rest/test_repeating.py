"""A request that is sent again, because its answer was lost, is done once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import anyio
import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from dome_mcp.app import Dome
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Database, Statement
from dome_mcp.remote.rest import problems
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.repeating import DomeRoute
from dome_mcp.services.idempotency import KEPT
from dome_mcp.settings import Settings
from dome_mcp.store.notes import to_int
from tests.remote.rest.conftest import Admitting, Api, api_over, problem_in
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import BREAD, LISBON, Serving, serving

pytestmark = pytest.mark.anyio

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
REPLAYED = "idempotent-replayed"

NOTE = {"text": LISBON}
IN_AN_HOUR = {"text": "Call Anna", "at": "+1h"}
QUESTION = {"question": "When does the flight leave?"}
TASK = {"description": "Pack", "due": "+2d", "remind": ["-1h"]}


async def rows(database: Database, table: str) -> int:
    """How many rows a table has."""
    sql = f"SELECT count(*) AS n FROM {table}"  # noqa: S608  a name of ours
    (row,) = await database.query(Statement(sql))
    return to_int(row["n"])


async def test_a_repeated_request_gets_the_answer_of_the_first(api: Api):
    first = await api.post("/api/notes", json=NOTE, headers=KEY)
    again = await api.post("/api/notes", json=NOTE, headers=KEY)
    assert (first.status_code, REPLAYED in first.headers) == (201, False)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers[REPLAYED] == "true"
    for name in ("location", "etag", "content-type"):
        assert again.headers[name] == first.headers[name]


async def test_a_repeated_time_from_now_counts_from_the_first_request(api: Api, served: Serving):
    first = await api.post("/api/reminders", json=IN_AN_HOUR, headers=KEY)
    again = await api.post("/api/reminders", json=IN_AN_HOUR, headers=KEY)
    assert first.status_code == again.status_code == 201, first.text
    assert again.json() == first.json()
    assert await rows(served.dome.ports.database, "reminders") == 1


async def test_without_a_key_the_same_request_is_another_request(api: Api, served: Serving):
    for _ in range(2):
        await api.post("/api/tasks", json=TASK)
    assert await rows(served.dome.ports.database, "tasks") == 2


@pytest.mark.parametrize(
    ("path", "sent"),
    [("/api/notes", {"text": BREAD}), ("/api/notes?x", NOTE), ("/api/ingest", NOTE)],
)
async def test_a_key_stands_for_one_request_only(api: Api, path: str, sent: dict[str, str]):
    await api.post("/api/notes", json=NOTE, headers=KEY)
    problem_in(await api.post(path, json=sent, headers=KEY), 422, "reused-key")


async def test_each_user_has_keys_of_their_own(api: Api):
    await api.post("/api/notes", json=NOTE, headers=KEY)
    ann = api.as_("ann", "notes:write")
    answer = await ann.post("/api/notes", json={"text": BREAD}, headers=KEY)
    assert (answer.status_code, REPLAYED in answer.headers) == (201, False)


async def test_an_answer_is_kept_from_a_token_that_may_not_ask(api: Api):
    await api.post("/api/notes", json=NOTE, headers=KEY)
    reader = api.as_("me", "notes:read")
    response = await reader.post("/api/notes", json=NOTE, headers=KEY)
    problem_in(response, 403, "insufficient-scope")


async def test_a_repeated_question_gets_the_answer_of_the_first_and_was_asked_once(api: Api):
    await api.post("/api/notes", json=NOTE)
    first = await api.post("/api/chat", json=QUESTION, headers=KEY)
    again = await api.post("/api/chat", json=QUESTION, headers=KEY)
    assert first.json()["answered"]
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    (session,) = (await api.get("/api/sessions")).json()["sessions"]
    assert session["exchanges"] == 1


async def test_a_repeated_stream_is_made_again_and_was_asked_once(api: Api):
    await api.post("/api/notes", json=NOTE)
    asked = QUESTION | {"stream": True}
    for _ in range(2):
        response = await api.post("/api/chat", json=asked, headers=KEY)
        assert ("gate twelve" in response.text, REPLAYED in response.headers) == (True, False)
    (session,) = (await api.get("/api/sessions")).json()["sessions"]
    assert session["exchanges"] == 1


async def test_what_was_answered_from_a_note_is_not_told_again_when_the_note_is_gone(api: Api):
    note_id = (await api.post("/api/notes", json=NOTE)).json()["note_id"]
    assert "twelve" in (await api.post("/api/chat", json=QUESTION, headers=KEY)).text
    await api.delete(f"/api/notes/{note_id}", headers={"If-Match": "*"})
    again = await api.post("/api/chat", json=QUESTION, headers=KEY)
    assert ("twelve" in again.text, REPLAYED in again.headers) == (False, False)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"])
async def test_a_key_that_is_none_is_refused(api: Api, key: str):
    headers = {b"Idempotency-Key": key.encode()}
    problem_in(await api.post("/api/notes", json=NOTE, headers=headers), 422, "invalid-input")


async def test_a_refusal_is_decided_anew(api: Api):
    sent = {"description": "Read it", "note_ids": ["nothing"]}
    problem_in(await api.post("/api/tasks", json=sent, headers=KEY), 404, "not-found")
    response = await api.post("/api/tasks", json=sent, headers=KEY)
    assert (response.status_code, REPLAYED in response.headers) == (404, False)


async def test_a_key_is_new_again_after_a_day(api: Api, served: Serving):
    await api.post("/api/notes", json=NOTE, headers=KEY)
    old = Statement("UPDATE idempotency SET started_at_ms = started_at_ms - ?1", (_ms(KEPT),))
    await served.dome.ports.database.query(old)
    answer = await api.post("/api/notes", json={"text": BREAD}, headers=KEY)
    assert (answer.status_code, REPLAYED in answer.headers) == (201, False)
    assert await rows(served.dome.ports.database, "idempotency") == 1


async def test_requests_with_one_key_at_the_same_time_write_once(api: Api, served: Serving):
    answers: list[httpx.Response] = []

    async def send() -> None:
        answers.append(await api.post("/api/tasks", json=TASK, headers=KEY))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(send)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["task"]["task_id"] for answer in answers}) == 1
    assert (
        await rows(served.dome.ports.database, "tasks"),
        await rows(served.dome.ports.database, "reminders"),
    ) == (1, 1)


class Forgetful:
    """A database that cannot write answers down."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.batch = inner.batch

    async def query(self, statement: Statement) -> Any:
        if "UPDATE idempotency" in statement.sql:
            raise BackendUnavailable("sqlite", "query", "The database is busy.")
        return await self._inner.query(statement)


@pytest.fixture
async def forgetful(tmp_path: Path) -> AsyncIterator[Api]:
    """An API whose every request runs, because no answer could be kept."""

    @asynccontextmanager
    async def opened(settings: Settings) -> AsyncIterator[Dome]:
        async with SqliteDatabase.open(None) as database:
            ports = await make_ports(database, tmp_path, WordEmbedder())
            ports = replace(ports, database=Forgetful(database))
            settings = replace(settings, companion="off")
            yield Dome.of_owner(settings, ports, holder="test")

    async with serving(tmp_path / "home", opener=opened) as served, api_over(served.door) as client:
        yield client


async def test_what_is_done_is_told_even_where_it_cannot_be_kept(forgetful: Api):
    first = await forgetful.post("/api/notes", json=NOTE, headers=KEY)
    again = await forgetful.post("/api/notes", json=NOTE, headers=KEY)
    assert first.status_code == again.status_code == 201
    assert again.json() == first.json()


async def test_a_repeating_task_is_completed_once(forgetful: Api):
    task = {"description": "Water the plants", "due": "+2d", "repeat": "daily"}
    path = (await forgetful.post("/api/tasks", json=task)).headers["location"] + "/complete"
    first = await forgetful.post(path, headers=KEY)
    again = await forgetful.post(path, headers=KEY)
    assert again.json()["task"]["due"] == first.json()["task"]["due"]


@pytest.mark.parametrize(
    ("action", "sent"), [("snooze", {"by": "+1h"}), ("reschedule", {"at": "+3h"})]
)
async def test_a_reminder_is_moved_once(forgetful: Api, action: str, sent: dict[str, str]):
    reminder = IN_AN_HOUR | {"repeat": "daily"}
    path = (await forgetful.post("/api/reminders", json=reminder)).headers["location"]
    first = await forgetful.post(f"{path}/{action}", json=sent, headers=KEY)
    again = await forgetful.post(f"{path}/{action}", json=sent, headers=KEY)
    assert first.status_code == 200, first.text
    assert again.json()["reminder"]["next_fires"] == first.json()["reminder"]["next_fires"]


Writing = Annotated[Dome, needs("notes:write")]
router = APIRouter(route_class=DomeRoute)


@router.post("/form")
async def take_form(request: Request, dome: Writing) -> Response:
    """Says what came, and when the request began."""
    async with request.form() as form:
        size = len(await form["file"].read())  # pyright: ignore[reportAttributeAccessIssue]
    return JSONResponse({"size": size, "at": dome.now().isoformat()})


@router.post("/fail")
async def fail(dome: Writing) -> Response:
    """Answers with a failure that is not raised."""
    return JSONResponse({"at": dome.now().isoformat()}, 500)


@pytest.fixture
async def odd(served: Serving) -> AsyncIterator[Api]:
    """Routes of a kind that the API has none of its own of."""
    app = FastAPI()
    problems.install(app)
    app.include_router(router)
    admitting = Admitting(Starlette(routes=[Mount("/api", app)]), served.door)
    async with Api.of(admitting, "me", ["notes:write"]) as client:
        yield client


async def test_a_file_is_told_from_another_of_the_same_name_and_size(odd: Api):
    def form(content: bytes) -> dict[str, tuple[str, bytes]]:
        return {"file": ("a.bin", content)}

    big = b"a" * 3_000_000
    first = await odd.post("/api/form", files=form(big), headers=KEY)
    # Another boundary, the same form.
    again = await odd.post("/api/form", files=form(big), headers=KEY)
    assert (first.json()["size"], again.headers[REPLAYED]) == (len(big), "true")
    other = await odd.post("/api/form", files=form(big[:-1] + b"b"), headers=KEY)
    problem_in(other, 422, "reused-key")


async def test_a_failure_is_not_kept_and_runs_again_under_the_same_instant(odd: Api):
    first = await odd.post("/api/fail", headers=KEY)
    again = await odd.post("/api/fail", headers=KEY)
    assert REPLAYED not in again.headers
    assert first.json() == again.json()
    assert datetime.fromisoformat(first.json()["at"]) <= datetime.now(UTC)


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1) + 1
