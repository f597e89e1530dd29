"""POST /api/ingest: what is small is stored at once, the rest becomes a job."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from dome_mcp.app import Dome
from dome_mcp.core.jobs import JobPolicy
from dome_mcp.core.ports import Statement
from dome_mcp.feed import Change
from dome_mcp.remote.jobs import running_jobs
from dome_mcp.tools.uris import note_uri
from tests.remote.rest.conftest import Api, problem_in
from tests.serving import Serving

pytestmark = pytest.mark.anyio

PLAN = b"# The plan\n\nPaint the fence green before the winter comes.\n"
BOUNDARY = "a-boundary"
IMPATIENT = JobPolicy(retry_seconds=(0.01,), idle_seconds=0.05)


def large(first: str = "The long plan.") -> bytes:
    """A text of over a megabyte, quickly parsed: one line of words."""
    return f"{first}\n\n".encode() + b"fence " * 170_000 + b"\n"


async def finished(api: Api, location: str) -> dict[str, Any]:
    """The job once it is over."""
    with anyio.fail_after(20):
        while True:
            job = (await api.get(location)).json()
            if job["state"] in ("done", "failed"):
                return job
            await anyio.sleep(0.02)


def spooled(served: Serving) -> list[str]:
    return sorted(path.name for path in (served.dome.settings.home / "incoming").glob("*"))


@asynccontextmanager
async def working(served: Serving, policy: JobPolicy = IMPATIENT) -> AsyncIterator[Dome]:
    """The loop that does jobs, for as long as the block runs."""
    dome = await served.door.dome()
    async with running_jobs(dome, policy):
        yield dome


async def test_a_text_is_stored_at_once_and_once(api: Api):
    body = {"text": PLAN.decode(), "tags": ["House"], "context": "garden"}
    first = await api.post("/api/ingest", json=body)
    again = await api.post("/api/ingest", json=body)
    assert first.status_code == 201
    stored = first.json()
    assert (stored["title"], stored["duplicate"]) == ("The plan", False)
    assert first.headers["location"] == f"/api/notes/{stored['note_id']}"
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    note = (await api.get(first.headers["location"])).json()
    assert (note["tags"], note["context"]) == (["house"], "garden")


async def test_a_small_file_is_stored_at_once_with_its_labels(api: Api, served: Serving):
    response = await api.post(
        "/api/ingest",
        files={"file": ("plan.md", PLAN, "text/markdown")},
        data={"tags": ["a", "b"], "title": "Fence", "created_at": "2026-03-01"},
    )
    assert response.status_code == 201, response.text
    note = (await api.get(response.headers["location"])).json()
    assert (note["title"], note["tags"], note["source"]) == ("Fence", ["a", "b"], "plan.md")
    assert note["date"] == "2026-03-01T00:00:00+01:00"  # of the user's zone, Berlin
    original = await api.get(f"{response.headers['location']}/original")
    assert original.content == PLAN
    assert spooled(served) == []


async def test_a_date_without_an_offset_is_of_the_callers_own_zone(api: Api):
    ann = api.as_("ann", "notes:write", "notes:read", zone="Asia/Tokyo")
    response = await ann.post(
        "/api/ingest", files={"file": ("a.txt", b"words")}, data={"created_at": "2026-03-01"}
    )
    note = (await ann.get(response.headers["location"])).json()
    assert note["date"] == "2026-03-01T00:00:00+09:00"


async def test_a_large_file_is_accepted_and_done_by_a_job(api: Api, served: Serving):
    changes: list[Change] = []
    response = await api.post(
        "/api/ingest", files={"file": ("long.txt", large())}, data={"tags": "long"}
    )
    assert response.status_code == 202, response.text
    location = response.headers["location"]
    job = response.json()
    assert (location, job["state"]) == (f"/api/ingest/{job['job_id']}", "queued")
    assert response.headers["retry-after"] == "1"
    waiting = await api.get(location)
    assert (waiting.headers["retry-after"], waiting.json()["state"]) == ("1", "queued")
    assert len(spooled(served)) == 1
    async with working(served) as dome:
        dome.feed.listen(dome.user_id, changes.append)
        job = await finished(api, location)
    assert job["state"] == "done"
    assert "retry-after" not in (await api.get(location)).headers
    note = (await api.get(f"/api/notes/{job['result']['note_id']}")).json()
    assert (note["title"], note["tags"], note["source"]) == (
        *("The long plan.", ["long"], "long.txt"),
    )
    assert any(note_uri(note["note_id"]) in change.uris for change in changes)
    assert spooled(served) == []


async def test_the_job_of_a_text_is_begun_at_once_when_the_loop_is_idle(api: Api, served: Serving):
    async with working(served, JobPolicy(idle_seconds=3600)):
        await anyio.wait_all_tasks_blocked()
        response = await api.post(
            "/api/ingest", json={"text": "Words."}, headers={"Prefer": "respond-async, wait=5"}
        )
        assert response.status_code == 202
        assert response.headers["preference-applied"] == "respond-async"
        assert (await finished(api, response.headers["location"]))["state"] == "done"


async def test_a_file_nobody_can_read_is_refused_at_once_or_fails_its_job(
    api: Api, served: Serving
):
    binary = bytes(range(256)) * 10
    refused = await api.post("/api/ingest", files={"file": ("a.bin", binary)})
    problem = refused.json()
    assert refused.status_code in (415, 422)
    response = await api.post("/api/ingest", files={"file": ("a.bin", binary * 500)})
    assert response.status_code == 202
    async with working(served):
        job = await finished(api, response.headers["location"])
    assert job["state"] == "failed"
    assert job["problem"]["type"] == problem["type"]
    assert job["problem"]["detail"]
    assert "result" not in job
    assert spooled(served) == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "nothing to take in"),
        ({"text": "a", "url": "https://example.org"}, "text and url"),
        ({"url": "file:///etc/passwd"}, "not one of the web"),
        ({"text": "   "}, "no text"),
        ({"text": "a", "tags": ["x" * 200]}, "tag"),
        ({"text": "a", "created_at": "soon"}, "not a date"),
    ],
)
async def test_what_cannot_work_is_refused_at_once(api: Api, body: dict[str, object], told: str):
    prefer = {"Prefer": "respond-async"} if "tags" in body else {}
    response = await api.post("/api/ingest", json=body, headers=prefer)
    assert told in str(problem_in(response, 422, "invalid-input")["detail"])


async def test_a_path_on_the_server_cannot_be_asked_for(api: Api, tmp_path: Path):
    response = await api.post("/api/ingest", json={"path": str(tmp_path / "secret.txt")})
    problem = problem_in(response, 422, "invalid-input")
    assert problem["errors"] == [
        {"location": "body.path", "message": "Extra inputs are not permitted"}
    ]


async def test_a_body_that_is_no_json_is_malformed(api: Api):
    response = await api.post(
        "/api/ingest", content=b"{", headers={"Content-Type": "application/json"}
    )
    problem_in(response, 400, "malformed-request")
    response = await api.post("/api/ingest", content=b"a=b", headers={"Content-Type": "text/plain"})
    problem_in(response, 415, "unsupported-type")


def form(*parts: bytes, end: bool = True) -> bytes:
    pieces = b"".join(b"--%s\r\n%s\r\n" % (BOUNDARY.encode(), part) for part in parts)
    return pieces + (b"--%s--\r\n" % BOUNDARY.encode() if end else b"")


def file_part(data: bytes = b"words", *, field: bytes = b"file", name: bytes = b"a.txt") -> bytes:
    return b'Content-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s' % (
        field,
        name,
        data,
    )


FIELD = b'Content-Disposition: form-data; name="%s"\r\n\r\n%s'


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (form(file_part(), end=False), 400, "not whole"),
        (b"no form at all", 400, "not a multipart form"),
        (form(b"Content-Disposition: form-data\r\n\r\nx"), 400, "no name"),
        (form(file_part(), file_part()), 422, "two files"),
        (form(file_part(field=b"attachment")), 422, "not named `file`"),
        (form(FIELD % (b"title", b"T")), 422, "no file"),
        (form(file_part(), FIELD % (b"title", b"T"), FIELD % (b"title", b"T")), 422, "twice"),
        (form(file_part(), FIELD % (b"path", b"/etc/passwd")), 422, "errors"),
        (form(FIELD % (b"title", b"x" * 70_000), file_part()), 422, "fields"),
        (form(*[FIELD % (b"tags", b"x")] * 101, file_part()), 422, "too many fields"),
        (form(file_part(b"")), 422, ""),
    ],
)
async def test_a_form_that_is_none_is_refused_and_leaves_nothing(
    api: Api, served: Serving, body: bytes, status: int, told: str
):
    response = await api.post(
        "/api/ingest",
        content=body,
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    )
    assert response.status_code == status, response.text
    assert told in response.json()["detail"]
    assert spooled(served) == []


async def test_a_form_without_a_boundary_is_malformed(api: Api):
    response = await api.post(
        "/api/ingest", content=b"x", headers={"Content-Type": "multipart/form-data"}
    )
    problem_in(response, 400, "malformed-request")


async def test_a_file_name_is_only_a_name(api: Api, served: Serving):
    name = b"../../etc/\x01cron.d\\..\\pass\xe2\x80\xaewd.txt"
    response = await api.post(
        "/api/ingest",
        content=form(file_part(name=name)),
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    )
    note = (await api.get(response.headers["location"])).json()
    assert note["source"] == "passwd.txt"


async def test_only_a_token_that_may_write_can_send(api: Api, served: Serving):
    reader = api.as_("ann", "notes:read", "tasks:write")

    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    response = await reader.post(
        "/api/ingest",
        content=never(),
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    )
    problem_in(response, 403, "insufficient-scope")


async def test_a_job_is_seen_by_its_user_alone(api: Api):
    ann, bob = api.as_("ann", "notes:write"), api.as_("bob", "notes:write", "notes:read")
    response = await ann.post(
        "/api/ingest", json={"text": "Words."}, headers={"Prefer": "respond-async"}
    )
    location = response.headers["location"]
    assert (await ann.get(location)).status_code == 200
    theirs = problem_in(await bob.get(location), 404, "not-found")
    nobodys = problem_in(await bob.get(f"{location[:-1]}!"), 404, "not-found")
    assert {**theirs, "detail": ""} == {**nobodys, "detail": ""}
    problem_in(await api.as_("ann", "tasks:read").get(location), 403, "insufficient-scope")


async def test_a_job_has_the_rights_and_the_namespace_of_whoever_asked(api: Api, served: Serving):
    ann = api.as_("ann", "notes:write", "notes:read")
    response = await ann.post("/api/ingest", files={"file": ("long.txt", large())})
    async with working(served):
        job = await finished(ann, response.headers["location"])
    note_id = job["result"]["note_id"]
    assert (await ann.get(f"/api/notes/{note_id}")).status_code == 200
    problem_in(await api.get(f"/api/notes/{note_id}"), 404, "not-found")


@pytest.mark.parametrize("data", [PLAN, large()], ids=["small", "large"])
async def test_a_repeated_form_gets_the_answer_of_the_first(api: Api, served: Serving, data: bytes):
    headers = {"Idempotency-Key": "key-1"}
    sent: dict[str, Any] = {"files": {"file": ("a.txt", data)}, "headers": headers}
    first = await api.post("/api/ingest", **sent)
    again = await api.post("/api/ingest", **sent)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert len(spooled(served)) == (first.status_code == 202)
    other = {**sent, "files": {"file": ("a.txt", data + b"x")}}
    problem_in(await api.post("/api/ingest", **other), 422, "reused-key")
    assert len(spooled(served)) == (first.status_code == 202)


async def test_a_form_repeated_after_its_answer_was_lost_is_one_job(api: Api, served: Serving):
    sent: dict[str, Any] = {
        "files": {"file": ("a.txt", large())},
        "headers": {"Idempotency-Key": "key-1"},
    }
    first = await api.post("/api/ingest", **sent)
    forget = Statement("UPDATE idempotency SET status = NULL, body = NULL")
    await served.dome.ports.database.query(forget)
    again = await api.post("/api/ingest", **sent)
    assert again.json()["job_id"] == first.json()["job_id"]
    assert len(spooled(served)) == 1
    async with working(served):
        job = await finished(api, first.headers["location"])
    assert (job["state"], job["result"]["duplicate"]) == ("done", False)
    await served.dome.ports.database.query(forget)
    late = await api.post("/api/ingest", **sent)
    assert (late.json()["state"], late.json()["result"]) == ("done", job["result"])
    assert spooled(served) == []
