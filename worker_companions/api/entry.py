"""The Worker that answers requests: the REST API and the links of notices, on its bindings.

It is the application of `dome-mcp serve --http` behind the same gate, without what takes a machine:
files, the web, the page, MCP.
"""

import json
import logging
from typing import Any

from workers import Response, WorkerEntrypoint, asgi

from dome_mcp.core.errors import ConfigurationError
from dome_mcp.remote.rest.problems import MEDIA_TYPE, problem_of
from worker_companions.api.application import Application
from worker_companions.api.requests import Incoming


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        """Answers a request."""
        logging.basicConfig(level=logging.INFO)
        try:
            application = Application(self.env, self.ctx)
        except ConfigurationError as error:
            told = problem_of(error)
            headers = {"Content-Type": MEDIA_TYPE}
            return Response(json.dumps(told), status=told["status"], headers=headers)
        incoming = Incoming(request, max_bytes=application.max_body_bytes)
        return await asgi.fetch(application, incoming, self.env, self.ctx)
