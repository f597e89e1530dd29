"""The outermost layer: each request leaves a line in the log and its figures, however it ends."""

import logging
import time

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dome_mcp import __version__
from dome_mcp.remote.callers import caller_in
from dome_mcp.remote.gate import REQUEST_ID
from dome_mcp.remote.logs import fields
from dome_mcp.remote.metrics import Metrics
from dome_mcp.remote.rest.problems import problem_of, response_of
from dome_mcp.remote.routes import route_template

_GONE = 499
"""In the log alone: the client left before it had an answer. nginx calls it so too."""

_STREAM = b"text/event-stream"

_log = logging.getLogger(__name__)


class Observed:
    """An application whose requests are counted, timed, traced and logged.

    An error that nobody has answered becomes a 500 with a reference, under which it is logged. No
    path, query or header is written down: they may hold tokens, signatures and words.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._tracer = trace.get_tracer("dome_mcp", __version__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, self._metrics)
        started = time.perf_counter()
        with self._tracer.start_as_current_span("request", kind=SpanKind.SERVER) as span:
            try:
                await self._app(scope, receive, answer.send)
            except ClientDisconnect:
                pass
            except Exception as error:  # noqa: BLE001  the last place that can answer
                told = response_of(problem_of(error))
                # An answer that has begun stays unfinished, whereupon the connection is closed and
                # the client sees that something is missing.
                if not answer.status:
                    await told(scope, receive, answer.send)
            finally:
                answer.end()
                self._note(scope, answer, span, seconds=time.perf_counter() - started)

    def _note(self, scope: Scope, answer: "_Answer", span: Span, *, seconds: float) -> None:
        method, route, status = scope["method"], route_template(scope), answer.status or _GONE
        request_id = str(scope.get(REQUEST_ID, "-"))
        caller = caller_in(scope)
        self._metrics.count_request(
            method, route, status, seconds=None if answer.is_stream else seconds
        )
        if route is not None:
            span.update_name(f"{method} {route}")
            span.set_attribute("http.route", route)
        span.set_attribute("http.request.method", method)
        span.set_attribute("http.response.status_code", status)
        span.set_attribute("dome.request_id", request_id)
        extra = fields(
            method=method,
            route=route or "-",
            status=status,
            ms=round(seconds * 1_000, 1),
            credential=caller.principal.credential if caller else "-",
            request_id=request_id,
        )
        _log.info("request", extra=extra)


class _Answer:
    """What is known of an answer while it is sent."""

    def __init__(self, send: Send, metrics: Metrics) -> None:
        self._send = send
        self._metrics = metrics
        self.status = 0
        """0 while nothing was sent."""
        self.is_stream = False
        metrics.in_flight.inc()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if _is_stream(message):
                self.is_stream = True
                self._metrics.in_flight.dec()
                self._metrics.streams.inc()
        await self._send(message)

    def end(self) -> None:
        gauge = self._metrics.streams if self.is_stream else self._metrics.in_flight
        gauge.dec()


def _is_stream(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(_STREAM)
        for name, value in message["headers"]
    )
