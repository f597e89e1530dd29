"""What the Worker does around the API: who gets in, and what happens after an answer."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import anyio
import anyio.lowlevel
import pytest

from dome_mcp.core.access import SCOPES
from dome_mcp.core.links import LinkVerb, sign
from dome_mcp.core.ports import Ports, Row, Statement
from dome_mcp.link_pages import link_secret
from dome_mcp.services.reminders import NewReminder, create_reminder
from dome_mcp.store.notes import to_int
from tests.companion_workers.api.conftest import OWNER, WorkerAgenda, WorkerApi
from tests.companion_workers.conftest import PUBLIC_URL
from tests.remote.rest.conftest import problem_in
from tests.simulators.webhook_sink import WebhookSink
from worker_companions.api.requests import Incoming

pytestmark = pytest.mark.anyio

BURST = 100
"""Of a token, at 600 requests a minute."""
AUDITED = "SELECT user_id, credential, source, action, outcome FROM audit ORDER BY audit_key"
LONG = "\n\n".join(
    f"# Chapter {n}\n\n{'The owl of chapter ' + str(n) + '. ' * 60}" for n in range(12)
)


async def audited(ports: Ports, count: int) -> list[Row]:
    """The entries of the audit log, when there are so many; they are written after the answer."""
    while True:
        rows = await ports.database.query(Statement(AUDITED))
        if len(rows) >= count:
            return list(rows)


async def link_to(ports: Ports, action: LinkVerb, reminder_id: str) -> str:
    """The path of a link of the one notice there is."""
    (row,) = await ports.database.query(Statement("SELECT due_at_ms FROM firings"))
    token = sign(
        await link_secret(ports.database),
        action,
        user_id=OWNER,
        reminder_id=reminder_id,
        due_at_ms=to_int(row["due_at_ms"]),
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    return f"/link/{token}"


async def test_whoever_has_no_token_or_a_wrong_one_is_told_how_to_get_in(api: WorkerApi):
    stranger = api.unknown()
    answer = await stranger.get("/api/notes")
    assert "Bearer" in answer.headers["www-authenticate"]
    problem_in(answer, 401, "unauthenticated")
    forged = {"Authorization": f"Bearer dome_{'A' * 60}"}
    problem_in(await stranger.get("/api/notes", headers=forged), 401, "unauthenticated")
    problem_in(await stranger.get("/api/nowhere"), 401, "unauthenticated")
    problem_in(await api.get("/api/nowhere"), 404, "not-found")
    problem_in(await api.get("/nowhere"), 404, "not-found")


async def test_a_token_lets_in_until_it_is_revoked(api: WorkerApi, ports: Ports):
    assert (await api.get("/api/me")).json()["user_id"] == OWNER
    await ports.database.query(Statement("UPDATE tokens SET revoked_at_ms = ?1", (1,)))
    problem_in(await api.get("/api/me"), 401, "unauthenticated")


async def test_who_knows_all_ids_of_another_user_gets_at_nothing_of_theirs(api: WorkerApi):
    note = (await api.post("/api/notes", json={"text": "Mine."})).json()["note_id"]
    task = (await api.post("/api/tasks", json={"description": "Mine."})).json()["task"]["task_id"]
    asked = {"text": "Mine.", "at": "+1h"}
    reminder = (await api.post("/api/reminders", json=asked)).json()["reminder"]["reminder_id"]
    bob = api.as_("bob", *SCOPES)
    anything = {"If-Match": "*"}
    for method, path, sent in (
        ("GET", f"/api/notes/{note}", None),
        ("GET", f"/api/notes/{note}/original", None),
        ("PATCH", f"/api/notes/{note}", {"title": "Taken"}),
        ("DELETE", f"/api/notes/{note}", None),
        ("GET", f"/api/tasks/{task}", None),
        ("PATCH", f"/api/tasks/{task}", {"description": "Taken"}),
        ("POST", f"/api/tasks/{task}/complete", None),
        ("POST", "/api/tasks", {"description": "Read it", "note_ids": [note]}),
        ("GET", f"/api/reminders/{reminder}", None),
        ("POST", f"/api/reminders/{reminder}/cancel", None),
    ):
        answer = await bob.request(method, path, json=sent, headers=anything)
        problem_in(answer, 404, "not-found")
    for path in ("/api/notes", "/api/tasks", "/api/reminders?state=all"):
        assert "Mine." not in (await bob.get(path)).text
        assert "Mine." in (await api.get(path)).text


async def test_a_page_from_elsewhere_is_refused_and_the_documentation_is_for_everybody(
    api: WorkerApi,
):
    elsewhere = {"Origin": "https://evil.example"}
    problem_in(await api.get("/api/me", headers=elsewhere), 403, "forbidden")
    document = (await api.unknown().get("/api/openapi.json")).json()
    assert {"/notes", "/search", "/chat", "/ingest", "/tasks", "/channels"} <= set(
        document["paths"]
    )
    assert "/uploads" not in document["paths"]
    assert (await api.unknown().get("/readyz")).text == "ready"


async def test_a_token_that_asks_too_often_has_to_wait(api: WorkerApi):
    busy = api.as_("busy", "notes:read")
    await busy.get("/api/me")
    answers = []

    async def ask() -> None:
        answers.append(await busy.get("/api/me"))

    async with anyio.create_task_group() as tasks:
        for _ in range(BURST + 50):
            tasks.start_soon(ask)
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) <= 50
    problem_in(refused[0], 429, "too-many-requests")
    assert int(refused[0].headers["retry-after"]) >= 1
    assert (await api.get("/api/me")).status_code == 200


async def test_a_body_that_is_too_long_is_refused_whether_it_says_so_or_not(api: WorkerApi):
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"x" * 1_000_000

    headers = {"Content-Type": "application/json"}
    for content in (pieces(), b"x" * 9_000_000):
        answer = await api.post("/api/notes", content=content, headers=headers)
        problem_in(answer, 413, "too-large")


async def test_of_a_body_no_more_is_read_than_tells_that_it_is_too_long():
    taken: list[int] = []

    async def endless() -> AsyncIterator[SimpleNamespace]:
        while True:
            taken.append(1_000)
            yield SimpleNamespace(byteLength=1_000)

    request = SimpleNamespace(method="POST", url="https://d.example", headers={}, body=endless())
    incoming = Incoming(request, max_bytes=2_500)
    assert incoming.body is not None
    assert len([piece async for piece in incoming.body]) == 3
    assert sum(taken) == 3_000


async def test_every_request_leaves_an_entry_in_the_audit_log(api: WorkerApi, ports: Ports):
    where = {"CF-Connecting-IP": "192.0.2.7"}
    await api.post("/api/notes", json={"text": "Seen."}, headers=where)
    await api.as_("ann", "notes:read").delete("/api/notes/x", headers=where)
    kept, refused = await audited(ports, 2)
    assert (kept["user_id"], kept["action"], kept["outcome"]) == (OWNER, "POST /api/notes", "ok")
    assert kept["source"] == "192.0.2.7"
    assert (refused["user_id"], refused["outcome"]) == ("ann", "refused")


async def test_a_channel_that_no_worker_serves_is_kept_and_its_trial_says_who_sends_by_it(
    api: WorkerApi,
):
    draft = {"name": "tele", "kind": "apprise", "address": "json://127.0.0.1/"}
    assert (await api.post("/api/channels", json=draft)).status_code == 201
    tried = (await api.post("/api/channels/tele/test")).json()
    assert tried["error"]["message"] == "Nothing is sent by apprise from here."


async def test_mail_by_the_account_of_the_worker_is_for_its_owner(api: WorkerApi):
    ann = api.as_("ann", "tasks:read", "tasks:write")
    draft = {"name": "mail", "kind": "email", "address": "cloudflare:a@b.example?from=c@d.example"}
    problem_in(await ann.post("/api/channels", json=draft), 403, "forbidden")
    assert (await api.post("/api/channels", json=draft)).status_code == 201
    assert (await api.post("/api/channels/mail/test")).json()["error"] is None


async def test_the_link_of_a_notice_shows_what_it_does_and_does_it_when_pressed(
    api: WorkerApi, ports: Ports, agenda: WorkerAgenda
):
    asked = {"text": "Call Ada", "at": "+5m"}
    reminder = (await api.post("/api/reminders", json=asked)).json()["reminder"]
    assert await agenda.fire(minutes=6) == 1
    link = await link_to(ports, "done", reminder["reminder_id"])
    browser = api.unknown()
    shown = await browser.get(link)
    assert "Call Ada" in shown.text
    assert len((await api.get("/api/inbox")).json()["inbox"]) == 1
    assert (await browser.post(link)).status_code == 200
    assert (await api.get("/api/inbox")).json()["inbox"] == []
    assert (await browser.post(f"{link[:-2]}xx")).status_code == 403


async def test_a_reminder_that_was_set_here_fires_at_its_second_without_a_cron(
    api: WorkerApi, sink: WebhookSink
):
    hook = {"name": "hook", "kind": "webhook", "address": sink.url(), "allow_private": True}
    assert (await api.post("/api/channels", json=hook)).status_code == 201
    at = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    added = await api.post("/api/reminders", json={"text": "Tea", "at": at, "channels": ["hook"]})
    assert added.status_code == 201, added.text
    while not sink.posted:
        await anyio.lowlevel.checkpoint()
    assert sink.posted[0].json["text"] == "Tea"
    assert sink.posted[0].json["actions"][0]["url"].startswith(f"{PUBLIC_URL}/link/")


async def test_a_link_that_is_pressed_sets_the_clock_of_its_user(
    api: WorkerApi, ports: Ports, agenda: WorkerAgenda, sink: WebhookSink
):
    hook = {"name": "hook", "kind": "webhook", "address": sink.url(), "allow_private": True}
    assert (await api.post("/api/channels", json=hook)).status_code == 201
    asked = {"text": "Call Ada", "at": "+5m", "channels": ["hook"]}
    reminder = (await api.post("/api/reminders", json=asked)).json()["reminder"]
    assert await agenda.fire(minutes=6) == 1
    link = await link_to(ports, "snooze", reminder["reminder_id"])
    # Of this one no clock was told, and no cron runs.
    new = NewReminder(text="Tea", at="+1h", channels=("hook",))
    before = datetime.now(UTC) + timedelta(seconds=3) - timedelta(hours=1)
    await create_reminder(new, ports, user_id=OWNER, now=before, zone="UTC")
    assert (await api.unknown().post(link)).status_code == 200
    while not any(posted.json["text"] == "Tea" for posted in sink.posted):
        await anyio.lowlevel.checkpoint()


async def test_what_was_asked_is_remembered_beside_the_rows_and_goes_with_its_user(
    api: WorkerApi, ports: Ports
):
    ann = api.as_("ann", *SCOPES)
    await ann.post("/api/chat", json={"question": "Who painted the ceiling?"})
    assert len((await ann.get("/api/sessions")).json()["sessions"]) == 1
    assert await ports.database.query(Statement("SELECT * FROM exchanges")) == []
    await ports.database.query(Statement("DELETE FROM users WHERE user_id = 'ann'"))
    again = api.as_("ann", *SCOPES)
    assert (await again.get("/api/sessions")).json() == {"sessions": []}


async def test_a_long_note_is_found_by_words_at_once_and_gets_its_vectors_from_the_ingest_worker(
    api: WorkerApi,
):
    added = await api.post("/api/notes", json={"text": LONG})
    assert added.json()["status"] == "indexing"
    found = (await api.get("/api/search", params={"q": "owl", "mode": "keyword"})).json()
    assert found["passages"]
    while (await api.get("/api/status")).json()["pending_chunks"]:
        pass


async def test_a_file_is_a_job_that_the_ingest_worker_does(api: WorkerApi):
    files = {"file": ("trip.md", b"# Lisbon\n\nThe hotel is called Miramar.", "text/markdown")}
    accepted = await api.post("/api/ingest", files=files, data={"tags": ["travel"]})
    assert accepted.status_code == 202, accepted.text
    while (job := (await api.get(accepted.headers["location"])).json())["state"] != "done":
        assert job["state"] != "failed", job
    note = (await api.get(f"/api/notes/{job['result']['note_id']}")).json()
    assert (note["title"], note["tags"]) == ("Lisbon", ["travel"])
    problem_in(await api.post("/api/ingest", json={"url": "https://e.org"}), 422, "invalid-input")
    text = {"text": "Anna's new number is 555 0199."}
    assert (await api.post("/api/ingest", json=text)).status_code == 201
