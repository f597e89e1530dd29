"""Housekeeping: what goes, what stays, who does it, and what becomes of the rest when it fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio
import pytest

from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Database, Ports, Row, Statement
from dome_mcp.services.housekeeping import DIGESTS_KEPT, keep_house, last_kept
from dome_mcp.store import housekeeping
from tests.services.dispatching import HOOK, NOW, Companion, all_deliveries, reminder, store

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
LONG_AGO = 1_000
LONG_AFTER = 9_000_000_000_000

_OF_EACH = (
    """INSERT INTO audit
    (at_ms, user_id, credential, source, action, target, outcome, times)
    VALUES ({at}, 'me', '', '', '', '{name}', 'ok', 1)""",
    """INSERT INTO idempotency (user_id, idempotency_key, fingerprint, started_at_ms)
    VALUES ('me', '{name}', '', {at})""",
    """INSERT INTO exchanges
    (exchange_id, user_id, session_id, question, answer, asked_at_ms)
    VALUES ('{name}', 'me', 's', '', '', {at})""",
    """INSERT INTO uploads
    (upload_id, user_id, filename, max_bytes, state, created_at_ms, expires_at_ms)
    VALUES ('{name}', 'me', '', 1, 'complete', 1, {at})""",
    """INSERT INTO jobs
    (job_id, user_id, kind, request, state, attempt, not_before_ms, created_at_ms, updated_at_ms)
    VALUES ('{name}', 'me', 'ingest', '{{}}', 'done', 1, 1, 1, {at})""",
)
_NAMES = """
SELECT target AS name FROM audit UNION ALL SELECT idempotency_key FROM idempotency
UNION ALL SELECT exchange_id FROM exchanges UNION ALL SELECT upload_id FROM uploads
UNION ALL SELECT job_id FROM jobs"""


async def fill(database: Database, **at_ms: int) -> None:
    """A row of these names, written at these times, in each table that is tidied."""
    await database.batch(
        [Statement(sql.format(name=name, at=at)) for sql in _OF_EACH for name, at in at_ms.items()]
    )


async def names(database: Database) -> list[str]:
    return sorted(str(row["name"]) for row in await database.query(Statement(_NAMES)))


@dataclass
class Refusing:
    """A database that fails where a statement has these words."""

    inner: Database
    words: str

    async def query(self, statement: Statement) -> Sequence[Row]:
        return await self.inner.query(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        if any(self.words in each.sql for each in statements):
            raise BackendUnavailable("test", "batch", "The disk is slow.")
        return await self.inner.batch(statements)


async def test_what_is_past_its_time_goes_from_every_table_and_the_rest_stays(ports: Ports) -> None:
    await fill(ports.database, old=LONG_AGO, new=LONG_AFTER)
    assert await keep_house(ports.database, now=NOW) == housekeeping.Kept(NOW)
    assert await names(ports.database) == ["new"] * 5


async def test_nothing_goes_that_is_still_in_use(ports: Ports) -> None:
    database = ports.database
    await fill(database, old=LONG_AGO)
    in_use = (
        'UPDATE jobs SET state = \'running\', request = \'{"file": {"upload_id": "old"}}\'',
        "UPDATE uploads SET state = 'consumed'",
    )
    await database.batch([Statement(sql) for sql in in_use])
    await keep_house(database, now=NOW)
    assert await names(database) == ["old", "old"]
    rows = await database.query(Statement("SELECT state FROM jobs"))
    assert [row["state"] for row in rows] == ["running"]


async def test_whoever_comes_first_does_it_and_the_others_on_the_next_day(ports: Ports) -> None:
    done: list[housekeeping.Kept | None] = []

    async def ask(now: datetime) -> None:
        done.append(await keep_house(ports.database, now=now))

    for now in (NOW, NOW + DAY - timedelta(seconds=1), NOW + DAY):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask, now)
    assert [each.at for each in done if each] == [NOW, NOW + DAY]
    assert await last_kept(ports.database) == housekeeping.Kept(NOW + DAY)


async def test_a_clock_that_was_far_ahead_once_does_not_stop_it_for_good(ports: Ports) -> None:
    assert await last_kept(ports.database) is None
    assert await keep_house(ports.database, now=NOW + 365 * DAY)
    assert await keep_house(ports.database, now=NOW)


async def test_a_part_that_fails_is_told_of_and_the_others_are_done(ports: Ports) -> None:
    await fill(ports.database, old=LONG_AGO)
    kept = await keep_house(Refusing(ports.database, "DELETE FROM idempotency"), now=NOW)
    assert kept is not None
    assert kept.failures == ("Old idempotency keys are left for another day: The disk is slow.",)
    assert await names(ports.database) == ["old"]
    assert await last_kept(ports.database) == kept
    await keep_house(ports.database, now=NOW + DAY)
    assert await names(ports.database) == []
    assert await last_kept(ports.database) == housekeeping.Kept(NOW + DAY)


async def test_so_much_goes_at_once_and_the_rest_the_next_time(ports: Ports) -> None:
    database = ports.database
    many = """
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5003)
    INSERT INTO idempotency (user_id, idempotency_key, fingerprint, started_at_ms)
    SELECT 'me', 'k' || i, '', i FROM n"""
    await database.query(Statement(many))
    await keep_house(database, now=NOW)
    assert await names(database) == ["k5001", "k5002", "k5003"]
    await keep_house(database, now=NOW + DAY)
    assert await names(database) == []


async def test_how_digests_fared_is_forgotten_and_how_reminders_did_is_not(ports: Ports) -> None:
    database = ports.database
    await store(database, reminder("r1"), reminder("d1", kind="digest"))
    await store(database, reminder("d2", kind="digest", channels=("gone",)), channel=HOOK)
    await Companion(database).tick(NOW)
    settled = "UPDATE deliveries SET state = 'DELIVERED' WHERE reminder_id <> 'd2'"
    await database.query(Statement(settled))
    await keep_house(database, now=NOW + DIGESTS_KEPT)
    assert await fired(database) == ["d1", "d2", "r1"]
    await keep_house(database, now=NOW + DIGESTS_KEPT + DAY)
    assert await fired(database) == ["d2", "r1"]


async def fired(database: Database) -> list[str]:
    """Of which there is a firing, and the same of which there is a delivery."""
    rows = await database.query(Statement("SELECT reminder_id FROM firings ORDER BY reminder_id"))
    found = [str(row["reminder_id"]) for row in rows]
    sent = await all_deliveries(database, "r1", "d1", "d2")
    assert sorted(each.reminder_id for each in sent) == found
    return found
