"""Sessions over REST: listed, read, deleted."""

import pytest

from tests.remote.rest.conftest import Api, problem_in
from tests.serving import LISBON

pytestmark = pytest.mark.anyio

QUESTION = "Which hotel did Anna book?"


async def ask(api: Api, **more: str) -> dict[str, str]:
    response = await api.post("/api/chat", json={"question": QUESTION, **more})
    assert response.status_code == 200, response.text
    return response.json()


async def test_what_was_asked_is_listed_and_read_with_its_answer(api: Api) -> None:
    note_id = (await api.post("/api/notes", json={"text": LISBON})).json()["note_id"]
    answer = await ask(api)
    session_id = answer["session_id"]
    await ask(api, session_id=session_id)
    (listed,) = (await api.get("/api/sessions")).json()["sessions"]
    assert (listed["session_id"], listed["question"], listed["exchanges"]) == (
        *(session_id, QUESTION), 2
    )  # fmt: skip
    assert listed["began_at"] <= listed["last_at"]
    shown = (await api.get(f"/api/sessions/{session_id}")).json()
    assert [each["question"] for each in shown["exchanges"]] == [QUESTION] * 2
    first = shown["exchanges"][0]
    assert (first["answer"], first["note_ids"]) == (answer["answer"], [note_id])
    assert first["asked_at"] == listed["began_at"]


async def test_a_deleted_session_is_there_no_more(api: Api) -> None:
    session_id = (await ask(api))["session_id"]
    assert (await api.delete(f"/api/sessions/{session_id}")).status_code == 204
    assert (await api.get("/api/sessions")).json() == {"sessions": []}
    for answer in (
        await api.get(f"/api/sessions/{session_id}"),
        await api.delete(f"/api/sessions/{session_id}"),
    ):
        problem_in(answer, 404, "not-found")


async def test_a_token_that_only_reads_cannot_delete(api: Api) -> None:
    session_id = (await ask(api))["session_id"]
    reader = api.as_("me", "notes:read")
    assert (await reader.get(f"/api/sessions/{session_id}")).status_code == 200
    problem_in(await reader.delete(f"/api/sessions/{session_id}"), 403, "insufficient-scope")
