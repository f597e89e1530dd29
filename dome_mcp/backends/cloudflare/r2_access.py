"""The access key that R2's S3 interface takes for an API token.

Source: https://developers.cloudflare.com/r2/api/tokens/ (2026-11).
"""

import hashlib
from typing import Any

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.r2_xml import BACKEND
from dome_mcp.backends.cloudflare.sigv4 import AccessKey
from dome_mcp.core.errors import BackendProtocolError, BackendRejected

_OPERATION = "open"
_TOKEN_OF_THE_ACCOUNT = "/tokens/verify"  # noqa: S105 - a path
_TOKEN_OF_A_USER = "/../../user/tokens/verify"  # noqa: S105 - a path
"""Beside the accounts, for a token that belongs to a person; the client takes the dots out."""


def access_key(token_id: str, token: str) -> AccessKey:
    """The access key of an API token, from the token's id and its value."""
    return AccessKey(token_id, hashlib.sha256(token.encode()).hexdigest())


async def find_access_key(api: CloudflareApi, token: str) -> AccessKey:
    """The access key of the API token that `api` works with, whose id Cloudflare tells.

    A token of the account and one of a user are asked for at different places.

    Raises:
        BackendRejected: the token is of neither, or not active.
        BackendUnavailable: Cloudflare cannot be reached.
        BackendProtocolError: the answer has no id in it.
    """
    try:
        found = await _verify(api, _TOKEN_OF_THE_ACCOUNT)
    except BackendRejected:
        found = await _verify_user_token(api)
    try:
        token_id, is_active = found["id"], found["status"] == "active"
    except (LookupError, TypeError) as error:
        raise BackendProtocolError(
            BACKEND, _OPERATION, "Cloudflare's answer about the API token cannot be read."
        ) from error
    if not is_active:
        raise BackendRejected(
            BACKEND,
            _OPERATION,
            "The Cloudflare API token is not active.",
            "Check CLOUDFLARE_API_TOKEN: the token is disabled or has expired.",
        )
    return access_key(str(token_id), token)


async def _verify_user_token(api: CloudflareApi) -> Any:
    try:
        return await _verify(api, _TOKEN_OF_A_USER)
    except BackendRejected as error:
        raise BackendRejected(
            BACKEND,
            _OPERATION,
            "Cloudflare does not know the API token.",
            "Check CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID, or give R2 a key of its own:"
            " DOME_R2_ACCESS_KEY_ID and DOME_R2_SECRET_ACCESS_KEY.",
        ) from error


async def _verify(api: CloudflareApi, path: str) -> Any:
    return await api.call("GET", path, backend=BACKEND, operation=_OPERATION, is_repeatable=True)
