"""How the keys of an issuer are found and kept, while it changes them or is down."""

import json
from pathlib import Path

import anyio
import httpx
import pytest

from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.oidc import Oidc
from dome_mcp.remote.oidc_keys import MAX_AGE_SECONDS, RETRY_SECONDS, IssuerKeys
from dome_mcp.settings import Settings
from tests.remote.gated import HOST, gated
from tests.remote.oidc_issuer import (
    AUDIENCE,
    EC,
    ISSUER,
    KEY,
    OTHER,
    Issuer,
    answer,
    claims,
    resource,
)
from tests.remote.oidc_server.running import rsa_key

pytestmark = pytest.mark.anyio


async def test_a_flood_of_unknown_key_ids_reaches_the_issuer_twice_a_minute(
    tmp_path: Path,
) -> None:
    issuer = Issuer()
    async with resource(tmp_path, issuer) as gate:
        for number in range(50):
            token = OTHER.sign(claims(), kid=f"made-up-{number}")
            assert (await answer(gate, token)).status_code in (401, 429)
        assert issuer.key_requests == 1
        issuer.clock.now += RETRY_SECONDS
        await answer(gate, OTHER.sign(claims(), kid="made-up"))
        assert issuer.key_requests == 2
        assert (await answer(gate, KEY.sign(claims()))).status_code == 200


async def test_a_new_key_is_found_and_an_old_one_forgotten(tmp_path: Path) -> None:
    issuer = Issuer()
    new = rsa_key("k2")
    async with resource(tmp_path, issuer) as gate:
        assert (await answer(gate, KEY.sign(claims()))).status_code == 200
        issuer.keys = [new.public_jwk]
        issuer.clock.now += RETRY_SECONDS
        assert (await answer(gate, new.sign(claims()))).status_code == 200
        assert (await answer(gate, KEY.sign(claims(jti="2")))).status_code == 401


async def test_a_key_that_was_withdrawn_is_forgotten_though_nobody_uses_a_new_one(
    tmp_path: Path,
) -> None:
    issuer = Issuer()
    async with resource(tmp_path, issuer) as gate:
        assert (await answer(gate, KEY.sign(claims()))).status_code == 200
        issuer.keys = [EC.public_jwk]
        issuer.clock.now += MAX_AGE_SECONDS
        assert (await answer(gate, KEY.sign(claims(jti="2")))).status_code == 401


async def test_an_issuer_that_is_down_is_503_until_it_is_back(tmp_path: Path) -> None:
    issuer = Issuer(is_down=True)
    async with resource(tmp_path, issuer) as gate:
        response = await answer(gate, KEY.sign(claims()))
        assert response.status_code == 503
        seconds = int(response.headers["retry-after"])
        await answer(gate, KEY.sign(claims()))
        assert len(issuer.asked) == 1
        issuer.is_down = False
        issuer.clock.now += seconds
        assert (await answer(gate, KEY.sign(claims()))).status_code == 200


async def test_an_issuer_that_goes_down_leaves_its_keys_good(tmp_path: Path) -> None:
    issuer = Issuer()
    async with resource(tmp_path, issuer) as gate:
        assert (await answer(gate, KEY.sign(claims()))).status_code == 200
        issuer.is_down = True
        issuer.clock.now += MAX_AGE_SECONDS
        assert (await answer(gate, KEY.sign(claims(jti="2")))).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"keys": [1, {}]}',
        b"[" * 100_000,
        json.dumps({"keys": [KEY.public_jwk], "pad": "x" * 600_000}).encode(),
    ],
    ids=["text", "list", "empty", "no keys", "deep", "long"],
)
async def test_an_issuer_that_answers_nonsense_is_503(tmp_path: Path, content: bytes) -> None:
    def nonsense(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=content)

    def open_here(settings: Settings) -> Oidc:
        keys = IssuerKeys(ISSUER, jwks_url=f"{ISSUER}/k", transport=httpx.MockTransport(nonsense))
        return Oidc(settings.http, audiences=[AUDIENCE], keys=keys)

    http = HttpSettings(allowed_hosts=(HOST,), oidc_issuer=ISSUER, oidc_audience=AUDIENCE)
    async with gated(tmp_path, http=http, oidc=open_here) as gate:
        assert (await answer(gate, KEY.sign(claims()))).status_code == 503


async def test_discovery_falls_back_to_that_of_oauth(tmp_path: Path) -> None:
    issuer = Issuer(has_openid=False)
    async with resource(tmp_path, issuer) as gate:
        assert (await answer(gate, KEY.sign(claims()))).status_code == 200
    assert "/.well-known/oauth-authorization-server" in issuer.asked


async def test_discovery_that_names_another_issuer_is_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with resource(tmp_path, Issuer(name="https://evil.example")) as gate:
        assert (await answer(gate, KEY.sign(claims()))).status_code == 503
    assert "set DOME_OIDC_ISSUER to it" in caplog.text


async def test_many_first_requests_at_once_have_the_keys_read_once(tmp_path: Path) -> None:
    issuer = Issuer()
    statuses: list[int] = []
    async with resource(tmp_path, issuer) as gate, anyio.create_task_group() as tasks:

        async def ask(number: int) -> None:
            response = await answer(gate, KEY.sign(claims(jti=str(number))))
            statuses.append(response.status_code)

        for number in range(20):
            tasks.start_soon(ask, number)
    assert statuses == [200] * 20
    assert issuer.key_requests == 1
