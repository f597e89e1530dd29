"""Who a token, or an OAuth server's word, lets in, and as whom."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.access import EVERYTHING, Principal, Scope
from dome_mcp.core.errors import Conflict, InvalidInput, NotFound
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.tokens import Token, hash_secret, parse_token, token_text
from dome_mcp.services.access import (
    authenticate,
    create_token,
    list_tokens,
    principal_for_identity,
    record_use,
    revoke_tokens,
)
from dome_mcp.services.ingest import ingest
from dome_mcp.services.user_data import delete_user
from dome_mcp.services.users import UserChanges, add_user, list_users, set_user, stored_user
from dome_mcp.store import user_data
from tests.services.intrusion import intruding
from tests.services.notes_for_tests import NOW, draft, later

pytestmark = pytest.mark.anyio

READ: frozenset[Scope] = frozenset({"notes:read"})


def text_of(number: int) -> str:
    """The text of a token, another for each number."""
    return token_text(bytes([number]) * 8, bytes([number]) * 32)


async def make(
    ports: Ports,
    number: int = 1,
    *,
    user_id: str = "alice",
    scopes: frozenset[Scope] = READ,
    expires_at: datetime | None = None,
) -> str:
    text = text_of(number)
    await create_token(
        text,
        ports,
        user_id=user_id,
        name="laptop",
        scopes=scopes,
        now=NOW,
        expires_at=expires_at,
    )
    return text


async def principal_of(text: str, ports: Ports, *, now: datetime = NOW) -> Principal | None:
    found = await authenticate(text, ports, now=now)
    return found and found[1]


async def only_token(ports: Ports) -> Token:
    (token,) = await list_tokens(ports, user_id=None)
    return token


async def mark_as_leaving(ports: Ports, user_id: str) -> None:
    """What a deletion does first, and no more of it."""
    await ports.database.batch(user_data.begin_deletion(user_id, now=NOW))


async def test_a_token_lets_its_user_in_with_its_scopes_alone(ports: Ports) -> None:
    scopes: frozenset[Scope] = frozenset({"notes:read", "tasks:write"})
    text = await make(ports, scopes=scopes)
    await make(ports, 2, user_id="bob", scopes=EVERYTHING)
    principal = await principal_of(text, ports)
    token_id, _ = parse_token(text) or ("", "")
    assert principal == Principal("alice", scopes, credential=token_id, zone=None)


async def test_nothing_of_the_secret_is_stored(ports: Ports) -> None:
    text = await make(ports)
    _, secret = parse_token(text) or ("", "")
    (row,) = await ports.database.query(Statement("SELECT * FROM tokens"))
    assert row["secret_hash"] == hash_secret(secret)
    assert not [value for value in row.values() if secret in str(value)]


async def test_a_user_acts_in_their_own_time_zone(ports: Ports) -> None:
    text = await make(ports)
    await set_user("alice", UserChanges(zone="Asia/Tokyo"), ports, now=NOW)
    principal = await principal_of(text, ports)
    assert principal is not None
    assert principal.zone == ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "dome_",
        text_of(9),
        # The id of a token that is there, with another's secret.
        token_text(bytes([1]) * 8, bytes([9]) * 32),
        text_of(1) + "A",
        text_of(1).upper(),
        f" {text_of(1)}",
        f"{text_of(1)}\n",
        text_of(1).replace("dome_", "mode_"),
    ],
)
async def test_what_is_not_exactly_a_token_lets_nobody_in(ports: Ports, wrong: str) -> None:
    await make(ports)
    assert await authenticate(wrong, ports, now=NOW) is None


async def test_a_token_lets_in_until_it_expires(ports: Ports) -> None:
    text = await make(ports, expires_at=later(60))
    assert await principal_of(text, ports, now=later(60) - timedelta(milliseconds=1))
    assert await principal_of(text, ports, now=later(60)) is None


async def test_a_revoked_token_lets_nobody_in_and_is_still_listed(ports: Ports) -> None:
    text, other = await make(ports), await make(ports, 2)
    token_id, _ = parse_token(text) or ("", "")
    await revoke_tokens([f" {token_id.upper()} "], ports, now=later(1))
    await revoke_tokens([token_id], ports, now=later(2))
    assert await principal_of(text, ports, now=later(3)) is None
    assert await principal_of(other, ports, now=later(3))
    revoked = [token.revoked_at for token in await list_tokens(ports, user_id="alice")]
    assert sorted(revoked, key=str) == [later(1), None]


async def test_with_one_unknown_id_no_token_is_revoked(ports: Ports) -> None:
    text = await make(ports)
    token_id, _ = parse_token(text) or ("", "")
    with pytest.raises(NotFound):
        await revoke_tokens([token_id, "nothing"], ports, now=later(1))
    assert await principal_of(text, ports, now=later(2))


async def test_a_user_who_is_being_deleted_gets_in_by_no_way(ports: Ports) -> None:
    await add_user("alice", ports, now=NOW, identity="sub-1")
    text = await make(ports)
    await mark_as_leaving(ports, "alice")
    assert await principal_of(text, ports) is None
    with pytest.raises(Conflict):
        await make(ports, 2)
    assert await list_tokens(ports, user_id=None) == ()
    for signup in (False, True):
        assert await identified("sub-1", ports, signup=signup) is None


async def test_a_token_that_came_back_during_a_deletion_lets_nobody_in(ports: Ports) -> None:
    text = await make(ports)
    token = await only_token(ports)
    await mark_as_leaving(ports, "alice")
    await ports.database.query(
        Statement(
            "INSERT INTO tokens (token_id, user_id, name, scopes, secret_hash, created_at_ms)"
            " VALUES (?1, 'alice', '', 'notes:read', ?2, 1)",
            (token.token_id, token.secret_hash),
        )
    )
    assert await principal_of(text, ports) is None


async def test_the_same_token_made_twice_is_one(ports: Ports) -> None:
    await make(ports)
    before = await only_token(ports)
    await make(ports)
    assert await only_token(ports) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": frozenset()},
        {"expires_at": NOW},
        {"user_id": ""},
        {"user_id": "not one"},
        {"user_id": "x" * 65},
        {"user_id": user_data.NOBODY_ANY_MORE},
    ],
)
async def test_a_token_that_cannot_be_is_refused_and_not_stored(
    ports: Ports, fields: dict[str, object]
) -> None:
    wanted = {"user_id": "alice", "scopes": READ, "expires_at": None, **fields}
    with pytest.raises(InvalidInput):
        await create_token(text_of(1), ports, name="laptop", now=NOW, **wanted)
    assert await list_tokens(ports, user_id=None) == ()
    assert await list_users(ports, now=NOW) == ()


@pytest.mark.parametrize("name", ["", " \n ", "x" * 61])
async def test_a_token_has_a_name_that_can_be_shown(ports: Ports, name: str) -> None:
    with pytest.raises(InvalidInput):
        await create_token(
            text_of(1), ports, user_id="a", name=name, scopes=READ, now=NOW, expires_at=None
        )


async def test_a_use_is_noted_once_a_minute(ports: Ports) -> None:
    await make(ports)
    token = await only_token(ports)
    await record_use(token, ports, now=later(1))
    assert (await only_token(ports)).last_used_at == later(1)
    # Read before that use, as by a request that came at the same time.
    await record_use(token, ports, now=later(1) + timedelta(seconds=59))
    assert (await only_token(ports)).last_used_at == later(1)
    await record_use(token, ports, now=later(2))
    assert (await only_token(ports)).last_used_at == later(2)


async def test_a_use_within_the_minute_does_not_ask_the_database(ports: Ports) -> None:
    await make(ports)
    token = replace(await only_token(ports), last_used_at=later(1))
    unreachable = replace(ports, database=None)
    await record_use(token, unreachable, now=later(1) + timedelta(seconds=59))
    with pytest.raises(AttributeError):
        await record_use(token, unreachable, now=later(2))


async def test_a_use_that_a_clock_put_into_the_future_is_put_right(ports: Ports) -> None:
    await make(ports)
    await record_use(await only_token(ports), ports, now=later(60))
    await record_use(await only_token(ports), ports, now=later(1))
    assert (await only_token(ports)).last_used_at == later(1)


async def identified(
    identity: str, ports: Ports, *, signup: bool = False, owner_id: str = "me"
) -> Principal | None:
    return await principal_for_identity(
        identity,
        ports,
        scopes=READ,
        credential="client",
        now=NOW,
        owner_id=owner_id,
        signup=signup,
    )


async def test_an_identity_is_the_user_it_was_added_for(ports: Ports) -> None:
    await add_user("alice", ports, now=NOW, identity="sub-1", zone=ZoneInfo("Asia/Tokyo"))
    expected = Principal("alice", READ, credential="client", zone=ZoneInfo("Asia/Tokyo"))
    for signup in (False, True):
        assert await identified("sub-1", ports, signup=signup) == expected


@pytest.mark.parametrize("identity", ["", "  ", "sub-2", "SUB-1", "alice"])
async def test_an_identity_that_nobody_added_is_nobody(ports: Ports, identity: str) -> None:
    await add_user("alice", ports, now=NOW, identity="sub-1")
    await add_user("bob", ports, now=NOW)
    assert await identified(identity, ports) is None
    assert len(await list_users(ports, now=NOW)) == 2


async def test_with_signup_an_identity_becomes_a_user_of_its_own(ports: Ports) -> None:
    await add_user("alice", ports, now=NOW, identity="sub-1")
    first = await identified("sub-2", ports, signup=True)
    again = await identified("sub-2", ports, signup=True)
    other = await identified("sub-3", ports, signup=True)
    assert first is not None
    assert other is not None
    assert again == first
    assert len({"alice", first.user_id, other.user_id}) == 3
    assert first.user_id.startswith("u-")
    assert await identified("sub-2", ports) == first


@pytest.mark.parametrize("identity", ["", " ", "x" * 256])
async def test_signup_wants_an_identity(ports: Ports, identity: str) -> None:
    assert await identified(identity, ports, signup=True) is None
    assert await list_users(ports, now=NOW) == ()


@pytest.mark.parametrize("holder", ["added", "owner", "has a note", "has another identity"])
async def test_signup_never_takes_over_an_id_that_somebody_has(ports: Ports, holder: str) -> None:
    made = await identified("sub-2", ports, signup=True)
    assert made is not None
    wanted = made.user_id
    await delete_user(ports, user_id=wanted, now=NOW, drop_upload=no_upload)
    owner_id = wanted if holder == "owner" else "me"
    if holder == "added":
        await add_user(wanted, ports, now=NOW)
    if holder == "has another identity":
        await add_user(wanted, ports, now=NOW, identity="sub-9")
    if holder == "has a note":
        await ingest(draft("Mine.", user_id=wanted), ports, user_id=wanted, now=NOW)
    other = await identified("sub-2", ports, signup=True, owner_id=owner_id)
    assert other is not None
    assert other.user_id != wanted
    assert other.user_id.startswith(wanted)


async def no_upload(upload_id: str) -> None:
    raise AssertionError(upload_id)


async def test_two_who_sign_up_at_once_with_one_identity_are_one_user(ports: Ports) -> None:
    other = intruding(
        ports,
        on="INSERT INTO users",
        by=lambda: identified("sub-2", ports, signup=True),
        reaches_queries=True,
    )
    first = await identified("sub-2", other, signup=True)
    assert first == await identified("sub-2", ports)
    assert len(await list_users(ports, now=NOW)) == 1


async def test_an_identity_belongs_to_one_user(ports: Ports) -> None:
    await add_user("alice", ports, now=NOW, identity="sub-1")
    await add_user("bob", ports, now=NOW)
    with pytest.raises(Conflict, match="alice"):
        await set_user("bob", UserChanges(identity="sub-1"), ports, now=NOW)
    with pytest.raises(Conflict, match="alice"):
        await add_user("carol", ports, now=NOW, identity="sub-1")
    await set_user("alice", UserChanges(identity=""), ports, now=NOW)
    await set_user("bob", UserChanges(identity="sub-1"), ports, now=NOW)
    assert (await stored_user("alice", ports)).identity is None
    principal = await identified("sub-1", ports)
    assert principal is not None
    assert principal.user_id == "bob"


async def test_a_user_is_added_once_and_changed_only_when_there(ports: Ports) -> None:
    await add_user("alice", ports, now=NOW, zone=ZoneInfo("Asia/Tokyo"))
    with pytest.raises(Conflict):
        await add_user("alice", ports, now=later(1))
    with pytest.raises(NotFound):
        await set_user("bob", UserChanges(zone="Asia/Tokyo"), ports, now=NOW)
    with pytest.raises(NotFound):
        await stored_user("bob", ports)
    await set_user("me", UserChanges(identity="sub-1"), ports, now=NOW, adds=True)
    assert (await stored_user("me", ports)).identity == "sub-1"
    changed = await set_user("alice", UserChanges(identity="sub-2"), ports, now=NOW)
    assert (changed.zone, changed.identity) == ("Asia/Tokyo", "sub-2")


async def test_a_token_adds_its_user_and_leaves_one_who_is_there(ports: Ports) -> None:
    await add_user("alice", ports, now=NOW, identity="sub-1")
    await make(ports)
    await make(ports, 2, user_id="bob")
    assert (await stored_user("alice", ports)).identity == "sub-1"
    assert (await stored_user("bob", ports)).created_at == NOW


async def test_everybody_who_has_something_is_listed_with_what_they_have(ports: Ports) -> None:
    await make(ports, user_id="bob", expires_at=later(5))
    await make(ports, 2, user_id="bob")
    await ingest(draft("Mine."), ports, user_id="me", now=NOW)
    listed = await list_users(ports, now=later(10))
    assert [(each.user.user_id, each.notes, each.tokens) for each in listed] == [
        ("bob", 0, 1),
        ("me", 1, 0),
    ]
    assert listed[1].user.created_at is None
