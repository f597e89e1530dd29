"""Uploads: a signed URL takes one file without a token, and one ingest consumes it."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from dome_mcp.core.ports import Statement
from dome_mcp.services.uploads import MAX_WAITING
from tests.remote.rest.conftest import Api, api_over, problem_in
from tests.remote.rest.test_ingest import PLAN, finished, large, spooled, working
from tests.serving import Serving, settings_in

pytestmark = pytest.mark.anyio


async def announce(api: Api, **changes: Any) -> dict[str, Any]:
    response = await api.post("/api/uploads", json={"filename": "plan.md", **changes})
    assert response.status_code == 201, response.text
    return response.json()


async def put(api: Api, url: str, data: bytes, **headers: str) -> httpx.Response:
    """Sends the file as somebody without a token would."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app)) as stranger:
        return await stranger.put(url, content=data, headers=headers)


async def uploaded(api: Api, data: bytes = PLAN, **changes: Any) -> str:
    upload = await announce(api, **changes)
    response = await put(api, upload["url"], data)
    assert response.status_code == 201, response.text
    return upload["upload_id"]


async def test_an_upload_is_announced_sent_and_ingested(api: Api, served: Serving):
    upload = await announce(api, filename="../plan.md", content_type="text/markdown")
    assert upload["method"] == "PUT"
    assert upload["max_bytes"] == served.dome.settings.max_document_bytes
    assert upload["url"].startswith(f"http://dome.test/api/uploads/{upload['upload_id']}?")
    sent = await put(api, upload["url"], PLAN)
    assert sent.status_code == 201
    assert sent.json()["bytes"] == len(PLAN)
    response = await api.post("/api/ingest", json={"upload_id": upload["upload_id"], "tags": ["a"]})
    assert response.status_code == 201, response.text
    note = (await api.get(response.headers["location"])).json()
    assert (note["title"], note["tags"], note["source"]) == ("The plan", ["a"], "plan.md")
    assert spooled(served) == []


WAITING = """
INSERT INTO jobs (job_id, user_id, kind, request, state, attempt, failures, not_before_ms,
  created_at_ms, updated_at_ms)
SELECT value, ?1, 'ingest', '{}', 'queued', 0, 0, 1e15, 0, 0 FROM json_each(?2)"""

HERE = """
INSERT INTO uploads (upload_id, user_id, filename, bytes, max_bytes, sha256, state, created_at_ms,
  expires_at_ms)
SELECT value, ?1, 'a', 100000000, 100000000, 'x', 'complete', 0, 1e15 FROM json_each(?2)"""


@pytest.mark.parametrize(("table", "count"), [("jobs", MAX_WAITING), ("uploads", 20)])
async def test_a_user_with_much_that_waits_sends_no_more_and_others_do(
    api: Api, served: Serving, table: str, count: int
):
    ann, bob = api.as_("ann", "notes:write"), api.as_("bob", "notes:write")
    announced = await announce(ann)
    statement = WAITING if table == "jobs" else HERE
    ids = json.dumps([f"{table}{number}" for number in range(count)])
    database = (await served.door.dome()).ports.database
    await database.query(Statement(statement, ("ann", ids)))
    body, form = {"text": "Words."}, {"file": ("a.md", PLAN)}
    for refused in (
        await ann.post("/api/uploads", json={"filename": "a.md"}),
        await put(ann, announced["url"], PLAN),
        await ann.post("/api/ingest", files=form),
        await ann.post("/api/ingest", json=body, headers={"Prefer": "respond-async"}),
    ):
        problem_in(refused, 507, "out-of-space")
    assert (await ann.post("/api/ingest", json=body)).status_code == 201
    assert (await bob.post("/api/ingest", files=form)).status_code == 201


async def test_an_upload_is_consumed_once_however_often_it_is_asked_for(api: Api, served: Serving):
    upload_id = await uploaded(api)
    first = await api.post("/api/ingest", json={"upload_id": upload_id})
    again = await api.post("/api/ingest", json={"upload_id": upload_id})
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    listed = await api.get("/api/notes")
    assert len(listed.json()["notes"]) == 1


async def test_a_large_upload_becomes_one_job(api: Api, served: Serving):
    upload_id = await uploaded(api, large())
    first = await api.post("/api/ingest", json={"upload_id": upload_id})
    again = await api.post("/api/ingest", json={"upload_id": upload_id})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["job_id"] == again.json()["job_id"]
    async with working(served):
        job = await finished(api, first.headers["location"])
    late = await api.post("/api/ingest", json={"upload_id": upload_id})
    assert (late.status_code, late.json()) == (201, job["result"])
    assert spooled(served) == []


async def test_an_upload_that_cannot_be_read_is_refused_however_often(api: Api):
    upload_id = await uploaded(api, bytes(range(256)) * 10)
    first = await api.post("/api/ingest", json={"upload_id": upload_id})
    again = await api.post("/api/ingest", json={"upload_id": upload_id})
    assert first.status_code in (415, 422)
    assert (first.status_code, first.json()) == (again.status_code, again.json())


@pytest.mark.parametrize("name", ["signature", "expires"])
@pytest.mark.parametrize("change", ["another", "none"])
async def test_a_changed_url_is_refused_before_a_byte_is_read(
    api: Api, served: Serving, name: str, change: str
):
    upload = await announce(api)
    parts = urlsplit(upload["url"])
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    del query[name]
    if change == "another":
        query[name] = {"signature": "0" * 64, "expires": "99999999999"}[name]

    async def never():
        raise AssertionError("the body was read")
        yield b""

    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://dome.test") as stranger:
        response = await stranger.put(parts.path, params=query, content=never())
    problem_in(response, 403, "forbidden")
    assert spooled(served) == []


async def test_an_unknown_upload_is_refused_like_a_wrong_signature(api: Api):
    upload = await announce(api)
    wrong = await put(api, upload["url"].replace("signature=", "signature=0"), PLAN)
    unknown = await put(api, upload["url"].replace(upload["upload_id"], "0" * 26), PLAN)
    assert problem_in(wrong, 403, "forbidden") == problem_in(unknown, 403, "forbidden")


async def test_a_url_is_for_its_own_upload_alone(api: Api):
    first, second = await announce(api), await announce(api)
    assert first["upload_id"] != second["upload_id"]
    swapped = first["url"].replace(first["upload_id"], second["upload_id"])
    problem_in(await put(api, swapped, PLAN), 403, "forbidden")


async def test_the_same_file_again_changes_nothing_and_another_conflicts(api: Api, served: Serving):
    upload = await announce(api)
    first = await put(api, upload["url"], PLAN)
    again = await put(api, upload["url"], PLAN)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    problem_in(await put(api, upload["url"], PLAN + b"!"), 409, "conflict")
    assert len(spooled(served)) == 1
    await api.post("/api/ingest", json={"upload_id": upload["upload_id"]})
    assert (await put(api, upload["url"], PLAN)).status_code == 201
    assert spooled(served) == []


async def test_an_upload_of_another_user_is_not_there(api: Api):
    upload_id = await uploaded(api)
    ann = api.as_("ann", "notes:write")
    theirs = await ann.post("/api/ingest", json={"upload_id": upload_id})
    nobodys = await ann.post("/api/ingest", json={"upload_id": "0" * 26})
    assert problem_in(theirs, 404, "not-found") | {"detail": ""} == problem_in(
        nobodys, 404, "not-found"
    ) | {"detail": ""}


async def test_an_upload_that_has_not_come_cannot_be_ingested(api: Api):
    upload = await announce(api)
    response = await api.post("/api/ingest", json={"upload_id": upload["upload_id"]})
    problem_in(response, 409, "conflict")


async def test_a_file_of_another_size_than_announced_is_refused(api: Api, served: Serving):
    upload = await announce(api, bytes=10)
    assert upload["max_bytes"] == 10
    problem_in(await put(api, upload["url"], b"short"), 422, "invalid-input")
    problem_in(await put(api, upload["url"], b"much too long"), 413, "too-large")
    problem_in(await put(api, upload["url"], b""), 422, "invalid-input")
    assert spooled(served) == []
    assert (await put(api, upload["url"], b"just right")).status_code == 201


async def test_a_file_over_the_limit_is_refused_in_words(api: Api, served: Serving):
    limit = settings_in(served.door.settings.home).max_document_bytes
    response = await api.post("/api/uploads", json={"filename": "a", "bytes": limit + 1})
    assert "100.0 MB" in str(problem_in(response, 413, "too-large")["detail"])
    upload = await announce(api)
    declared = await put(api, upload["url"], b"x", **{"Content-Length": str(limit + 1)})
    assert "100.0 MB" in str(problem_in(declared, 413, "too-large")["detail"])


async def test_an_announcement_that_is_repeated_is_the_same_upload(api: Api):
    headers = {"Idempotency-Key": "key"}
    body = {"filename": "a.txt"}
    first = await api.post("/api/uploads", json=body, headers=headers)
    again = await api.post("/api/uploads", json=body, headers=headers)
    assert first.json() == again.json()


async def test_only_a_token_that_may_write_can_announce(api: Api):
    reader = api.as_("ann", "notes:read")
    response = await reader.post("/api/uploads", json={"filename": "a"})
    problem_in(response, 403, "insufficient-scope")


async def test_the_url_has_the_address_that_clients_know(served: Serving):
    served.door.settings = replace(served.door.settings, public_url="https://dome.example.org/")
    async with api_over(served.door) as api:
        upload = await announce(api)
    assert upload["url"].startswith("https://dome.example.org/api/uploads/")
