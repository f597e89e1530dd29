"""The public keys of an OAuth issuer: found by discovery, kept, and fetched again when they turn.

1. A key that is known answers at once. The keys are read again every ten minutes, so that one
   that the issuer withdrew is not believed for long.
2. A key id that is not known has them read again, but at most every 30 s: whoever makes ids up
   costs the issuer two requests a minute.
3. While the issuer does not answer, the keys that were read last stay good.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import anyio
import httpx
import jwt
from jwt.types import JWKDict

from dome_mcp.core.errors import BackendUnavailable, InvalidInput
from dome_mcp.http_settings import issuer as checked_url

ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""The algorithms of signatures that are believed, and the type of key that each takes.

Signatures only: with HS256 the public key would be the secret, and `none` is no signature.
"""

MAX_AGE_SECONDS = 600
RETRY_SECONDS = 30
FIRST_RETRY_SECONDS = 5
"""While there are no keys at all, nobody can be let in: that is tried again sooner."""

_FETCH_SECONDS = 5
_MAX_BYTES = 512_000
_MAX_KEYS = 50
_ACCESS_DOMAIN = ".cloudflareaccess.com"
_ACCESS_KEYS = "/cdn-cgi/access/certs"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key; `algorithm` is the only one it is for, None where the issuer names none."""

    key_id: str | None
    key_type: str
    algorithm: str | None
    key: Any

    def serves(self, key_id: str | None, algorithm: str) -> bool:
        """Whether a token with this header may have been signed with the key."""
        return (
            (key_id is None or self.key_id in (None, key_id))
            and self.key_type == ALGORITHMS[algorithm]
            and self.algorithm in (None, algorithm)
        )


class _Unusable(Exception):
    """The issuer answered, with what is no use; the message says why."""


class IssuerKeys:
    """The keys of one issuer."""

    def __init__(
        self,
        issuer: str,
        *,
        jwks_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`jwks_url` is where the keys are, where discovery does not say; no `transport` is the
        network."""
        self._issuer = issuer
        self._jwks_url = jwks_url or _access_keys_url(issuer)
        self._transport = transport
        self._clock = clock
        self._keys: tuple[SigningKey, ...] = ()
        self._read_at = float("-inf")
        self._asked_at = float("-inf")
        self._asking = anyio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> tuple[SigningKey, ...]:
        """The keys that a token with this header may have been signed with; perhaps none.

        Raises:
            BackendUnavailable: no keys could be read yet.
        """
        found = self._serving(key_id, algorithm)
        is_known_and_young = found and self._clock() - self._read_at < MAX_AGE_SECONDS
        # With a key at hand nobody waits for somebody else's request to the issuer.
        if not is_known_and_young and not (found and self._asking.locked()):
            await self._ask()
            found = self._serving(key_id, algorithm)
        if not self._keys:
            raise BackendUnavailable(
                "oauth issuer",
                "read its keys",
                "The keys of the OAuth issuer could not be read, so its tokens cannot be checked.",
                "Try again in a few seconds; the server's log says what the issuer answered.",
                retry_after=FIRST_RETRY_SECONDS,
            )
        return found

    def _serving(self, key_id: str | None, algorithm: str) -> tuple[SigningKey, ...]:
        return tuple(key for key in self._keys if key.serves(key_id, algorithm))

    async def _ask(self) -> None:
        """Reads the keys, unless that was tried just now."""
        async with self._asking:
            now = self._clock()
            pause = RETRY_SECONDS if self._keys else FIRST_RETRY_SECONDS
            if now - self._asked_at < pause:
                return
            self._asked_at = now
            # Shielded: whoever has a request begun and leaves would use up the others' chance.
            with anyio.CancelScope(shield=True):
                try:
                    self._keys = await self._read()
                    self._read_at = now
                except (httpx.HTTPError, TimeoutError, _Unusable, InvalidInput) as error:
                    _log.warning(
                        "The keys of the OAuth issuer cannot be read (%s: %s); %s.",
                        type(error).__name__,
                        error,
                        "those read before stay good" if self._keys else "its tokens are refused",
                    )

    async def _read(self) -> tuple[SigningKey, ...]:
        with anyio.fail_after(2 * _FETCH_SECONDS):
            async with httpx.AsyncClient(
                transport=self._transport, timeout=_FETCH_SECONDS, follow_redirects=False
            ) as client:
                url = self._jwks_url or await self._discover(client)
                listed = (await _get_json(client, url)).get("keys")
        entries: list[Any] = cast("list[Any]", listed) if isinstance(listed, list) else []
        keys = tuple(key for entry in entries[:_MAX_KEYS] if (key := _signing_key(entry)))
        if not keys:
            raise _Unusable("there is no public key to check a signature with")
        return keys

    async def _discover(self, client: httpx.AsyncClient) -> str:
        """Where the keys are, as OpenID Connect says it, or else RFC 8414."""
        parts = urlsplit(self._issuer)
        root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
        try:
            said = await _get_json(client, f"{root}{path}/.well-known/openid-configuration")
        except (httpx.HTTPStatusError, _Unusable):
            said = await _get_json(client, f"{root}/.well-known/oauth-authorization-server{path}")
        named = str(said.get("issuer", ""))
        if named.rstrip("/") != self._issuer.rstrip("/"):
            raise _Unusable(f"the issuer calls itself {named[:200]!r}: set DOME_OIDC_ISSUER to it")
        return checked_url(str(said.get("jwks_uri", "")))


async def _get_json(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    """The JSON object at an address; raises HTTPError or _Unusable."""
    content = bytearray()
    async with client.stream("GET", url, headers={"Accept": "application/json"}) as response:
        response.raise_for_status()
        async for part in response.aiter_bytes():
            content += part
            if len(content) > _MAX_BYTES:
                raise _Unusable("the answer is too long")
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        raise _Unusable("the answer is no JSON") from None
    if not isinstance(said, dict):
        raise _Unusable("the answer is no JSON object")
    return cast("Mapping[str, Any]", said)


def _signing_key(entry: object) -> SigningKey | None:
    """The key of a JWK; None for what is no public key to check signatures with."""
    if not isinstance(entry, dict):
        return None
    jwk = cast("JWKDict", entry)
    key_id, key_type, algorithm = jwk.get("kid"), jwk.get("kty"), jwk.get("alg")
    is_for_signatures = jwk.get("use", "sig") == "sig"
    if not is_for_signatures or key_type not in ALGORITHMS.values():
        return None
    if algorithm is not None and algorithm not in ALGORITHMS:
        return None
    if isinstance(jwk.get("d"), str):  # The private half is nobody's to publish.
        return None
    try:
        key = jwt.PyJWK(jwk).key
    except jwt.PyJWTError:
        return None
    return SigningKey(None if key_id is None else str(key_id), str(key_type), algorithm, key)


def _access_keys_url(issuer: str) -> str | None:
    """Where Cloudflare Access, which has no discovery, keeps a team's keys.

    Source: https://developers.cloudflare.com/cloudflare-one/, "Validate JWTs" (2026-11).
    """
    parts = urlsplit(issuer)
    is_access = (parts.hostname or "").endswith(_ACCESS_DOMAIN)
    return f"{parts.scheme}://{parts.netloc}{_ACCESS_KEYS}" if is_access else None
