"""Answers over REST, whole and as events."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from dome_mcp.app import Dome
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.model import Completion, Turn
from dome_mcp.core.ports import LanguageModel
from dome_mcp.settings import Settings
from tests.remote.rest.conftest import Api, api_over, app_over, problem_in
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import LISBON, Serving, serving

pytestmark = pytest.mark.anyio

QUESTION = {"question": "When does the flight leave?"}
EVENTS = {"Accept": "text/event-stream"}


@dataclass
class Slow:
    """A language model that says its pieces one by one, and says when it was stopped.

    After the last piece it fails, or goes on for ever, where the test wants that.
    """

    pieces: Sequence[str]
    failure: Exception | None = None
    is_endless: bool = False
    model: str = "slow"
    context_tokens: int = 4000
    stopped: anyio.Event = field(default_factory=anyio.Event)

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        if self.failure:
            raise self.failure
        return Completion("".join(self.pieces))

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        try:
            for piece in self.pieces:
                yield Completion(piece)
            if self.failure:
                raise self.failure
            if self.is_endless:
                await anyio.sleep_forever()
        finally:
            self.stopped.set()


@asynccontextmanager
async def answering(home: Path, model: LanguageModel) -> AsyncIterator[Serving]:
    """A server whose answers this model writes."""

    @asynccontextmanager
    async def opened(settings: Settings) -> AsyncIterator[Dome]:
        async with SqliteDatabase.open(None) as database:
            ports = await make_ports(database, home, WordEmbedder())
            ports = replace(ports, language_model=model)
            yield Dome.of_owner(settings, ports, holder="test")

    async with serving(home, opener=opened) as served:
        yield served


def events_in(response: httpx.Response) -> list[tuple[str, Any]]:
    """The name and the data of each event of a stream."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    events: list[tuple[str, Any]] = []
    for block in response.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events


async def store(api: Api) -> str:
    """The id of the note about the trip."""
    return (await api.post("/api/notes", json={"text": LISBON})).json()["note_id"]


async def test_a_question_is_answered_with_citations(api: Api):
    note_id = await store(api)
    response = await api.post("/api/chat", json=QUESTION | {"session_id": "s1"})
    answer = response.json()
    assert answer["answered"]
    assert answer["answer"] == "The flight leaves at nine from gate twelve. [1]"
    assert (answer["citations"][0]["note_id"], answer["session_id"]) == (note_id, "s1")


async def test_what_the_notes_do_not_hold_is_not_answered(api: Api):
    await store(api)
    sent = {"question": "Who painted the ceiling?"}
    assert (await api.post("/api/chat", json=sent)).json()["answered"] is False


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without what differs each time that it is made."""
    assert {"session_id", "milliseconds"} <= answer.keys()
    return {key: answer[key] for key in answer.keys() - {"session_id", "milliseconds"}}


async def test_a_quoted_answer_comes_as_events_too(api: Api):
    await store(api)
    whole = (await api.post("/api/chat", json=QUESTION)).json()
    events = events_in(await api.post("/api/chat", json=QUESTION | {"stream": True}))
    assert [name for name, _ in events] == ["passages", "delta", "answer"]
    assert events[0][1] == {"passages": whole["passages"]}
    assert events[1][1] == {"text": whole["answer"]}
    assert without_times(events[2][1]) == without_times(whole)


async def test_what_a_model_says_comes_as_it_is_said_and_then_checked(tmp_path: Path):
    pieces = ["<thi", "nk>Hm, ", "gate?</think>", "\nThe flight ", "leaves at nine. [1]", " Bye <t"]
    async with answering(tmp_path, Slow(pieces)) as served, api_over(served.door) as api:
        await store(api)
        events = events_in(await api.post("/api/chat", json=QUESTION, headers=EVENTS))
        whole = (await api.post("/api/chat", json=QUESTION)).json()
    names = [name for name, _ in events]
    assert names == ["passages", "delta", "delta", "delta", "answer"]
    said = [data["text"] for name, data in events if name == "delta"]
    assert said == ["The flight ", "leaves at nine. [1]", " Bye "]
    assert without_times(events[-1][1]) == without_times(whole)
    assert (whole["model"], whole["answered"]) == ("slow", True)


async def test_a_model_that_breaks_off_leaves_the_quoted_answer(tmp_path: Path):
    failure = BackendUnavailable("llm", "stream", "It broke off.")
    model = Slow(["The flight"], failure)
    async with answering(tmp_path, model) as served, api_over(served.door) as api:
        await store(api)
        events = events_in(await api.post("/api/chat", json=QUESTION, headers=EVENTS))
    name, answer = events[-1]
    assert (name, answer["model"], answer["answered"]) == ("answer", "extractive", True)
    assert any("It broke off." in warning for warning in answer["warnings"])


async def test_a_failure_after_the_stream_began_is_an_event(tmp_path: Path):
    model = Slow(["The"], RuntimeError("my diary says"))
    async with answering(tmp_path, model) as served, api_over(served.door) as api:
        await store(api)
        events = events_in(await api.post("/api/chat", json=QUESTION, headers=EVENTS))
    name, problem = events[-1]
    assert (name, problem["status"]) == ("error", 500)
    assert problem["reference"]
    assert "diary" not in json.dumps(events)


async def test_a_client_that_leaves_ends_the_models_work(tmp_path: Path):
    model = Slow(["The flight "], is_endless=True)
    async with answering(tmp_path, model) as served:
        async with api_over(served.door) as api:
            await store(api)
        left = anyio.Event()
        body = json.dumps(QUESTION).encode()

        async def receive() -> dict[str, Any]:
            nonlocal body
            if body:
                sent, body = body, b""
                return {"type": "http.request", "body": sent}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if b"event: delta" in message.get("body", b""):
                left.set()

        with anyio.fail_after(5):
            await app_over(served.door)(_scope(len(body)), receive, send)  # pyright: ignore[reportArgumentType]
            await model.stopped.wait()


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"question": "   "},
        {"question": "a", "limit": 0},
        {"question": "a", "since": "soon"},
        {"question": "a", "model": "gpt"},
    ],
)
async def test_a_question_that_cannot_be_asked_is_refused_before_any_event(
    api: Api, sent: dict[str, Any]
):
    response = await api.post("/api/chat", json=sent | {"stream": True}, headers=EVENTS)
    problem_in(response, 422, "invalid-input")


async def test_somebody_elses_notes_are_no_evidence(api: Api):
    await store(api)
    answer = (await api.as_("ann", "notes:read").post("/api/chat", json=QUESTION)).json()
    assert (answer["answered"], answer["passages"]) == (False, [])


async def test_an_answer_needs_the_scope_to_read(api: Api):
    writer = api.as_("me", "notes:write")
    problem_in(await writer.post("/api/chat", json=QUESTION), 403, "insufficient-scope")


def _scope(length: int) -> dict[str, Any]:
    headers = {
        "content-type": "application/json",
        "content-length": str(length),
        "accept": EVENTS["Accept"],
        "x-user": "me",
        "x-scopes": "notes:read",
    }
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/api/chat",
        "raw_path": b"/api/chat",
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "server": ("dome.test", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
