"""`dome-mcp serve --http`: what has to be right first, and then one process or several."""

import logging

from dome_mcp.remote import logs, process, sockets, workers
from dome_mcp.settings import Settings

_log = logging.getLogger(__name__)


async def serve_http(settings: Settings) -> int:
    """Serves until a signal; returns the exit code.

    Raises:
        ConfigurationError: the settings cannot be served safely, or the port is taken.
    """
    sockets.check(settings)
    listeners = sockets.listen(settings.http)
    try:
        logs.configure(settings)
        for warning in sockets.warnings(settings):
            _log.warning("%s", warning)
        address = sockets.address_of(settings.http, listeners)
        _log.info("listening on %s: MCP at /mcp and /sse, REST at /api, a page at /", address)
        if settings.http.http_workers > 1:
            await workers.supervise(settings, listeners)
        else:
            await process.serve(settings, listeners)
    finally:
        for each in listeners:
            each.close()
    return 0
