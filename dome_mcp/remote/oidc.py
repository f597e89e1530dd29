"""Access tokens of an OAuth issuer: this endpoint is a resource server (RFC 9068, RFC 8707).

A token is believed when it is signed with a key that the issuer publishes, comes from that issuer,
is meant for this endpoint (`aud`) and is in its time. An ID token tells a client who has signed in
and is no permission for anything: what is recognised as one is refused, and all others are because
their audience is the client.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import jwt

from dome_mcp.core.access import Scope, known_scopes
from dome_mcp.core.errors import ConfigurationError
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.identities import LEEWAY_SECONDS, ExpiredToken, Identity, InvalidToken
from dome_mcp.remote.oidc_keys import ALGORITHMS, IssuerKeys, SigningKey
from dome_mcp.settings import Settings

MAX_TOKEN_CHARACTERS = 8_192

_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""The `typ` of a token's header, where it has one; in lower case."""
_ID_TOKEN_CLAIMS = frozenset({"at_hash", "c_hash"})
_MAX_NAME = 80
_LATEST = 2**33
"""A time to expire that datetime can hold, and nobody lives to see."""


class Oidc:
    """Checks the tokens of one issuer."""

    def __init__(self, http: HttpSettings, *, audiences: Sequence[str], keys: IssuerKeys) -> None:
        """`audiences`: the tokens' `aud` must hold one of them."""
        self._http = http
        issuer = (http.oidc_issuer or "").rstrip("/")
        self._issuers = [issuer, f"{issuer}/"]
        self._audiences = list(audiences)
        self._keys = keys

    async def identity(self, token: str) -> Identity:
        """Whom the token speaks for.

        Raises:
            InvalidToken: for nobody, here and now.
            BackendUnavailable: the issuer's keys could not be read.
        """
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise InvalidToken(
                "The token is too long.", f"Send one of at most {MAX_TOKEN_CHARACTERS} characters."
            )
        key_id, algorithm = _read_header(token)
        claims = self._verified(token, algorithm, await self._keys.find(key_id, algorithm))
        if _ID_TOKEN_CLAIMS & claims.keys() or claims.get("typ") == "ID":
            raise InvalidToken("This is an ID token.", "Send the access token that came with it.")
        client = claims.get("client_id") or claims.get("azp") or claims.get("common_name") or ""
        return Identity(
            name=self._name(claims),
            scopes=self._scopes(claims),
            credential=f"oauth:{str(client)[:_MAX_NAME]}",
            expires_at=datetime.fromtimestamp(min(int(claims["exp"]), _LATEST), UTC),
        )

    def _verified(
        self, token: str, algorithm: str, keys: Sequence[SigningKey]
    ) -> Mapping[str, Any]:
        """The claims, when the signature and all that can be checked of them is right."""
        refusal: jwt.InvalidTokenError = jwt.InvalidSignatureError()
        for key in keys:
            try:
                return jwt.decode(
                    token,
                    key.key,
                    algorithms=[algorithm],
                    audience=self._audiences,
                    issuer=self._issuers,
                    leeway=LEEWAY_SECONDS,
                    options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.InvalidTokenError as error:
                refusal = error
            except jwt.InvalidKeyError:
                continue
        raise self._explained(refusal)

    def _explained(self, error: jwt.InvalidTokenError) -> InvalidToken:
        if isinstance(error, jwt.ExpiredSignatureError):
            return ExpiredToken("The token has expired.", "Get a new one from its issuer.")
        if isinstance(error, jwt.InvalidAudienceError):
            return InvalidToken(
                "The token is for another service.",
                f"Ask its issuer for one with the resource or audience {self._audiences[0]!r}.",
            )
        if isinstance(error, jwt.InvalidIssuerError):
            return InvalidToken("The token is from another issuer.")
        return InvalidToken("The token is not valid.", "Get a new one from its issuer.")

    def _name(self, claims: Mapping[str, Any]) -> str:
        claim = self._http.oidc_user_claim
        name = claims.get(claim)
        # Whoever can enter any address at their issuer must not become its owner.
        is_unproven = claim == "email" and claims.get("email_verified") is False
        if not isinstance(name, str) or not name.strip() or is_unproven:
            raise InvalidToken(
                f"The token does not say who its user is: there is no proven claim {claim!r}.",
                "The operator sets the claim with DOME_OIDC_USER_CLAIM.",
            )
        return name

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        names = [*_words(claims.get("scope")), *_words(claims.get("scp"))]
        return known_scopes(names) or self._http.oidc_default_scopes


def open_oidc(
    settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None
) -> Oidc | None:
    """What checks the tokens of the issuer in the settings; None where they name none.

    Raises:
        ConfigurationError: nothing says for whom a token must be meant, so that any would do.
    """
    http = settings.http
    if http.oidc_issuer is None:
        return None
    audiences = audiences_of(settings)
    if not audiences:
        raise ConfigurationError(
            [
                "DOME_OIDC_ISSUER needs DOME_PUBLIC_URL, whose /mcp is then the audience of its "
                "tokens, or DOME_OIDC_AUDIENCE"
            ]
        )
    keys = IssuerKeys(http.oidc_issuer, jwks_url=http.oidc_jwks_url, transport=transport)
    return Oidc(http, audiences=audiences, keys=keys)


def audiences_of(settings: Settings) -> tuple[str, ...]:
    """What a token's `aud` must hold one of, the one to ask for first.

    Without a setting they are the names that the resource metadata gives this endpoint: `/mcp`,
    and the whole of it for what is not MCP over Streamable HTTP. Clients write the latter with a
    slash, or without.
    """
    if settings.http.oidc_audience:
        return (settings.http.oidc_audience,)
    if settings.public_url:
        return (f"{settings.public_url}/mcp", settings.public_url, f"{settings.public_url}/")
    return ()


def _read_header(token: str) -> tuple[str | None, str]:
    """The key id and the algorithm that the header names; neither is believed yet."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, RecursionError):
        raise InvalidToken("The token is not valid.", "Send it whole, as it was given.") from None
    algorithm, kind = header.get("alg"), header.get("typ", "jwt")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise InvalidToken(
            "The token is not signed in a way that is believed.",
            f"Have the issuer sign with one of {', '.join(ALGORITHMS)}.",
        )
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise InvalidToken("This is no access token.", "Send the access token.")
    return header.get("kid"), algorithm


def _words(claim: object) -> list[str]:
    """The scopes of a claim: a text with spaces (RFC 8693) or a list, as some issuers have it."""
    if isinstance(claim, str):
        return claim.split()
    if isinstance(claim, list):
        return [str(each) for each in cast("list[object]", claim)]
    return []
