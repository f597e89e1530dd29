"""On whose behalf a request is made, by the token that it carries.

What a token was found to be is remembered for a few seconds, so that a busy client does not cost a
query a request. Hence a token that is revoked, or a user who is deleted, is let in for at most
REMEMBERED_SECONDS more.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio
from starlette.datastructures import Headers

from dome_mcp.app import Door
from dome_mcp.core.access import Principal
from dome_mcp.core.errors import BackendError, Forbidden
from dome_mcp.core.tokens import parse_token
from dome_mcp.remote.identities import LEEWAY_SECONDS, InvalidToken, Issuer
from dome_mcp.services import access

REMEMBERED_SECONDS = 5.0

_MAX_REMEMBERED = 4_096
_MAX_CHECKS = 8
"""How many unknown tokens are looked up at a time: a flood of them waits in line, and leaves the
database to those who are known."""
_AUTHORIZATION = "authorization"
_BEARER = "bearer"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Presented:
    """The token of a request; `is_assertion`: from the header of an issuer's own."""

    text: str
    is_assertion: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """Whose a token was found to be, and until when that is believed."""

    principal: Principal
    until: float


class Bearers:
    """Tells by their tokens who is who: tokens of ours, and those of the issuer if there is one."""

    def __init__(
        self, door: Door, oidc: Issuer | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._door = door
        self._oidc = oidc
        self._clock = clock
        self._assertion_header = door.settings.http.oidc_header.lower()
        self._known: dict[bytes, _Known] = {}
        self._checks = anyio.Semaphore(_MAX_CHECKS)

    def presented(self, headers: Headers) -> Presented | None:
        """The token of a request: that of the Authorization header, or else the issuer's own.

        A proxy such as Cloudflare Access adds its assertion to every request, by the cookie of
        whoever signed in; a client with a token of its own says by it whom it acts for.
        """
        scheme, _, text = headers.get(_AUTHORIZATION, "").partition(" ")
        if scheme.lower() == _BEARER and text.strip():
            return Presented(text.strip(), is_assertion=False)
        if self._oidc is None or self._assertion_header == _AUTHORIZATION:
            return None
        assertion = headers.get(self._assertion_header, "").strip()
        return Presented(assertion, is_assertion=True) if assertion else None

    async def principal(self, presented: Presented) -> Principal:
        """On whose behalf the request is made.

        Raises:
            InvalidToken: on nobody's.
            Forbidden: the issuer knows the user, DOME does not.
            DomeError: the token cannot be checked now.
        """
        digest = hashlib.sha256(presented.text.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        if known is None or known.until <= self._clock():
            known = await self._checked(presented)
            self._remember(digest, known)
        return known.principal

    async def _checked(self, presented: Presented) -> _Known:
        until = self._clock() + REMEMBERED_SECONDS
        now = datetime.now(UTC)
        if not presented.is_assertion and parse_token(presented.text) is not None:
            return _Known(await self._holder(presented.text, now), until)
        is_expected = presented.is_assertion or self._assertion_header == _AUTHORIZATION
        if self._oidc is None or not is_expected:
            raise _not_valid()
        identity = await self._oidc.identity(presented.text)
        expires_at = identity.expires_at + timedelta(seconds=LEEWAY_SECONDS)
        dome = await self._door.dome()
        principal = await access.principal_for_identity(
            identity.name,
            dome.ports,
            scopes=identity.scopes,
            credential=identity.credential,
            now=now,
            owner_id=dome.settings.user,
            signup=dome.settings.http.oidc_signup,
        )
        if principal is None:
            raise _unknown(identity.name)
        return _Known(principal, min(until, self._clock() + (expires_at - now).total_seconds()))

    async def _holder(self, text: str, now: datetime) -> Principal:
        """Whose the token of ours is; that it was used is written down, if that can be done."""
        ports = (await self._door.dome()).ports
        async with self._checks:
            found = await access.authenticate(text, ports, now=now)
        if found is None:
            raise _not_valid()
        token, principal = found
        try:
            await access.record_use(token, ports, now=now)
        except BackendError as error:
            _log.warning("When a token was last used could not be noted: %s", error)
        return principal

    def _remember(self, digest: bytes, known: _Known) -> None:
        # In the order in which they were checked, so the first is the oldest.
        self._known.pop(digest, None)
        while len(self._known) >= _MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[digest] = known


def _not_valid() -> InvalidToken:
    return InvalidToken(
        "The token is not valid: it is mistyped, expired, or revoked.",
        "Make another with `dome-mcp token create`.",
    )


def _unknown(name: str) -> Forbidden:
    return Forbidden(
        "You are signed in, but nobody added you to this DOME.",
        f"Its operator can: `dome-mcp user add NAME --identity {name[:255]!r}`.",
    )
