"""The audit log holds what was recorded, whole and in order, for as long as it is kept."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from dome_mcp.core.audit import AuditEntry
from dome_mcp.core.errors import BackendError, InvalidInput
from dome_mcp.core.ports import Ports
from dome_mcp.services.audit import RETENTION, list_entries, record
from dome_mcp.services.housekeeping import keep_house
from tests.services.notes_for_tests import NOW, later

pytestmark = pytest.mark.anyio


def entry(target: str, *, user_id: str = "alice", at: datetime = NOW) -> AuditEntry:
    return AuditEntry(at, user_id, "key", "192.0.2.1", "tools/call search", target, "ok", times=3)


STRANGER = AuditEntry(later(2), "", "", "198.51.100.7", "POST /mcp", "", "unknown caller")


async def targets(ports: Ports, user_id: str | None = None) -> list[str]:
    return [each.target for each in (await list_entries(ports, user_id=user_id)).entries]


async def test_entries_are_read_back_as_they_were_the_last_recorded_first(ports: Ports) -> None:
    older, newer = entry("n1"), entry("Größe \"'\\ 🔥", at=later(1))
    await record([older, newer], ports)
    await record([STRANGER], ports)
    page = await list_entries(ports, user_id=None)
    assert page.entries == (STRANGER, newer, older)
    assert page.next_cursor is None


async def test_recording_nothing_records_nothing(ports: Ports) -> None:
    await record([], ports)
    assert await targets(ports) == []


async def test_a_user_sees_their_own_entries_alone(ports: Ports) -> None:
    await record([entry("a1"), STRANGER, entry("b1", user_id="bob"), entry("a2")], ports)
    assert await targets(ports, "alice") == ["a2", "a1"]
    assert await targets(ports, "bob") == ["b1"]
    assert await targets(ports, "carol") == []


async def test_of_a_batch_with_one_entry_that_cannot_be_stored_none_is(ports: Ports) -> None:
    broken = replace(entry("n2"), source=None)
    with pytest.raises(BackendError):
        await record([entry("n1"), broken], ports)
    assert await targets(ports) == []


@pytest.mark.parametrize("user_id", ["alice", None])
async def test_pages_follow_each_other_whatever_is_recorded_meanwhile(
    ports: Ports, user_id: str | None
) -> None:
    await record([entry(str(number)) for number in range(5)], ports)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await list_entries(ports, user_id=user_id, limit=2, cursor=cursor)
        seen += [each.target for each in page.entries]
        await record([entry("new")], ports)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "1" * 16, "²"])
async def test_a_cursor_that_no_page_gave_is_refused(ports: Ports, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        await list_entries(ports, user_id=None, cursor=cursor)


@pytest.mark.parametrize("limit", [0, 1001])
async def test_a_page_has_a_limit(ports: Ports, limit: int) -> None:
    with pytest.raises(InvalidInput):
        await list_entries(ports, user_id=None, limit=limit)


async def test_entries_are_kept_for_three_months_and_not_longer(ports: Ports) -> None:
    just_over, just_under = RETENTION + timedelta(seconds=1), RETENTION - timedelta(seconds=1)
    kept = entry("kept", at=NOW - just_under)
    await record([entry("gone", at=NOW - just_over), kept, replace(STRANGER, at=NOW)], ports)
    await keep_house(ports.database, now=NOW)
    assert await targets(ports) == ["", "kept"]
    assert timedelta(days=90) == RETENTION
