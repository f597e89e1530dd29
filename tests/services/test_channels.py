"""Channels of a user: added, found, listed with their failures, removed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import desktop_channel
from dome_mcp.core.errors import Conflict, InvalidInput, NotFound
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.services.channels import (
    add_channel,
    channel_named,
    default_channels,
    list_channels,
    remove_channel,
)

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PHONE = Channel("phone", "me", "ntfy", "https://ntfy.sh/topic", (("token", "tk"),))

_DELIVERY = """
INSERT INTO deliveries (
  delivery_key, reminder_id, user_id, due_at_ms, channel, state, attempt, not_before_ms,
  last_error, created_at_ms, settled_at_ms)
VALUES (?1, 'r', ?2, 0, ?3, ?4, 1, 0, ?5, 0, ?6)"""

_REMINDER = """
INSERT INTO reminders (
  reminder_id, user_id, text, zone, start_local, state, channels, catch_up, created_at_ms,
  updated_at_ms, revision)
VALUES (?1, 'me', 'x', 'UTC', '2026-01-01T00:00:00', ?2, ?3, 'fire', 0, 0, 1)"""


async def add(ports: Ports, channel: Channel = PHONE, **options: bool) -> Channel:
    return await add_channel(
        channel,
        ports,
        user_id=channel.user_id,
        now=NOW,
        **{"allow_private": False, **options},
    )


async def settle(
    ports: Ports, key: str, state: str, *, minutes: int, user_id: str = "me", error: str = ""
) -> None:
    row = (key, user_id, "phone", state, error or None, to_ms(NOW + timedelta(minutes=minutes)))
    await ports.database.query(Statement(_DELIVERY, row))


async def last_error(ports: Ports) -> str | None:
    (health,) = await list_channels(ports, user_id="me")
    return health.last_error


async def test_a_channel_comes_back_as_it_was_added(ports: Ports) -> None:
    stored = await add(ports)
    assert stored == PHONE
    assert await channel_named(" Phone", ports, user_id="me") == PHONE
    assert await default_channels(ports, user_id="me") == (PHONE,)


async def test_an_address_that_cannot_be_one_is_not_stored(ports: Ports) -> None:
    with pytest.raises(InvalidInput):
        await add(ports, replace(PHONE, address="http://ntfy.sh/topic"))
    assert await list_channels(ports, user_id="me") == ()


async def test_a_name_that_is_taken_is_a_conflict_and_keeps_the_old_one(ports: Ports) -> None:
    await add(ports)
    with pytest.raises(Conflict, match="already"):
        await add(ports, replace(PHONE, address="https://ntfy.sh/other"))
    assert (await channel_named("phone", ports, user_id="me")).address == PHONE.address


async def test_a_channel_may_be_replaced_whole(ports: Ports) -> None:
    await add(ports)
    other = Channel("phone", "me", "webhook", "https://host/x", is_default=False)
    await add(ports, other, replaces=True)
    assert await channel_named("phone", ports, user_id="me") == other
    assert await default_channels(ports, user_id="me") == ()


async def test_users_have_their_own_channels(ports: Ports) -> None:
    await add(ports)
    theirs = replace(PHONE, user_id="you", address="https://ntfy.sh/yours")
    await add(ports, theirs)
    assert await channel_named("phone", ports, user_id="you") == theirs
    await remove_channel("phone", ports, user_id="you", now=NOW)
    assert await channel_named("phone", ports, user_id="me") == PHONE


async def test_nobody_adds_a_channel_for_another(ports: Ports) -> None:
    with pytest.raises(Conflict, match="another user"):
        await add_channel(PHONE, ports, user_id="you", now=NOW, allow_private=False)


async def test_the_desktop_is_there_without_being_added(ports: Ports) -> None:
    assert await channel_named("Desktop", ports, user_id="me") == desktop_channel("me")
    assert await default_channels(ports, user_id="me") == ()


async def test_an_unknown_name_is_answered_with_those_there_are(ports: Ports) -> None:
    await add(ports)
    with pytest.raises(NotFound, match="pager") as caught:
        await channel_named("pager", ports, user_id="me")
    assert "desktop, phone" in caught.value.hint
    assert "ntfy.sh" not in str(caught.value)


async def test_a_failed_notice_shows_at_its_channel_until_one_gets_through(ports: Ports) -> None:
    await add(ports)
    assert await last_error(ports) is None
    await settle(ports, "1", "FAILED", minutes=1, error="refused")
    await settle(ports, "2", "FAILED", minutes=2, error="no longer subscribed")
    assert await last_error(ports) == "no longer subscribed"
    await settle(ports, "3", "DELIVERED", minutes=3)
    assert await last_error(ports) is None
    await settle(ports, "4", "FAILED", minutes=4, error="refused again")
    assert await last_error(ports) == "refused again"


async def test_what_failed_before_the_channel_was_replaced_is_forgotten(ports: Ports) -> None:
    await settle(ports, "1", "FAILED", minutes=-1, error="refused")
    await settle(ports, "2", "FAILED", minutes=1, user_id="you", error="another user's")
    await add(ports)
    assert await last_error(ports) is None


async def test_a_channel_that_is_removed_is_gone_and_names_what_used_it(ports: Ports) -> None:
    await add(ports)
    for reminder_id, state, channels in (
        ("1", "active", '["phone"]'),
        ("2", "active", '["mail", "phone"]'),
        ("3", "finished", '["phone"]'),
        ("4", "active", "[]"),
    ):
        await ports.database.query(Statement(_REMINDER, (reminder_id, state, channels)))
    assert await remove_channel("Phone", ports, user_id="me", now=NOW) == 2
    with pytest.raises(NotFound):
        await remove_channel("phone", ports, user_id="me", now=NOW)
