"""Whom an issuer's tokens speak for, what they may do, and Cloudflare Access in front."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.access import known_scopes
from dome_mcp.core.errors import ConfigurationError
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.oidc import open_oidc
from dome_mcp.services.users import list_users
from dome_mcp.settings import Settings
from tests.remote.gated import Gated
from tests.remote.oidc_issuer import (
    AUDIENCE,
    ISSUER,
    KEY,
    Issuer,
    answer,
    claims,
    resource,
)

pytestmark = pytest.mark.anyio

_UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("said", "scopes"),
    [
        ({"scope": "notes:write"}, {"notes:write"}),
        ({"scope": None, "scp": ["notes:read", "weather"]}, {"notes:read"}),
        ({"scope": None, "scp": "tasks:read admin"}, {"tasks:read", "admin"}),
        ({"scope": "weather"}, {"tasks:read"}),
        ({"scope": None}, {"tasks:read"}),
        ({"scope": {"notes:read": True}}, {"tasks:read"}),
        ({"scope": "notes:readx"}, {"tasks:read"}),
    ],
)
async def test_the_scopes_are_those_of_ours_or_else_the_settings(
    tmp_path: Path, said: dict[str, Any], scopes: set[str]
) -> None:
    default = known_scopes(["tasks:read"])
    async with resource(tmp_path, Issuer(), oidc_default_scopes=default) as gate:
        told = (await answer(gate, KEY.sign(claims(**said)))).json()
    assert set(told["scopes"]) == scopes


async def test_a_token_that_hardly_ever_expires_is_believed(tmp_path: Path) -> None:
    async with resource(tmp_path, Issuer()) as gate:
        assert (await answer(gate, KEY.sign(claims(exp=10**20)))).status_code == 200


async def test_without_scopes_of_ours_nothing_is_allowed_by_default(tmp_path: Path) -> None:
    async with resource(tmp_path, Issuer()) as gate:
        assert (await answer(gate, KEY.sign(claims(scope="openid")))).json()["scopes"] == []


async def test_an_identity_that_nobody_added_is_told_how_to_be(tmp_path: Path) -> None:
    async with resource(tmp_path, Issuer()) as gate:
        response = await answer(gate, KEY.sign(claims(sub="ben@login")))
        users = await list_users(gate.ports, now=datetime.now(UTC))
    assert response.status_code == 403
    assert "dome-mcp user add" in response.json()["hint"]
    assert "ben@login" in response.json()["hint"]
    assert [each.user.user_id for each in users] == ["ann"]


async def test_with_signup_a_new_identity_is_a_user_of_its_own(tmp_path: Path) -> None:
    async with resource(tmp_path, Issuer(), oidc_signup=True) as gate:
        names = [
            (await answer(gate, KEY.sign(claims(sub=sub)))).json()["user_id"]
            for sub in ("ben@login", "ben@login", "eve@login", "ann@login")
        ]
    assert names[0] == names[1]
    assert len({*names, "me"}) == 4
    assert names[3] == "ann"


async def test_an_address_that_the_issuer_has_not_verified_names_nobody(tmp_path: Path) -> None:
    async with resource(tmp_path, Issuer(), oidc_user_claim="email") as gate:
        said = claims(email="ann@login", sub="someone")
        assert (await answer(gate, KEY.sign(said))).status_code == 200
        unproven = KEY.sign(said | {"email_verified": False})
        assert (await answer(gate, unproven)).status_code == 401


async def test_the_audience_by_default_is_the_address_of_the_endpoint(tmp_path: Path) -> None:
    public = {"public_url": "https://dome.public"}
    async with resource(tmp_path, Issuer(), changes=public, oidc_audience=None) as gate:
        statuses = [
            (await answer(gate, KEY.sign(claims(aud=audience)))).status_code
            for audience in (
                "https://dome.public/mcp",
                "https://dome.public",
                ["x", "https://dome.public/"],
                "https://dome.public/api",
                AUDIENCE,
            )
        ]
    assert statuses == [200, 200, 200, 401, 401]


def test_an_issuer_without_an_audience_does_not_start(tmp_path: Path) -> None:
    here = Settings(home=tmp_path, timezone=_UTC_ZONE, http=HttpSettings(oidc_issuer=ISSUER))
    with pytest.raises(ConfigurationError, match="DOME_OIDC_AUDIENCE"):
        open_oidc(here)


def test_without_an_issuer_there_is_nothing_to_check(tmp_path: Path) -> None:
    assert open_oidc(Settings(home=tmp_path, timezone=_UTC_ZONE)) is None


ACCESS = "https://team.cloudflareaccess.com"


@asynccontextmanager
async def behind_access(home: Path, issuer: Issuer) -> AsyncIterator[Gated]:
    """A gate behind Cloudflare Access, which signs people in and says who they are by a header."""
    async with resource(
        home,
        issuer,
        oidc_issuer=ACCESS,
        oidc_audience="aud-tag",
        oidc_header="Cf-Access-Jwt-Assertion",
        oidc_user_claim="email",
        oidc_default_scopes=known_scopes(["notes:read"]),
    ) as gate:
        yield gate


def assertion(**changes: Any) -> str:
    said = {"iss": ACCESS, "aud": ["aud-tag"], "email": "ann@login", "scope": None}
    return KEY.sign(claims(**said, client_id=None, type="app", **changes), typ="JWT")


async def test_cloudflare_access_says_who_is_there(tmp_path: Path) -> None:
    issuer = Issuer()
    async with behind_access(tmp_path, issuer) as gate, gate.client() as client:
        response = await client.get("/api/me", headers={"Cf-Access-Jwt-Assertion": assertion()})
    assert response.json()["user_id"] == "ann"
    assert response.json()["scopes"] == ["notes:read"]
    assert issuer.asked == ["/cdn-cgi/access/certs"]


async def test_a_token_of_ours_wins_over_the_assertion_beside_it(tmp_path: Path) -> None:
    async with behind_access(tmp_path, Issuer()) as gate:
        text, _ = await gate.token("tasks:read", user="ben")
        headers = {"Cf-Access-Jwt-Assertion": assertion()}
        async with gate.client(text, headers=headers) as client:
            assert (await client.get("/api/me")).json()["user_id"] == "ben"
        async with gate.client("dome_wrong", headers=headers) as client:
            assert (await client.get("/api/me")).status_code == 401


async def test_an_assertion_counts_in_its_own_header_alone(tmp_path: Path) -> None:
    async with behind_access(tmp_path, Issuer()) as gate:
        assert (await answer(gate, assertion())).status_code == 401
    async with resource(tmp_path / "b", Issuer()) as gate, gate.client() as client:
        headers = {"Cf-Access-Jwt-Assertion": KEY.sign(claims())}
        assert (await client.get("/api/me", headers=headers)).status_code == 401


async def test_a_token_of_ours_is_none_in_the_header_of_assertions(tmp_path: Path) -> None:
    async with behind_access(tmp_path, Issuer()) as gate, gate.client() as client:
        text, _ = await gate.token()
        response = await client.get("/api/me", headers={"Cf-Access-Jwt-Assertion": text})
    assert response.status_code == 401


async def test_a_page_from_elsewhere_cannot_ride_on_the_cookie_of_access(tmp_path: Path) -> None:
    headers = {"Cf-Access-Jwt-Assertion": assertion(), "Origin": "https://evil.example"}
    async with behind_access(tmp_path, Issuer()) as gate, gate.client() as client:
        assert (await client.post("/mcp", headers=headers)).status_code == 403
