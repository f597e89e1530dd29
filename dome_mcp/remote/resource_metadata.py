"""How OAuth clients find the issuer: RFC 9728 metadata, and the 401 that leads to it.

There are two resources, each under its own name as the RFC wants it: `/mcp`, and the whole
endpoint for what is not MCP over Streamable HTTP. Without an issuer there is nothing to find: the
metadata is 404, because a document without an authorization server is one that clients fail on.
Behind a proxy that signs people in itself (DOME_OIDC_HEADER) there is not either.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dome_mcp.core.access import SCOPES
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.rest.problem_kinds import NOT_FOUND
from dome_mcp.remote.rest.problems import problem, response_of
from dome_mcp.settings import Settings

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_MCP = "/mcp"
PATHS = (WELL_KNOWN, f"{WELL_KNOWN}{_MCP}")
"""Where the metadata is; public."""

_REALM = "DOME"
_MAX_AGE = "public, max-age=3600"
_AUTHORIZATION = "authorization"

# Clients ask for all that is listed: `admin` is for whoever knows that they want it.
_LISTED_SCOPES = [scope for scope in SCOPES if scope != "admin"]


def routes(settings: Settings) -> list[Route]:
    """The routes of the metadata."""

    async def metadata(request: Request) -> Response:
        if not _is_published(settings.http):
            told = problem(
                NOT_FOUND,
                "This endpoint has no OAuth issuer.",
                hint="Send a token of `dome-mcp token create` as `Authorization: Bearer …`.",
            )
            return response_of(told)
        base = settings.public_url or f"{request.scope['scheme']}://{request.headers['host']}"
        path = request.url.path.removeprefix(WELL_KNOWN)
        content = {
            "resource": f"{base}{path}",
            "authorization_servers": [settings.http.oidc_issuer],
            "scopes_supported": _LISTED_SCOPES,
            "bearer_methods_supported": ["header"],
            "resource_name": _REALM,
        }
        return JSONResponse(content, headers={"Cache-Control": _MAX_AGE})

    return [Route(path, metadata, methods=["GET"]) for path in PATHS]


def challenge(settings: Settings, path: str, *, origin: str, error: str = "") -> str:
    """The WWW-Authenticate of a 401 for a path; `origin` is how the client reached the endpoint.

    `error` is RFC 6750's; none where no token was sent.
    """
    said = [f'realm="{_REALM}"']
    if error:
        said.append(f'error="{error}"')
    if _is_published(settings.http):
        resource = _MCP if path == _MCP else ""
        base = settings.public_url or origin
        said.append(f'resource_metadata="{base}{WELL_KNOWN}{resource}"')
    return f"Bearer {', '.join(said)}"


def _is_published(http: HttpSettings) -> bool:
    return http.oidc_issuer is not None and http.oidc_header.lower() == _AUTHORIZATION
