"""Prints the spans of a search over REST and over MCP, as JSON, one a line.

A program of its own, because a process has one tracer provider, and has it for good.
"""

import json
import sys
from pathlib import Path

import anyio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dome_mcp.remote.telemetry import opened_traced
from tests.remote.serving_http import serving_http


async def main(home: Path, words: str) -> None:
    """Searches for the words, twice."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    async with serving_http(home, opener=opened_traced, embedding_model="off") as served:
        token = await served.token()
        async with served.client(token) as rest:
            (await rest.get("/api/search", params={"q": words})).raise_for_status()
        async with served.mcp(token) as client:
            assert not (await client.call_tool("search", {"query": words})).is_error
    for span in exporter.get_finished_spans():
        told = json.loads(span.to_json(indent=None))
        told["span_id"] = told["context"]["span_id"]
        print(json.dumps(told))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2])
