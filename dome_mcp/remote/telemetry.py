"""Traces by OpenTelemetry: where spans go, and whether there are any.

The MCP SDK makes the spans of the calls. Without a tracer provider no port is wrapped, and nothing
costs anything.
"""

import importlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from opentelemetry import trace

from dome_mcp import __version__
from dome_mcp.app import Dome, opened
from dome_mcp.remote.traced_ports import traced
from dome_mcp.settings import Settings

ENDPOINT_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"

_NAME = "dome_mcp"

_log = logging.getLogger(__name__)


def set_up(environ: Mapping[str, str]) -> None:
    """Has spans exported by OTLP where the environment names an endpoint, as it says.

    The OpenTelemetry SDK reads the rest of its own variables by itself. It comes with the extra
    `otel`; without it a warning says so.
    """
    if not environ.get(ENDPOINT_VARIABLE):
        return
    try:
        # The SDK is an extra, and most do not have it.
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        resources = importlib.import_module("opentelemetry.sdk.resources")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        _log.warning(
            "%s is set, but not the extra: pip install 'dome-mcp[otel]'", ENDPOINT_VARIABLE
        )
        return
    resource = resources.Resource.create(
        {
            "service.name": environ.get("OTEL_SERVICE_NAME", "dome-mcp"),
            "service.version": __version__,
        }
    )
    provider = sdk.TracerProvider(resource=resource)
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def flush() -> None:
    """Sends what spans are left; to be called in a thread, at the end."""
    provider: Any = trace.get_tracer_provider()
    if is_traced():
        provider.shutdown()


def is_traced() -> bool:
    """Whether somebody set a tracer provider, so that spans go somewhere."""
    return not isinstance(
        trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider
    )


@asynccontextmanager
async def opened_traced(settings: Settings) -> AsyncIterator[Dome]:
    """The application, its ports traced where spans go somewhere."""
    async with opened(settings) as dome:
        if is_traced():
            yield replace(dome, ports=traced(dome.ports, trace.get_tracer(_NAME, __version__)))
        else:
            yield dome
