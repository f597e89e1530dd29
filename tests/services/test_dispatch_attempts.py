"""An attempt: by which channel, what after a refusal, and what the notice is made of."""

from datetime import timedelta
from typing import Any

import pytest

from dome_mcp.core.agenda import Action, Channel, DeliveryPolicy
from dome_mcp.core.errors import DeliveryFailed, InvalidInput
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.dispatch import attempt_delivery
from dome_mcp.store.channels import delete_channel, insert_channel
from dome_mcp.store.firings import open_firings
from tests.services.dispatching import (
    NOW,
    POLICY,
    USER,
    Companion,
    Sink,
    all_deliveries,
    body_of,
    busy,
    later,
    only_delivery,
    reminder,
    store,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def companion(ports: Ports) -> Companion:
    return Companion(ports.database)


# Channels


async def test_a_reminder_that_names_no_channel_goes_out_by_its_users_defaults(
    companion: Companion,
):
    address = "https://example.com"
    for channel in (
        Channel("mail", USER, "email", "smtp://example.com"),
        Channel("spare", USER, "webhook", address, is_default=False),
        Channel("theirs", "another", "webhook", address),
    ):
        await companion.database.query(insert_channel(channel, now=NOW, replaces=False))
    await store(companion.database, reminder(channels=()))
    await companion.tick()
    sent = await all_deliveries(companion.database)
    assert {each.channel for each in sent} == {"hook", "mail"}


@pytest.mark.parametrize(("desktop_user", "shown"), [(None, 0), (USER, 1), ("another", 0)])
async def test_a_user_without_channels_is_told_on_their_own_desktop_and_always_in_the_inbox(
    desktop_user: str | None, shown: int, companion: Companion
):
    companion.sink = Sink("desktop")
    companion.policy = DeliveryPolicy(desktop_user=desktop_user)
    await store(companion.database, reminder(channels=()), channel=None)
    await companion.run()
    assert len(companion.sink.received) == shown
    assert len(await companion.database.query(open_firings(USER, limit=5))) == 1


async def test_a_reminder_that_names_the_desktop_never_shows_on_another_users(
    companion: Companion,
):
    companion.sink = Sink("desktop")
    companion.policy = DeliveryPolicy(desktop_user="another")
    await store(companion.database, reminder(channels=("desktop",)), channel=None)
    assert await companion.run() == ["FAILED"]
    assert companion.sink.received == []
    failed = await only_delivery(companion.database)
    assert "another user's" in str(failed.last_error)


async def test_a_channel_that_is_gone_fails_for_good_and_says_so(companion: Companion):
    await store(companion.database, reminder())
    await companion.database.query(delete_channel("hook", USER))
    assert await companion.run() == ["FAILED"]
    failed = await only_delivery(companion.database)
    assert "There is no channel 'hook' any more." in str(failed.last_error)


async def test_another_users_channel_of_that_name_is_not_used(companion: Companion):
    theirs = Channel("hook", "another", "webhook", "https://example.com/theirs")
    await store(companion.database, reminder(), channel=theirs)
    assert await companion.run() == ["FAILED"]
    assert companion.sink.received == []


async def test_a_channel_that_this_companion_cannot_serve_waits_for_one_that_can(
    companion: Companion,
):
    await store(companion.database, reminder())
    deaf = Companion(companion.database, sink=Sink("email"))
    now = NOW
    for _ in range(POLICY.max_attempts + 1):
        assert await deaf.run(now) == ["PENDING"]
        waiting = await only_delivery(companion.database)
        assert "webhook" in str(waiting.last_error)
        assert waiting.refusals == 0
        assert await deaf.claims(waiting.not_before - timedelta(seconds=1)) == 0
        now = waiting.not_before
    assert await companion.run(now) == ["DELIVERED"]
    assert (await only_delivery(companion.database)).last_error is None


# Refusals


async def test_a_refused_delivery_is_tried_again_at_the_policys_times_and_then_given_up(
    companion: Companion,
):
    companion.sink.answers = [busy() for _ in range(10)]
    await store(companion.database, reminder())
    assert await companion.run() == ["PENDING"]
    assert await companion.run(later(4)) == []
    assert await companion.run(later(5)) == ["PENDING"]
    assert await companion.run(later(64)) == []
    assert await companion.run(later(65)) == ["FAILED"]
    failed = await only_delivery(companion.database)
    assert (failed.refusals, failed.last_error) == (3, "The hook answered 503.")
    assert await companion.run(later(1e6)) == []


async def test_the_time_that_a_channel_asks_for_is_kept(companion: Companion):
    companion.sink.answers = [DeliveryFailed("Slow down.", retryable=True, retry_after=120.0)]
    await store(companion.database, reminder())
    await companion.run()
    assert (await only_delivery(companion.database)).not_before == later(120)


async def test_a_delivery_after_refusals_keeps_its_key_and_says_how_late_it_is(
    companion: Companion,
):
    companion.sink.answers = [busy(), busy()]
    await store(companion.database, reminder())
    await companion.run_until_quiet()
    ((key, notice),) = companion.sink.received
    assert key == (await only_delivery(companion.database)).delivery_key
    assert notice.late == "1 minute late."


# What a notice is made of


async def test_a_notice_carries_the_actions_made_for_its_firing(companion: Companion):
    await store(companion.database, reminder())
    await companion.tick()
    (body,) = companion.queue.take()
    done = Action("Done", "https://example.com/done")
    await attempt_delivery(
        body,
        companion.database,
        {"webhook": companion.sink},
        POLICY,
        now=NOW,
        compose_actions=lambda firing: (done,) if firing.due_at == NOW else (),
    )
    assert companion.sink.notices[0].actions == (done,)


@pytest.mark.parametrize(
    ("links", "snippet"),
    [
        ({"note_ids": ("beans", "gone")}, "“Plant the beans.” (Garden plan)"),
        ({"task_id": "t1"}, "“Plant the beans.” (Garden plan)"),
        ({"note_ids": ("gone",)}, ""),
        ({"note_ids": ("theirs",)}, ""),
        ({}, ""),
    ],
)
async def test_a_notice_quotes_the_users_first_linked_note_while_it_is_there(
    links: dict[str, Any], snippet: str, companion: Companion
):
    await companion.database.batch([Statement(sql) for sql in _LINKED])
    await store(companion.database, reminder(**links))
    await companion.run()
    assert companion.sink.notices[0].snippet == snippet


_LINKED = (
    """
    INSERT INTO notes (note_id, user_id, title, content_type, content_hash, characters,
      created_at_ms, updated_at_ms, revision, deleted_at_ms)
    VALUES
      ('beans', 'me', 'Garden plan', '', '1', 16, 0, 0, 1, NULL),
      ('theirs', 'another', 'Secret plan', '', '2', 16, 0, 0, 1, NULL),
      ('gone', 'me', '', '', '3', 0, 0, 0, 1, 5)""",
    """
    INSERT INTO chunks (chunk_id, note_key, user_id, ordinal, start_offset, end_offset, text,
      content_hash)
    SELECT note_id, note_key, user_id, 0, 0, 16, 'Plant the beans.', '' FROM notes""",
    """
    INSERT INTO tasks (task_id, user_id, description, status, note_ids, created_at_ms,
      updated_at_ms, revision)
    VALUES ('t1', 'me', 'Garden', 'pending', '["beans"]', 0, 0, 1)""",
)


# Messages


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"key": "k"}', '{"key": "k", "attempt": "x"}'])
async def test_a_message_that_is_none_of_ours_is_refused(body: str, companion: Companion):
    with pytest.raises(InvalidInput):
        await companion.attempt(body)


async def test_a_message_for_a_delivery_that_is_not_there_does_nothing(companion: Companion):
    assert await companion.attempt(body_of("r9:0:hook", 1)) is None
    assert companion.sink.received == []
