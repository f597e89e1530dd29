"""What is counted and timed, in the text format of Prometheus at `/metrics`.

No label holds what a stranger chose: routes are their templates, actions their names, statuses and
methods those that exist. So the number of series is bounded, whoever calls. The figures sum over
the workers: each writes its own into a folder they share (prometheus_client's multiprocess mode),
and whichever is asked adds them up. What the database knows is read when somebody asks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from dome_mcp.core.audit import Outcome
from dome_mcp.services.figures import Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_NO_ROUTE = "none"


class Metrics:
    """The figures of one process. `folder` is where those of all workers are, None for one."""

    def __init__(self, folder: str | None = None) -> None:
        # They would double the series, to say when each began.
        disable_created_metrics()
        self._folder = folder
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "dome_http_requests", "Requests answered.", ("method", "route", "status"),
            registry=registry,
        )  # fmt: skip
        self._request_seconds = Histogram(
            "dome_http_request_seconds", "Time to the end of an answer; streams left out.",
            ("method", "route"), buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._calls = Counter(
            "dome_mcp_calls", "MCP calls by how they ended.", ("action", "outcome"),
            registry=registry,
        )  # fmt: skip
        self._call_seconds = Histogram(
            "dome_mcp_call_seconds", "Time of an MCP call.", ("action",), buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.in_flight = Gauge(
            "dome_http_requests_in_flight", "Requests being answered, streams left out.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.streams = Gauge(
            "dome_http_streams_open", "Answers that stay open: SSE, subscriptions, chat.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip

    def count_request(
        self, method: str, route: str | None, status: int, *, seconds: float | None
    ) -> None:
        """Counts an answer; `route` is the template of its route, `seconds` None for a stream."""
        known = method if method in _METHODS else "other"
        template = route or _NO_ROUTE
        self._requests.labels(known, template, str(status)).inc()
        if seconds is not None:
            self._request_seconds.labels(known, template).observe(seconds)

    def count_call(self, action: str, outcome: Outcome, *, seconds: float) -> None:
        """Counts an MCP call; `action` is the name of something that exists."""
        self._calls.labels(action, outcome).inc()
        self._call_seconds.labels(action).observe(seconds)

    def exposition(self, figures: Figures, *, sessions: int) -> bytes:
        """Everything, as `/metrics` answers it."""
        counted = self._registry
        if self._folder is not None:
            counted = CollectorRegistry()
            MultiProcessCollector(counted, self._folder)
        asked = CollectorRegistry()
        asked.register(_Asked(_gauges(figures, sessions=sessions)))
        return generate_latest(counted) + generate_latest(asked)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Figures that were read for this answer alone."""

    gauges: Sequence[Metric]

    def collect(self) -> Iterator[Metric]:
        yield from self.gauges


def _gauges(figures: Figures, *, sessions: int) -> list[Metric]:
    known = {
        "dome_mcp_sessions": ("Sessions of the handshake era.", sessions),
        "dome_notes": ("Notes of all users.", figures.notes),
        "dome_chunks_pending": ("Chunks that wait for their vector.", figures.chunks_pending),
        "dome_reminders_upcoming": ("Reminders that are to fire.", figures.reminders_upcoming),
        "dome_deliveries_waiting": ("Notices on their way.", figures.deliveries_waiting),
        "dome_deliveries_failed": ("Notices that no try delivered.", figures.deliveries_failed),
        "dome_jobs_open": ("Documents that wait to be taken in.", figures.jobs_open),
        "dome_companion_up": ("Whether a companion runs.", float(figures.has_companion)),
        "dome_companion_lag_seconds": ("How late the companion is.", figures.companion_lag_seconds),
    }
    return [GaugeMetricFamily(name, text, value=value) for name, (text, value) in known.items()]
