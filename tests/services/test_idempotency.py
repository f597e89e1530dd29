"""When a request began, and what it was answered, for whoever sends it again."""

from datetime import timedelta

import pytest

from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.idempotency import KEPT, Begun, GivenAnswer, ReusedKey, begin, finish
from tests.services.notes_for_tests import NOW, USER, later

pytestmark = pytest.mark.anyio

KEY = "k-1"
STORED = GivenAnswer(201, {"location": "/api/notes/x"}, '{"note_id": "x"}')
AGAIN = GivenAnswer(200, {}, "{}")


async def test_a_request_has_the_instant_at_which_it_was_first_sent(ports: Ports):
    first = await begin(KEY, "f", ports.database, user_id=USER, now=NOW)
    again = await begin(KEY, "f", ports.database, user_id=USER, now=later(5))
    assert first == again == Begun(NOW)


async def test_the_first_answer_is_the_answer(ports: Ports):
    begun = await begin(KEY, "f", ports.database, user_id=USER, now=NOW)
    for answer in (STORED, AGAIN):
        await finish(KEY, answer, ports.database, user_id=USER, begun=begun)
    repeated = await begin(KEY, "f", ports.database, user_id=USER, now=later(5))
    assert repeated == Begun(NOW, STORED)


async def test_a_key_stands_for_one_request_of_one_user(ports: Ports):
    await begin(KEY, "f", ports.database, user_id=USER, now=NOW)
    with pytest.raises(ReusedKey):
        await begin(KEY, "g", ports.database, user_id=USER, now=later(5))
    assert await begin(KEY, "g", ports.database, user_id="you", now=later(5)) == Begun(later(5))


async def test_what_is_a_day_old_is_forgotten_whatever_its_key(ports: Ports):
    await begin("old", "f", ports.database, user_id=USER, now=NOW)
    late = NOW + KEPT + timedelta(milliseconds=1)
    await begin("new", "g", ports.database, user_id=USER, now=late)
    statement = Statement("SELECT idempotency_key FROM idempotency")
    rows = await ports.database.query(statement)
    assert [row["idempotency_key"] for row in rows] == ["new"]


async def test_an_answer_that_comes_after_its_request_was_forgotten_is_not_the_next_ones(
    ports: Ports,
):
    slow = await begin(KEY, "f", ports.database, user_id=USER, now=NOW)
    late = NOW + KEPT + timedelta(seconds=1)
    await begin(KEY, "f", ports.database, user_id=USER, now=late)
    await finish(KEY, STORED, ports.database, user_id=USER, begun=slow)
    assert await begin(KEY, "f", ports.database, user_id=USER, now=late) == Begun(late)
