"""Which tokens of an OAuth issuer are believed, and every way to be wrong."""

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import api_jws
from jwt.algorithms import OKPAlgorithm

from tests.remote.oidc_issuer import (
    AUDIENCE,
    EC,
    ISSUER,
    KEY,
    OTHER,
    Issuer,
    answer,
    b64,
    by_hand,
    claims,
    resource,
)
from tests.remote.oidc_server.running import SigningKey

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("key", [KEY, EC], ids=["RSA", "EC"])
async def test_a_good_token_is_its_user_with_its_scopes_of_ours(
    tmp_path: Path, key: SigningKey
) -> None:
    async with resource(tmp_path, Issuer()) as gate:
        response = await answer(gate, key.sign(claims()))
    assert response.status_code == 200
    told = response.json()
    assert told["user_id"] == "ann"
    assert told["scopes"] == ["notes:read", "tasks:read"]
    assert told["credential"] == "oauth:assistant"


WRONG = {
    "another audience": claims(aud="https://other.example/mcp"),
    "no audience": claims(aud=None),
    "an audience that begins alike": claims(aud=f"{AUDIENCE}x"),
    "another issuer": claims(iss="https://evil.example"),
    "an issuer that begins alike": claims(iss=f"{ISSUER}.evil.example"),
    "no issuer": claims(iss=None),
    "expired": claims(exp=int(time.time()) - 31),
    "no time to expire": claims(exp=None),
    "not yet": claims(nbf=int(time.time()) + 300),
    "an ID token by its hash": claims(at_hash="x"),
    "an ID token by its code": claims(c_hash="x"),
    "an ID token by name": claims(typ="ID"),
    "nobody": claims(sub=None),
    "an empty name": claims(sub="  "),
    "a name that is no text": claims(sub=["ann@login"]),
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG.keys())
async def test_a_token_that_says_something_wrong_is_refused(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    async with resource(tmp_path, Issuer()) as gate:
        # PyJWT will not encode what is no text, so the payload is signed as bytes.
        token = _signed(KEY, said)
        response = await answer(gate, token)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert token not in response.text


def _signed(key: SigningKey, said: dict[str, Any]) -> str:
    header = {"kid": key.key_id, "typ": "at+jwt"}
    return api_jws.encode(json.dumps(said).encode(), key.private, key.algorithm, headers=header)


async def test_a_clock_that_is_half_a_minute_off_does_no_harm(tmp_path: Path) -> None:
    now = int(time.time())
    async with resource(tmp_path, Issuer()) as gate:
        for said in (claims(exp=now - 15), claims(nbf=now + 15, iat=now + 15)):
            assert (await answer(gate, KEY.sign(said))).status_code == 200


async def test_a_token_that_has_expired_is_no_guess(tmp_path: Path) -> None:
    token = KEY.sign(claims(exp=int(time.time()) - 31))
    async with resource(tmp_path, Issuer()) as gate:
        statuses = {(await answer(gate, token)).status_code for _ in range(15)}
        assert (await answer(gate, KEY.sign(claims()))).status_code == 200
    assert statuses == {401}


async def test_an_unsigned_token_is_refused(tmp_path: Path) -> None:
    async with resource(tmp_path, Issuer()) as gate:
        for algorithm in ("none", "None", "NONE", ""):
            token = by_hand({"alg": algorithm, "kid": "k1"}, claims())
            assert (await answer(gate, token)).status_code == 401


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(tmp_path: Path) -> None:
    public = KEY.private.public_key()
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(KEY.public_jwk).encode(),
    ]
    async with resource(tmp_path, Issuer()) as gate:
        for secret in secrets:
            signed = by_hand({"alg": "HS256", "kid": "k1", "typ": "at+jwt"}, claims())
            content = signed.rpartition(".")[0]
            signature = hmac.digest(secret, content.encode(), hashlib.sha256)
            response = await answer(gate, f"{content}.{b64(signature)}")
            assert response.status_code == 401


async def test_a_symmetric_key_of_the_issuer_verifies_nothing(tmp_path: Path) -> None:
    secret = {"kty": "oct", "kid": "s1", "alg": "HS256", "k": b64(b"x" * 32)}
    async with resource(tmp_path, Issuer(keys=[KEY.public_jwk, secret])) as gate:
        signed = by_hand({"alg": "HS256", "kid": "s1"}, claims()).rpartition(".")[0]
        signature = hmac.digest(b"x" * 32, signed.encode(), hashlib.sha256)
        assert (await answer(gate, f"{signed}.{b64(signature)}")).status_code == 401


async def test_a_key_is_used_for_its_own_algorithm_alone(tmp_path: Path) -> None:
    token = SigningKey("k1", "RS512", KEY.private).sign(claims())
    async with resource(tmp_path, Issuer()) as gate:
        assert (await answer(gate, token)).status_code == 401


async def test_a_key_for_encryption_verifies_nothing(tmp_path: Path) -> None:
    keys = [EC.public_jwk, KEY.public_jwk | {"use": "enc"}]
    async with resource(tmp_path, Issuer(keys=keys)) as gate:
        assert (await answer(gate, KEY.sign(claims()))).status_code == 401


async def test_another_key_under_the_same_name_is_refused(tmp_path: Path) -> None:
    async with resource(tmp_path, Issuer()) as gate:
        assert (await answer(gate, OTHER.sign(claims()))).status_code == 401


async def test_a_token_that_brings_its_own_key_is_refused(tmp_path: Path) -> None:
    header = {"jwk": OTHER.public_jwk, "jku": "https://evil.example/jwks", "x5u": "https://e/x"}
    issuer = Issuer()
    async with resource(tmp_path, issuer) as gate:
        token = OTHER.sign(claims(), kid="evil", **header)
        assert (await answer(gate, token)).status_code == 401
    assert set(issuer.asked) <= {"/jwks", "/.well-known/openid-configuration"}


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_token_that_was_tampered_with_is_refused(tmp_path: Path, part: int) -> None:
    parts = KEY.sign(claims()).split(".")
    middle = len(parts[part]) // 2
    swapped = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + swapped + parts[part][middle + 1 :]
    async with resource(tmp_path, Issuer()) as gate:
        assert (await answer(gate, ".".join(parts))).status_code == 401


async def test_more_scopes_than_were_signed_are_refused(tmp_path: Path) -> None:
    header, _, signature = KEY.sign(claims()).split(".")
    richer = b64(json.dumps(claims(scope="admin")).encode())
    async with resource(tmp_path, Issuer()) as gate:
        assert (await answer(gate, f"{header}.{richer}.{signature}")).status_code == 401


@pytest.mark.parametrize(
    "token",
    [
        "..",
        "a.b",
        "e30.e30.e30",
        "x" * 9_000,
        by_hand({"alg": ["RS256"]}, {}),
        by_hand({"alg": "RS256", "typ": {}}, {}),
        by_hand({"alg": "RS256", "kid": 7}, {}),
        f"{b64(b'[' * 5_000)}.e30.e30",
        "é.é.é",
    ],
    ids=["dots", "parts", "empty", "long", "alg", "typ", "kid", "deep", "no ASCII"],
)
async def test_what_is_no_token_at_all_is_refused(tmp_path: Path, token: str) -> None:
    issuer = Issuer()
    async with resource(tmp_path, issuer) as gate, gate.client() as client:
        headers = {b"authorization": b"Bearer " + token.encode()}
        response = await client.get("/api/me", headers=headers)
    assert response.status_code == 401
    assert issuer.asked == []


async def test_the_type_of_a_token_must_be_that_of_an_access_token(tmp_path: Path) -> None:
    async with resource(tmp_path, Issuer()) as gate:
        statuses = [
            (await answer(gate, KEY.sign(claims(), typ=kind))).status_code
            for kind in ("JWT", "application/at+jwt", "AT+JWT", "dpop+jwt", "logout+jwt")
        ]
    assert statuses == [200, 200, 200, 401, 401]


async def test_an_extension_that_is_critical_and_unknown_is_refused(tmp_path: Path) -> None:
    token = KEY.sign(claims(), crit=["exp2"], exp2=1)
    async with resource(tmp_path, Issuer()) as gate:
        assert (await answer(gate, token)).status_code == 401


async def test_a_key_too_short_to_be_safe_is_refused(tmp_path: Path) -> None:
    short = SigningKey("short", "RS256", rsa.generate_private_key(65537, 1024))  # noqa: S505  on purpose
    async with resource(tmp_path, Issuer(keys=[short.public_jwk])) as gate:
        with pytest.warns(Warning, match="1024"):
            token = short.sign(claims())
        assert (await answer(gate, token)).status_code == 401


async def test_an_edwards_key_is_believed(tmp_path: Path) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    jwk = json.loads(OKPAlgorithm.to_jwk(private.public_key())) | {"kid": "ed"}
    async with resource(tmp_path, Issuer(keys=[jwk])) as gate:
        token = SigningKey("ed", "EdDSA", private).sign(claims())
        assert (await answer(gate, token)).status_code == 200
