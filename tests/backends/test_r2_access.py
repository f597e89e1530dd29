"""The access key of an API token: whose token it is, and what is said when it is nobody's."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.r2_access import find_access_key
from dome_mcp.core.errors import BackendProtocolError, BackendRejected, BackendUnavailable
from tests.simulators.cloudflare.account import ACCOUNT_ID, SimulatedAccount, failed, succeeded

pytestmark = pytest.mark.anyio

OF_THE_ACCOUNT = f"/client/v4/accounts/{ACCOUNT_ID}/tokens/verify"
OF_A_USER = "/client/v4/user/tokens/verify"
TOKEN_ID = "ed17574386854bf78a67040be0a770b0"  # noqa: S105 - an id, of the documentation
SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""Source: the example of FIPS 180-2, appendix B.1."""
ACTIVE = {"id": TOKEN_ID, "status": "active"}


@dataclass(slots=True)
class TokenPlaces:
    """Where tokens are verified; a token is known at one of them, or at none."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if request.url.path not in self.answers:
            return failed(401, 1000, "Invalid API Token")
        return succeeded(self.answers[request.url.path])


@pytest.fixture
def places() -> TokenPlaces:
    return TokenPlaces()


@pytest.fixture
async def api(places: TokenPlaces) -> AsyncIterator[CloudflareApi]:
    transport = httpx.MockTransport(places)
    async with CloudflareApi.open(SimulatedAccount().account, transport=transport) as opened:
        yield opened


async def test_the_key_is_the_token_s_id_and_the_secret_its_digest(
    places: TokenPlaces, api: CloudflareApi
) -> None:
    places.answers[OF_THE_ACCOUNT] = ACTIVE
    key = await find_access_key(api, "abc")
    assert key.key_id == TOKEN_ID
    assert key.secret == SHA256_OF_ABC
    assert places.asked == [OF_THE_ACCOUNT]


async def test_a_user_s_token_is_found_where_users_tokens_are(
    places: TokenPlaces, api: CloudflareApi
) -> None:
    places.answers[OF_A_USER] = ACTIVE
    assert (await find_access_key(api, "abc")).key_id == TOKEN_ID
    assert places.asked == [OF_THE_ACCOUNT, OF_A_USER]


async def test_a_token_that_nobody_knows_is_rejected_with_what_to_set(api: CloudflareApi) -> None:
    with pytest.raises(BackendRejected, match="DOME_R2_ACCESS_KEY_ID") as caught:
        await find_access_key(api, "s3cret")
    assert "s3cret" not in str(caught.value)


async def test_a_token_that_is_not_active_is_rejected(
    places: TokenPlaces, api: CloudflareApi
) -> None:
    places.answers[OF_THE_ACCOUNT] = {**ACTIVE, "status": "expired"}
    with pytest.raises(BackendRejected, match="not active"):
        await find_access_key(api, "abc")


@pytest.mark.parametrize("result", [None, [], {"status": "active"}, "active"])
async def test_an_answer_without_an_id_is_no_key(
    places: TokenPlaces, api: CloudflareApi, result: Any
) -> None:
    places.answers[OF_THE_ACCOUNT] = result
    with pytest.raises(BackendProtocolError):
        await find_access_key(api, "abc")


async def test_an_outage_is_not_taken_for_a_wrong_token() -> None:
    account = SimulatedAccount()
    account.break_next("GET /tokens/verify", httpx.ConnectError("refused"), times=3)

    async def at_once(_: float) -> None:
        pass

    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=at_once
    ) as api:
        with pytest.raises(BackendUnavailable):
            await find_access_key(api, account.token)
    assert set(account.asked) == {"GET /tokens/verify"}
