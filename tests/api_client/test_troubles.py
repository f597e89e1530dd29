"""What the server refuses, and what becomes of a call when the way to it is bad."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from dome_mcp.api_client.connection import Api
from dome_mcp.core.errors import BackendUnavailable, Forbidden
from tests.api_client.laptop import SERVER, client_over_api, laptop_of
from tests.serving import LISBON, Serving, call, refused, served

__all__ = ["served"]

pytestmark = pytest.mark.anyio


def problem(
    status: int, *, headers: dict[str, str] | None = None, **members: Any
) -> httpx.Response:
    body = {"type": "/api/docs#x", "title": "T", "status": status, "detail": "Why.", **members}
    kind = {"content-type": "application/problem+json", **(headers or {})}
    return httpx.Response(status, headers=kind, content=json.dumps(body))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            problem(401, detail="The token has expired."),
            f"The DOME server {SERVER} does not take this token. The token has expired. Set "
            "DOME_API_TOKEN to a valid one; `dome-mcp token create`, run where the data are, "
            "makes it.",
        ),
        (problem(403, hint="Use another."), "Why. Use another."),
        (
            problem(429, headers={"retry-after": "17"}),
            f"The DOME server {SERVER} has had too many requests from this token or network. "
            "Wait 17 seconds, then try again.",
        ),
        (problem(503, hint="Try again.", headers={"retry-after": "5"}), "Why. Try again."),
        (problem(500, hint="See the log.", reference="0a1b"), "Why."),
        (
            problem(422, errors=[{"location": "query.limit", "message": "Too big"}]),
            "limit: Too big.",
        ),
        (
            httpx.Response(404, text="<html>"),
            f"{SERVER} answers with HTTP 404, and not as DOME does. Check DOME_API_URL; "
            "`dome-mcp doctor` says what answers there.",
        ),
        (
            httpx.Response(302, headers={"location": "https://elsewhere.example"}),
            f"{SERVER} sends requests to another address. Set DOME_API_URL to the address it has "
            "now; the token goes nowhere else.",
        ),
        (
            httpx.Response(200, text="<html>Sign in to the hotel's network</html>"),
            f"{SERVER} gave an answer that DOME does not give. Check DOME_API_URL; "
            "`dome-mcp doctor` says what answers there.",
        ),
        (
            httpx.ConnectTimeout("slow"),
            f"The DOME server {SERVER} cannot be reached. Check the network and DOME_API_URL, "
            "then try again. Nothing was sent.",
        ),
        (
            httpx.ReadTimeout("slow"),
            f"The DOME server {SERVER} did not answer in time. What was asked for may be done "
            "all the same: look before you ask for it again.",
        ),
    ],
)
async def test_each_refusal_says_what_happened_and_what_to_do(
    served: Serving, tmp_path: Path, answer: httpx.Response | Exception, words: str
) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        laptop.line.troubles += [answer] * 3
        assert await refused(client, "list_notes") == words


async def test_an_answer_that_was_lost_is_asked_for_again_and_written_once(
    served: Serving, tmp_path: Path
) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        laptop.line.loses = 2
        await call(client, "create_task", description="Paint")
        tasks = (await call(client, "list_tasks"))["tasks"]
    assert [task["description"] for task in tasks] == ["Paint"]
    posts = [request for request in laptop.line.sent if request.method == "POST"]
    assert len(posts) == 3
    assert len({request.headers["idempotency-key"] for request in posts}) == 1


async def test_a_change_whose_answer_was_lost_is_not_made_a_second_time(
    served: Serving, tmp_path: Path
) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        note_id = (await call(client, "ingest", text=LISBON))["note_id"]
        laptop.line.loses = 1
        message = await refused(client, "update_note", note_id=note_id, title="May")
        assert "may be done all the same" in message
        laptop.line.loses = 1
        assert "broke off" in await refused(client, "delete_note", note_id=note_id)
    assert [each.split()[0] for each in laptop.line.asked] == ["POST", "PATCH", "DELETE"]


async def test_what_never_reached_the_server_is_sent_again_whatever_it_is(
    served: Serving, tmp_path: Path
) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        note_id = (await call(client, "ingest", text=LISBON))["note_id"]
        laptop.line.troubles += [httpx.ConnectError("down")] * 2
        changed = await call(client, "update_note", note_id=note_id, title="May", revision=1)
    assert changed["revision"] == 2


async def test_a_proxy_that_cannot_reach_the_server_is_asked_again(
    served: Serving, tmp_path: Path
) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        laptop.line.troubles += [httpx.Response(502, text="<html>"), httpx.Response(523)]
        assert (await call(client, "list_notes"))["notes"] == []
        assert laptop.line.asked == ["GET /api/notes"] * 3


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 503])
async def test_what_the_server_itself_refused_is_not_asked_again(
    served: Serving, tmp_path: Path, status: int
) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        laptop.line.troubles.append(problem(status))
        await refused(client, "list_notes")
        assert len(laptop.line.sent) == 1


async def test_the_token_is_in_no_error(tmp_path: Path) -> None:
    async with httpx.AsyncClient(
        base_url=f"{SERVER}/api/",
        headers={"Authorization": "Bearer secret-token"},
        transport=httpx.MockTransport(lambda _: httpx.Response(401)),
    ) as http:
        with pytest.raises(Forbidden) as caught:
            await Api(http).get("me")
    assert "secret-token" not in str(caught.value)


async def test_an_answer_that_breaks_off_while_it_is_made_is_an_error(
    served: Serving, tmp_path: Path
) -> None:
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b'event: passages\ndata: {"passages": []}\n\n'
            raise httpx.ReadError("the connection broke off")

    class Cut(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b': ping\n\nevent: delta\ndata: {"text": "Anna"}\n\n'

    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        kind = {"content-type": "text/event-stream"}
        laptop.line.troubles.append(httpx.Response(200, headers=kind, stream=Broken()))
        assert "broke off" in await refused(client, "rag_answer", question="Which hotel?")
        laptop.line.troubles.append(httpx.Response(200, headers=kind, stream=Cut()))
        message = await refused(client, "rag_answer", question="Which hotel?")
        assert message.startswith(f"{SERVER} gave an answer that DOME does not give.")


async def test_a_question_whose_answer_was_lost_is_not_put_a_second_time(
    served: Serving, tmp_path: Path
) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        laptop.line.loses = 1
        assert "broke off" in await refused(client, "rag_answer", question="Which hotel?")
        assert laptop.line.asked == ["POST /api/chat"]


async def test_an_error_amid_the_events_is_told_in_the_servers_words(
    served: Serving, tmp_path: Path
) -> None:
    event = json.dumps({"status": 503, "detail": "The model is busy.", "hint": "Try again."})
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        kind = {"content-type": "text/event-stream"}
        text = f"event: error\ndata: {event}\n\n"
        laptop.line.troubles.append(httpx.Response(200, headers=kind, text=text))
        message = await refused(client, "rag_answer", question="Which hotel?")
    assert message == "The model is busy. Try again."


async def test_a_server_that_is_away_for_good_is_given_up(served: Serving, tmp_path: Path) -> None:
    async with laptop_of(served, tmp_path / "laptop") as laptop:
        laptop.line.troubles += [httpx.ConnectError("down")] * 9
        with pytest.raises(BackendUnavailable):
            await laptop.api.get("me")
        assert len(laptop.line.sent) == 3
