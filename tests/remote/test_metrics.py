"""The figures at `/metrics`: what is counted, for whom, and that strangers cannot make series."""

import logging

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dome_mcp.remote.metrics import Metrics
from dome_mcp.services.companions import beat
from dome_mcp.services.figures import Figures
from tests.remote.serving_http import Served
from tests.serving import LISBON, call, refused

pytestmark = pytest.mark.anyio

NOTHING = Figures(0, 0, 0, 0, 0, 0, has_companion=False, companion_lag_seconds=0.0)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def test_the_figures_want_the_scope_admin(endpoint: Served) -> None:
    every_other = ("notes:read", "notes:write", "tasks:read", "tasks:write")
    async with endpoint.client(await endpoint.token(*every_other)) as client:
        refusal = await client.get("/metrics")
    async with endpoint.client(await endpoint.token("admin")) as client:
        given = await client.get("/metrics")
    assert refusal.status_code == 403
    assert 'scope="admin"' in refusal.headers["www-authenticate"]
    assert given.status_code == 200
    assert given.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert given.headers["cache-control"] == "no-store"


async def test_requests_are_counted_by_the_template_of_their_route(endpoint: Served) -> None:
    async with endpoint.client(await endpoint.token()) as client:
        stored = (await client.post("/api/notes", json={"text": LISBON})).json()
        await client.get(f"/api/notes/{stored['note_id']}")
        await client.get("/api/notes/01HZZZZZZZZZZZZZZZZZZZZZZZ")
        await client.get("/nothing/here")
        await client.get("/api/nothing/here")
    counted = await _figures(endpoint)
    name, note = "dome_http_requests_total", "/api/notes/{note_id}"
    assert counted[_series(name, method="GET", route=note, status="200")] == 1
    assert counted[_series(name, method="GET", route=note, status="404")] == 1
    assert counted[_series(name, method="GET", route="none", status="404")] == 1
    assert counted[_series(name, method="GET", route="/api", status="404")] == 1
    assert counted[_series("dome_http_request_seconds_count", method="GET", route=note)] == 2


async def test_strangers_make_no_series(endpoint: Served) -> None:
    async with endpoint.client() as nobody:
        for number in range(20):
            await nobody.request(f"BREW{number}", f"/pot/{number}", headers={"Host": f"h{number}"})
    async with endpoint.client(await endpoint.token()) as client:
        for number in range(20):
            await client.get(f"/nothing/{number}")
            await client.request(f"BREW{number}", "/api/notes")
        for number in range(20):
            message = {"method": "tools/call", "params": {"name": f"tool{number}"}}
            await client.post("/mcp", json={"jsonrpc": "2.0", "id": number, **message})
    counted = await _figures(endpoint)
    said = " ".join(value for _, labels in counted for _, value in labels)
    assert "pot" not in said
    assert "BREW" not in said
    assert "tool1" not in said


async def test_calls_are_counted_by_how_they_ended(endpoint: Served) -> None:
    async with endpoint.mcp(await endpoint.token()) as client:
        await call(client, "ingest", text=LISBON)
        await refused(client, "get_note", note_id="none")
        await client.read_resource("dome://status")
    counted = await _figures(endpoint)
    name = "dome_mcp_calls_total"
    assert counted[_series(name, action="tools/call ingest", outcome="ok")] == 1
    assert counted[_series(name, action="tools/call get_note", outcome="refused")] == 1
    assert counted[_series(name, action="resources/read dome://status", outcome="ok")] == 1
    assert counted[_series("dome_mcp_call_seconds_count", action="tools/call ingest")] == 1


async def test_sessions_and_streams_are_those_that_are_open(endpoint: Served) -> None:
    token = await endpoint.token()
    async with (
        endpoint.mcp(token, era="legacy"),
        endpoint.client(token) as client,
        client.stream("GET", "/sse"),
    ):
        opened = await _figures(endpoint)
        assert opened[_series("dome_mcp_sessions")] == 1
        assert opened[_series("dome_http_streams_open")] >= 1
        # This very request.
        assert opened[_series("dome_http_requests_in_flight")] == 1
    with anyio.fail_after(10):
        while True:
            closed = await _figures(endpoint)
            if closed[_series("dome_http_streams_open")] == 0:
                break
    assert closed[_series("dome_mcp_sessions")] == 0
    assert closed[_series("dome_http_requests_in_flight")] == 1


async def test_what_waits_is_counted_over_all_users(endpoint: Served) -> None:
    for user in ("ann", "bob"):
        async with endpoint.mcp(await endpoint.token(user=user)) as client:
            await call(client, "ingest", text=LISBON)
            await call(client, "create_reminder", text="Call Anna", at="+1h")
    counted = await _figures(endpoint)
    assert counted[_series("dome_notes")] == 2
    assert counted[_series("dome_reminders_upcoming")] == 2
    assert counted[_series("dome_companion_up")] == 0
    dome = endpoint.dome
    details = {"lag_seconds": 3.0}
    await beat(dome.ports.database, "elsewhere", now=dome.now(), details=details)
    counted = await _figures(endpoint)
    assert counted[_series("dome_companion_up")] == 1
    assert counted[_series("dome_companion_lag_seconds")] == 3.0


async def test_a_request_is_logged_with_its_credential_and_without_what_it_said(
    endpoint: Served, caplog: pytest.LogCaptureFixture
) -> None:
    token = await endpoint.token()
    with caplog.at_level(logging.INFO, "dome_mcp.remote.access_log"):
        async with endpoint.client(token) as client:
            answer = await client.get("/api/search", params={"q": "canary"})
    (record,) = caplog.records
    said = record.__dict__["fields"]
    assert said.pop("ms") > 0
    assert said == {
        "method": "GET",
        "route": "/api/search",
        "status": 200,
        "credential": token.split("_")[1],
        "request_id": answer.headers["x-request-id"],
    }


def test_the_figures_are_written_as_prometheus_reads_them() -> None:
    metrics = Metrics()
    metrics.count_request("BREW", None, 200, seconds=0.2)
    metrics.count_call("tools/call search", "ok", seconds=0.2)
    text = metrics.exposition(NOTHING, sessions=7).decode()
    samples = _parsed(text)
    assert samples[_series("dome_mcp_sessions")] == 7
    other = _series("dome_http_requests_total", method="other", route="none", status="200")
    assert samples[other] == 1


async def _figures(endpoint: Served) -> Samples:
    async with endpoint.client(await endpoint.token("admin")) as client:
        return _parsed((await client.get("/metrics")).text)


def _parsed(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _series(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())
