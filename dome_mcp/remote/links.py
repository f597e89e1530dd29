"""The pages behind the links in notices, where DOME_PUBLIC_URL leads here.

Public: a link's signature is all that whoever follows it has.
"""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from dome_mcp import link_pages
from dome_mcp.app import Door
from dome_mcp.core.errors import DomeError
from dome_mcp.link_pages import PREFIX, LinkPages, link_secret, refusal


def routes(door: Door) -> list[BaseRoute]:
    """`/link/{token}`: GET shows what the link would do, POST does it."""

    async def answer(request: Request) -> Response:
        host = request.headers.get("Host", "")
        page = await _page(door, link_pages.Request(request.method, request.url.path, host))
        return HTMLResponse(page.html, page.status, page.headers)

    return [Route(f"{PREFIX}{{token}}", answer, methods=["GET", "HEAD", "POST"])]


async def _page(door: Door, request: link_pages.Request) -> link_pages.Page:
    try:
        ports = (await door.dome()).ports
        secret = await link_secret(ports.database)
    except DomeError as error:
        return refusal(503, str(error))
    pages = LinkPages(ports, secret, lambda: datetime.now(UTC), door.settings.public_url)
    return await pages.answer(request)
