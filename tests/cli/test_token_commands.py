"""`token` and `audit`: keys for programs, and what they were used for."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from dome_mcp.app import opened
from dome_mcp.core.access import EVERYTHING, Principal
from dome_mcp.core.audit import AuditEntry
from dome_mcp.core.tokens import parse_token
from dome_mcp.services.access import authenticate
from dome_mcp.services.audit import record
from dome_mcp.settings import load
from tests.cli.conftest import Cli, Ran


def create(cli: Cli, *options: str) -> Ran:
    return cli("token", "create", "--scope", "all", *options)


def admitted(cli: Cli, text: str) -> Principal | None:
    """As whom a server on this home would let the token in."""

    async def ask() -> Principal | None:
        async with opened(load(cli.environ)) as dome:
            found = await authenticate(text, dome.ports, now=dome.now())
            return found and found[1]

    return anyio.run(ask)


def test_a_token_stands_alone_on_standard_output_and_lets_its_user_in(cli: Cli) -> None:
    ran = create(cli, "--user", "alice", "--name", "laptop")
    assert ran.code == 0
    (text,) = ran.out.splitlines()
    principal = admitted(cli, text)
    assert principal is not None
    assert principal.user_id == "alice"
    assert principal.scopes == EVERYTHING - {"admin"}
    assert text not in ran.err
    assert principal.credential in ran.err


def test_a_token_is_the_owners_where_nobody_is_named(cli: Cli) -> None:
    principal = admitted(cli, create(cli).out.strip())
    assert principal is not None
    assert principal.user_id == "me"


def test_a_token_is_never_shown_again(cli: Cli) -> None:
    text = create(cli, "--name", "laptop").out.strip()
    token_id, secret = parse_token(text) or ("", "")
    for ran in (cli("token", "list"), cli("token", "list", "--json")):
        assert token_id in ran.out
        assert secret not in ran.out
        assert "hash" not in ran.out


@pytest.mark.parametrize("scope", ["notes:read,tasks:read", "notes:read tasks:read"])
def test_a_token_has_the_scopes_that_were_named(cli: Cli, scope: str) -> None:
    made = cli("token", "create", "--scope", scope, "--json").json
    assert made["scopes"] == ["notes:read", "tasks:read"]


def test_admin_is_to_be_named_even_beside_all(cli: Cli) -> None:
    made = cli("token", "create", "--scope", "all,admin", "--json").json
    assert set(made["scopes"]) == EVERYTHING


@pytest.mark.parametrize("scope", ["", "everything", "notes", "all,notes"])
def test_a_scope_that_does_not_exist_is_bad_input(cli: Cli, scope: str) -> None:
    ran = cli("token", "create", "--scope", scope)
    assert (ran.code, ran.out) == (2, "")
    assert "notes:read" in ran.err
    assert cli("token", "list", "--json").json["tokens"] == []


def test_without_scopes_there_is_no_token(cli: Cli) -> None:
    assert cli("token", "create").code == 2


@pytest.mark.parametrize(
    ("expires", "days"), [(None, 90), ("12h", 0.5), ("30d", 30), ("2w", 14), ("1y", 365)]
)
def test_a_token_expires_after_a_span(cli: Cli, expires: str | None, days: float) -> None:
    before = datetime.now(UTC)
    made = create(cli, "--json", *(["--expires", expires] if expires else [])).json
    lifetime = datetime.fromisoformat(made["expires_at"]) - before
    assert abs(lifetime - timedelta(days=days)) < timedelta(minutes=1)


def test_a_token_expires_at_a_date_of_the_users_zone_or_never(cli: Cli) -> None:
    assert create(cli, "--json", "--expires", "never").json["expires_at"] is None
    at = create(cli, "--json", "--expires", "2999-01-01").json["expires_at"]
    assert at == "2999-01-01T00:00:00+01:00"


@pytest.mark.parametrize("expires", ["soon", "2020-01-01", "0d", "-1d", "99999999d", "90", ""])
def test_a_time_that_no_token_can_expire_at_is_bad_input(cli: Cli, expires: str) -> None:
    assert create(cli, f"--expires={expires}").code == 2
    assert cli("token", "list", "--json").json["tokens"] == []


def test_a_listing_says_whether_each_token_may_be_used(cli: Cli) -> None:
    active = create(cli, "--json", "--name", "a").json["token_id"]
    revoked = create(cli, "--json", "--name", "b").json["token_id"]
    cli("token", "revoke", revoked)
    listed = cli("token", "list", "--json").json["tokens"]
    states = {each["token_id"]: each["state"] for each in listed}
    assert states == {active: "active", revoked: "revoked"}
    cells = cli("token", "list").out.splitlines()[0].split("\t")
    assert (cells[0], cells[1], cells[2], cells[-1]) == (active, "me", "a", "active")


def test_a_listing_of_a_user_has_nobody_elses_tokens(cli: Cli) -> None:
    create(cli, "--user", "alice")
    bobs = create(cli, "--user", "bob", "--json").json["token_id"]
    listed = cli("token", "list", "--user", "bob", "--json").json["tokens"]
    assert [each["token_id"] for each in listed] == [bobs]


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_revoked_token_lets_nobody_in(cli: Cli, is_whole: bool) -> None:
    text = create(cli).out.strip()
    token_id, _ = parse_token(text) or ("", "")
    ran = cli("token", "revoke", text if is_whole else token_id)
    assert (ran.code, ran.out) == (0, f"Revoked {token_id}.\n")
    assert admitted(cli, text) is None


def test_an_unknown_token_keeps_all_from_being_revoked(cli: Cli) -> None:
    text = create(cli).out.strip()
    ran = cli("token", "revoke", text, "nothing")
    assert ran.code == 2
    assert admitted(cli, text) is not None


def entry(number: int, user_id: str = "alice") -> AuditEntry:
    at = datetime(2026, 3, 1, 9, 30, tzinfo=UTC) + timedelta(minutes=number)
    return AuditEntry(at, user_id, "key", "192.0.2.1", "GET /api/notes", f"n{number}", "ok", 2)


@pytest.fixture
def logged(cli: Cli) -> Cli:
    """A home with three entries in its audit log, of two users."""

    async def add() -> None:
        async with opened(load(cli.environ)) as dome:
            await record([entry(1), entry(2, "bob"), entry(3)], dome.ports)

    anyio.run(add)
    return cli


def test_the_audit_log_is_shown_newest_first_and_in_pages(logged: Cli) -> None:
    first = logged("audit", "--limit", "2", "--json").json
    second = logged("audit", "--limit", "2", "--cursor", first["next_cursor"], "--json").json
    shown = first["entries"] + second["entries"]
    assert [each["target"] for each in shown] == ["n3", "n2", "n1"]
    assert second["next_cursor"] is None
    assert shown[0] == {
        "at": "2026-03-01T10:33:00+01:00",
        "user_id": "alice",
        "credential": "key",
        "source": "192.0.2.1",
        "action": "GET /api/notes",
        "target": "n3",
        "outcome": "ok",
        "times": 2,
    }


def test_the_audit_log_of_one_user_has_nobody_elses_entries(logged: Cli) -> None:
    ran = logged("audit", "--user", "bob")
    assert [line.split("\t")[5] for line in ran.out.splitlines()] == ["n2"]


@pytest.mark.parametrize("options", [("--limit", "0"), ("--cursor", "x"), ("--cursor", "9" * 30)])
def test_a_page_of_the_audit_log_that_cannot_be_is_bad_input(
    logged: Cli, options: tuple[str, str]
) -> None:
    assert logged("audit", *options).code == 2
