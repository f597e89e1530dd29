"""Sessions in Durable Objects: as they are in rows, and never more than the rows allow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

import httpx
import pytest

from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.sessions import Exchange, Session
from dome_mcp.core.timestamps import to_ms
from dome_mcp.services.asking import Question
from dome_mcp.services.ingest import ingest
from dome_mcp.services.notes import delete_note
from dome_mcp.services.sessions import converse, read_session
from dome_mcp.services.user_data import delete_user
from dome_mcp.services.users import add_user
from tests.companion_workers.cloud import Cloud
from tests.companion_workers.remote import Binding
from tests.conformance.session_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.conformance.session_suite import FIRST, NOW
from tests.services.notes_for_tests import NOW as NOTED
from tests.services.notes_for_tests import draft, later
from worker_companions.session_json import to_exchange, to_json, to_session

_NUMBERS = count()


@dataclass
class RemoteSessions:
    """The memories of the Workers, by way of the bench."""

    binding: Binding

    async def remember(self, exchange: Exchange, *, user_id: str) -> None:
        await self.binding.call("remember", user_id, to_json(exchange))

    async def recall(
        self, session_id: str, *, user_id: str, now: datetime, limit: int
    ) -> Sequence[Exchange]:
        found = await self.binding.call("recall", user_id, session_id, to_ms(now), limit)
        return [to_exchange(each) for each in found]

    async def list_sessions(self, *, user_id: str, now: datetime, limit: int) -> Sequence[Session]:
        found = await self.binding.call("list_sessions", user_id, to_ms(now), limit)
        return [to_session(each) for each in found]

    async def forget(self, session_id: str, *, user_id: str) -> int:
        return await self.binding.call("forget", user_id, session_id)


@pytest.fixture
async def users(cloud: Cloud) -> tuple[str, str]:
    """Users of whom no memory has anything."""
    ann, bob = f"ann-{next(_NUMBERS)}", f"bob-{next(_NUMBERS)}"
    for user_id in (ann, bob):
        await add_user(user_id, cloud.ports, now=NOTED)
    return ann, bob


@pytest.fixture
def sessions(cloud: Cloud, client: httpx.AsyncClient) -> RemoteSessions:
    return RemoteSessions(Binding(client, "MEMORIES"))


async def test_what_quotes_a_note_is_not_given_out_once_the_note_is_gone(
    cloud: Cloud, sessions: RemoteSessions, users: tuple[str, str]
) -> None:
    user_id, _ = users
    ports = replace(cloud.ports, sessions=sessions)
    text = "The boiler was serviced on 4 November 2025. The invoice came to 238 EUR."
    note = (await ingest(draft(text, user_id=user_id), ports, user_id=user_id, now=NOTED)).note
    said = await converse(
        Question("When was the boiler serviced?"), ports, user_id=user_id, now=NOTED
    )
    await converse(
        Question("Who painted the ceiling?"),
        ports,
        user_id=user_id,
        now=later(1),
        session_id=said.session_id,
    )
    both = await read_session(said.session_id, ports, user_id=user_id, now=NOTED)
    assert [each.note_ids for each in both] == [(note.note_id,), ()]
    await delete_note(note.note_id, ports, user_id=user_id, now=NOTED)
    (left,) = await read_session(said.session_id, ports, user_id=user_id, now=NOTED)
    assert left.question == "Who painted the ceiling?"


async def test_what_a_deleted_user_asked_is_told_to_nobody_and_nothing_more_is_kept(
    cloud: Cloud, sessions: RemoteSessions, users: tuple[str, str]
) -> None:
    gone, came_again = users
    for user_id in users:
        await sessions.remember(FIRST, user_id=user_id)
        await delete_user(cloud.ports, user_id=user_id, now=NOTED, drop_upload=no_upload)
    await add_user(came_again, cloud.ports, now=later(1))
    for user_id in users:
        assert await sessions.recall("one", user_id=user_id, now=NOW, limit=9) == []
    with pytest.raises(BackendUnavailable):
        await sessions.remember(FIRST, user_id=gone)
    await sessions.remember(FIRST, user_id=came_again)
    assert await sessions.recall("one", user_id=came_again, now=NOW, limit=9) == [FIRST]


async def no_upload(_upload_id: str) -> None:
    """There is none to drop."""
