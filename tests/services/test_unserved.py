"""Notices that nobody who runs can send, and messages that nobody could handle."""

from datetime import timedelta

import pytest

from dome_mcp.core.agenda import Channel
from dome_mcp.core.awaiting import AWAITING, awaited
from dome_mcp.core.errors import InvalidInput, NotServed
from dome_mcp.core.ports import Ports
from dome_mcp.services.companions import Unserved, release_unserved, unserved
from dome_mcp.services.dispatch import record_dead_letter
from tests.services.dispatching import (
    POLICY,
    USER,
    Companion,
    all_deliveries,
    body_of,
    busy,
    later,
    only_delivery,
    reminder,
    store,
)

pytestmark = pytest.mark.anyio

ELSEWHERE = NotServed(f"{AWAITING}that reaches the mail server.")


@pytest.fixture
def companion(ports: Ports) -> Companion:
    return Companion(ports.database)


async def bury(companion: Companion, body: str, seconds: float = 0) -> str | None:
    return await record_dead_letter(body, companion.database, POLICY, now=later(seconds))


@pytest.mark.parametrize(
    ("kind", "address", "missing"),
    [
        ("desktop", "", "with a desktop"),
        ("email", "smtp://mail.example.com?from=a@b.c&to=a@b.c", "reaches the mail server"),
        ("email", "cloudflare:me@example.org", "mail by Cloudflare"),
        ("apprise", "json://example.com", "send by apprise"),
    ],
)
def test_it_is_said_which_companion_is_missing(kind: str, address: str, missing: str) -> None:
    said = awaited(Channel("x", USER, kind, address))
    assert said.startswith(AWAITING)
    assert missing in said
    assert "`dome-mcp companion run`" in said


async def test_what_a_driver_does_not_reach_is_no_refusal_and_waits(companion: Companion) -> None:
    await store(companion.database, reminder())
    companion.sink.answers = [ELSEWHERE]
    assert await companion.run() == ["PENDING"]
    waiting = await only_delivery(companion.database)
    assert (waiting.refusals, waiting.last_error) == (0, ELSEWHERE.message)
    assert waiting.not_before >= later(POLICY.claim_seconds)
    assert await companion.run(waiting.not_before) == ["DELIVERED"]


async def test_what_waits_for_a_companion_is_counted_by_channel_and_for_its_user(
    companion: Companion,
) -> None:
    await store(companion.database, reminder("r1"), reminder("r2"), reminder("r3"))
    companion.sink.answers = [ELSEWHERE, ELSEWHERE, busy()]
    await companion.run()
    found = await unserved(companion.database, user_id=USER)
    assert found == (Unserved("hook", ELSEWHERE.message, 2),)
    assert await unserved(companion.database, user_id="another") == ()


async def test_a_companion_that_comes_up_tries_at_once_what_the_others_left(
    companion: Companion,
) -> None:
    await store(companion.database, reminder("r1"), reminder("r2"))
    companion.sink.answers = [ELSEWHERE, busy()]
    await companion.run()
    await release_unserved(companion.database, now=later(1))
    assert await companion.run(later(1)) == ["DELIVERED"]
    (refused,) = [
        each
        for each in await all_deliveries(companion.database, "r1", "r2")
        if each.state == "PENDING"
    ]
    assert refused.not_before == later(5)


async def test_what_is_in_somebodys_hands_is_not_released(companion: Companion) -> None:
    await store(companion.database, reminder())
    companion.sink.answers = [ELSEWHERE]
    await companion.run()
    waiting = await only_delivery(companion.database)
    await companion.tick(waiting.not_before)
    claimed = await only_delivery(companion.database)
    await release_unserved(companion.database, now=later(1))
    assert await only_delivery(companion.database) == claimed


async def test_a_dead_letter_is_told_of_and_uses_up_no_chance(companion: Companion) -> None:
    await store(companion.database, reminder())
    await companion.tick()
    (body,) = companion.queue.take()
    assert await bury(companion, body) == "PENDING"
    told = await only_delivery(companion.database)
    assert told.refusals == 0
    assert "failed each time" in str(told.last_error)
    assert await companion.claims(told.not_before - timedelta(seconds=1)) == 0
    assert await companion.run(told.not_before) == ["DELIVERED"]


async def test_a_dead_letter_that_is_out_of_date_changes_nothing(companion: Companion) -> None:
    await store(companion.database, reminder())
    await companion.tick()
    (body,) = companion.queue.take()
    assert await companion.attempt(body) == "DELIVERED"
    assert await bury(companion, body, 1) is None
    assert (await only_delivery(companion.database)).state == "DELIVERED"


async def test_a_dead_letter_of_an_older_claim_leaves_the_newer_one_alone(
    companion: Companion,
) -> None:
    await store(companion.database, reminder())
    await companion.tick()
    (older,) = companion.queue.take()
    await companion.tick(later(POLICY.claim_seconds))
    (newer,) = companion.queue.take()
    assert await bury(companion, older, POLICY.claim_seconds) is None
    assert await companion.attempt(newer, later(POLICY.claim_seconds)) == "DELIVERED"


@pytest.mark.parametrize("body", ["no JSON", "[]", "{}", '{"key": "k"}'])
async def test_a_dead_letter_that_names_no_delivery_is_none_of_ours(
    body: str, companion: Companion
) -> None:
    with pytest.raises(InvalidInput):
        await bury(companion, body)
    assert await bury(companion, body_of("unknown", 1)) is None
