"""What the audit log says of requests: who did what to what; never what was in it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from dome_mcp.core.access import Principal, known_scopes
from dome_mcp.core.audit import AuditEntry, Outcome
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Ports, Row, Statement
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.audit_log import MAX_STRANGERS, MAX_WAITING, AuditLog
from dome_mcp.services.audit import list_entries
from tests.remote.gated import HOST, Gated, gated

pytestmark = pytest.mark.anyio

ANN = Principal("ann", known_scopes(["notes:read"]), credential="token-1")


@dataclass
class Time:
    """An instant that passes when a test says so."""

    now: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gated]:
    http = HttpSettings(allowed_hosts=(HOST,), rate_per_minute=6_000)
    async with gated(tmp_path, http=http) as running:
        yield running


async def written(log: AuditLog, ports: Ports) -> list[AuditEntry]:
    """Everything that was noted, oldest first."""
    await log.flush(ports, is_last=True)
    page = await list_entries(ports, user_id=None, limit=1000)
    return list(reversed(page.entries))


def said(entries: list[AuditEntry]) -> list[tuple[str, str, Outcome, int]]:
    return [(each.action, each.target, each.outcome, each.times) for each in entries]


async def test_a_request_is_its_route_its_target_and_how_it_ended(gate: Gated) -> None:
    text, token = await gate.token(user="ann")
    async with gate.client(text, peer="192.0.2.7") as client:
        await client.delete("/api/notes/n1?q=secret")
        await client.get("/api/broken")
        await client.post("/api/conflict")
        await client.get("/mcp")
    entries = await written(gate.audit, gate.ports)
    assert said(entries) == [
        ("DELETE /api/notes/{note_id}", "n1", "ok", 1),
        ("GET /api/broken", "", "failed", 1),
        ("POST /api/conflict", "", "refused", 1),
    ]
    assert {(each.user_id, each.credential, each.source) for each in entries} == {
        ("ann", token.token_id, "192.0.2.7")
    }


async def test_what_is_only_read_is_counted_and_what_changes_something_is_not(
    gate: Gated,
) -> None:
    text, _ = await gate.token()
    async with gate.client(text) as client:
        for _ in range(3):
            await client.get("/api/notes/n1")
            await client.delete("/api/notes/n1")
        await client.get("/api/notes/n2")
    assert sorted(said(await written(gate.audit, gate.ports))) == [
        ("DELETE /api/notes/{note_id}", "n1", "ok", 1),
        ("DELETE /api/notes/{note_id}", "n1", "ok", 1),
        ("DELETE /api/notes/{note_id}", "n1", "ok", 1),
        ("GET /api/notes/{note_id}", "n1", "ok", 3),
        ("GET /api/notes/{note_id}", "n2", "ok", 1),
    ]


async def test_what_the_rate_refuses_is_in_the_log(tmp_path: Path) -> None:
    http = HttpSettings(allowed_hosts=(HOST,), rate_per_minute=60)
    async with gated(tmp_path, http=http) as gate:
        text, _ = await gate.token()
        async with gate.client(text) as client:
            for _ in range(25):
                await client.get("/api/me")
        entries = said(await written(gate.audit, gate.ports))
    assert ("GET (no route)", "", "refused", 5) in entries


async def test_a_call_has_the_address_its_token_was_last_used_at(gate: Gated) -> None:
    log = gate.audit
    log.saw(ANN, "192.0.2.7")
    log.observe(ANN, "tools/call delete_note", "n1", "ok", 0.1)
    log.observe(replace(ANN, credential="other"), "tools/call delete_note", "n2", "ok", 0.1)
    assert [each.source for each in await written(log, gate.ports)] == ["192.0.2.7", ""]


@pytest.mark.parametrize(
    ("action", "outcome", "rows"),
    [
        ("tools/call search", "ok", 1),
        ("tools/call rag_answer", "ok", 1),
        ("tools/call get_note", "ok", 1),
        ("tools/call list_tasks", "ok", 1),
        ("resources/read", "ok", 1),
        ("tools/call update_note", "refused", 1),
        ("tools/call update_note", "ok", 4),
        ("tools/call a_tool_nobody_listed_here", "ok", 4),
        ("tools/call update_note", "failed", 4),
    ],
)
async def test_calls_that_read_and_calls_that_are_refused_are_counted(
    gate: Gated, action: str, outcome: Outcome, rows: int
) -> None:
    for _ in range(4):
        gate.audit.observe(ANN, action, "n1", outcome, 0.1)
    entries = await written(gate.audit, gate.ports)
    assert len(entries) == rows
    assert sum(each.times for each in entries) == 4


async def test_ten_thousand_failures_are_a_few_rows(gate: Gated) -> None:
    for number in range(10_000):
        gate.audit.note_stranger(f"203.0.{number % 100}.{number % 250}")
    entries = await written(gate.audit, gate.ports)
    assert len(entries) <= MAX_STRANGERS + 1
    assert sum(each.times for each in entries) == 10_000
    assert {(each.user_id, each.credential, each.outcome) for each in entries} == {
        ("", "", "unknown caller")
    }


async def test_a_token_that_is_not_valid_is_noted_without_it(gate: Gated) -> None:
    for number in range(30):
        async with gate.client(f"dome_guess{number}", peer="2001:db8::7") as client:
            await client.get("/api/me")
    (entry,) = await written(gate.audit, gate.ports)
    assert (entry.source, entry.times, entry.action) == ("2001:db8::/64", 30, "sign in")


async def test_likes_are_counted_for_a_minute_and_then_written(gate: Gated) -> None:
    time = Time()
    log = AuditLog(clock=time)
    log.observe(ANN, "tools/call search", "", "ok", 0.1)
    time.now += timedelta(seconds=59)
    log.observe(ANN, "tools/call search", "", "ok", 0.1)
    await log.flush(gate.ports)
    assert (await list_entries(gate.ports, user_id=None)).entries == ()
    time.now += timedelta(seconds=1)
    await log.flush(gate.ports)
    log.observe(ANN, "tools/call search", "", "ok", 0.1)
    (entry,) = (await list_entries(gate.ports, user_id=None)).entries
    assert (entry.times, entry.at) == (2, time.now - timedelta(minutes=1))


class WatchedDatabase:
    """A database that cannot be reached while it is away; `written` is set by what changes it."""

    def __init__(self, ports: Ports) -> None:
        self._database = ports.database
        self.is_away = False
        self.written = anyio.Event()

    async def query(self, statement: Statement) -> Sequence[Row]:
        if self.is_away:
            raise BackendUnavailable("database", "write", "The disk is full.")
        rows = await self._database.query(statement)
        self.written.set()
        await anyio.lowlevel.checkpoint()  # The answer takes a moment to come back.
        return rows

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        raise NotImplementedError


async def test_a_database_that_is_away_loses_nothing_and_is_said_once(
    gate: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    database = WatchedDatabase(gate.ports)
    database.is_away = True
    ports = replace(gate.ports, database=database)
    for number in range(3):
        gate.audit.observe(ANN, "tools/call delete_note", f"n{number}", "ok", 0.1)
        await gate.audit.flush(ports)
    assert caplog.text.count("cannot be written") == 1
    database.is_away = False
    assert [each.target for each in await written(gate.audit, ports)] == ["n0", "n1", "n2"]


async def test_what_waits_for_a_database_is_bounded(
    gate: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2 * MAX_WAITING + 7):
        gate.audit.observe(ANN, "tools/call delete_note", f"n{number}", "ok", 0.1)
    await gate.audit.flush(gate.ports)
    assert "7 entries were lost" in caplog.text


async def test_of_whoever_reads_very_much_it_is_kept_how_often(
    gate: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(MAX_WAITING + 7):
        gate.audit.observe(ANN, "tools/call get_note", f"n{number}", "ok", 0.1)
    newest = (await written(gate.audit, gate.ports))[-1]
    assert said([newest]) == [("tools/call get_note", "", "ok", 7)]
    assert "lost" not in caplog.text


async def test_the_log_is_written_while_it_runs_and_once_more_at_the_end(gate: Gated) -> None:
    dome = await gate.door.dome()
    database = WatchedDatabase(dome.ports)
    watched = replace(dome, ports=replace(dome.ports, database=database))
    with anyio.fail_after(10):
        async with gate.audit.kept(watched):
            gate.audit.observe(ANN, "tools/call delete_note", "n1", "ok", 0.1)
            await database.written.wait()
            assert len((await list_entries(gate.ports, user_id=None)).entries) == 1
            gate.audit.observe(ANN, "tools/call delete_note", "n2", "ok", 0.1)
            gate.audit.observe(ANN, "tools/call search", "", "ok", 0.1)
    entries = (await list_entries(gate.ports, user_id=None)).entries
    assert sorted(each.target for each in entries) == ["", "n1", "n2"]


async def test_no_entry_is_written_twice_when_the_end_comes_during_a_write(gate: Gated) -> None:
    database = WatchedDatabase(gate.ports)
    ports = replace(gate.ports, database=database)
    for number in range(2_000):
        gate.audit.observe(ANN, "tools/call delete_note", f"n{number}", "ok", 0.1)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.audit.flush, ports)
            tasks.start_soon(gate.audit.flush, ports)
            await database.written.wait()
            tasks.cancel_scope.cancel()
        await gate.audit.flush(ports, is_last=True)
    rows = await gate.ports.database.query(Statement("SELECT COUNT(*) AS count FROM audit"))
    assert rows[0]["count"] == 2_000
