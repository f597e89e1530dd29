"""Spans around the ports: what they say, what they never say, and that none are made for nobody."""

import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from dome_mcp import texts
from dome_mcp.app import Dome
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import BackendRejected, NotFound
from dome_mcp.core.model import Completion, NoteFilter, Turn
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.remote import telemetry
from dome_mcp.remote.traced_ports import TracedDatabase, traced
from dome_mcp.services.search import SearchRequest, search
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import LISBON, settings_in

pytestmark = pytest.mark.anyio

CANARY = "canary"


class Spans:
    """What was traced, by name."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    def __getitem__(self, name: str) -> ReadableSpan:
        (span,) = [each for each in self._exporter.get_finished_spans() if each.name == name]
        return span

    def said(self) -> str:
        return "".join(span.to_json() for span in self._exporter.get_finished_spans())


class Parrot:
    """A language model that repeats what it is told, word by word; it fails at the word `fail`."""

    model = "parrot/1"
    context_tokens = 100

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        return Completion(turns[-1].content)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        for word in turns[-1].content.split():
            if word == "fail":
                raise BackendRejected("parrot", "stream", f"{CANARY} is too much.")
            yield Completion(word)


class Lengths:
    """Takes the longest text for the best."""

    model = "lengths"

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        return [float(len(text)) for text in texts]


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
async def ports(tmp_path: Path, spans: Spans) -> AsyncIterator[Ports]:
    """Real ports, traced."""
    async with SqliteDatabase.open(None) as database:
        plain = await make_ports(database, tmp_path, WordEmbedder())
        yield traced(replace(plain, language_model=Parrot(), reranker=Lengths()), spans.tracer)


async def test_a_query_says_how_many_rows_and_nothing_of_what_was_asked(
    ports: Ports, spans: Spans
) -> None:
    await ports.database.query(Statement("SELECT ?1 AS a UNION SELECT 'b'", (CANARY,)))
    await ports.database.batch([Statement("SELECT ?1 AS a", (CANARY,)), Statement("SELECT 2")])
    assert spans["database query"].attributes == {"dome.rows": 2}
    assert spans["database batch"].attributes == {"dome.statements": 2, "dome.rows": 2}
    assert CANARY not in spans.said()


async def test_an_error_leaves_its_type_and_none_of_its_words(ports: Ports, spans: Spans) -> None:
    with pytest.raises(BackendRejected):
        await ports.database.query(Statement(f"SELECT {CANARY}"))
    span = spans["database query"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes == {"error.type": "BackendRejected"}
    assert not span.events
    assert CANARY not in spans.said()


async def test_texts_vectors_and_blobs_are_counted_and_not_shown(
    ports: Ports, spans: Spans
) -> None:
    assert ports.embedder is not None
    assert ports.vectors is not None
    vectors = await ports.embedder.embed_passages([CANARY, LISBON])
    await ports.embedder.embed_query(CANARY)
    await ports.vectors.search(CANARY, vectors[0], limit=3, among=NoteFilter())
    await ports.blobs.put(f"me/{CANARY}", CANARY.encode())
    with pytest.raises(NotFound):
        await ports.blobs.get(f"{CANARY}/none")
    assert spans["embed passages"].attributes == {"dome.model": "words/1", "dome.texts": 2}
    assert spans["embed query"].attributes == {"dome.model": "words/1"}
    assert spans["vector search"].attributes == {"dome.limit": 3, "dome.matches": 0}
    assert spans["blob put"].attributes == {"dome.bytes": len(CANARY)}
    assert spans["blob get"].attributes == {"error.type": "NotFound"}
    assert CANARY not in spans.said()


async def test_reranked_texts_are_counted_and_not_shown(ports: Ports, spans: Spans) -> None:
    assert ports.reranker is not None
    assert await ports.reranker.rerank(CANARY, ["a", CANARY]) == [1.0, float(len(CANARY))]
    assert spans["rerank"].attributes == {"dome.model": "lengths", "dome.texts": 2}
    assert CANARY not in spans.said()


async def test_a_language_models_answer_is_one_span_however_it_comes(
    ports: Ports, spans: Spans
) -> None:
    model = ports.language_model
    assert model is not None
    turns = [Turn("user", f"{CANARY} two three")]
    assert (await model.complete(turns, max_tokens=9)).text == turns[0].content
    pieces = [piece.text async for piece in model.stream(turns, max_tokens=9)]
    assert pieces == [CANARY, "two", "three"]
    said = {"dome.model": "parrot/1", "dome.turns": 1}
    assert spans["language model complete"].attributes == said
    assert spans["language model stream"].attributes == {**said, "dome.pieces": 3}
    assert CANARY not in spans.said()


async def test_a_stream_that_breaks_off_says_so_in_its_span(ports: Ports, spans: Spans) -> None:
    model = ports.language_model
    assert model is not None
    with pytest.raises(BackendRejected):
        async for _ in model.stream([Turn("user", "one fail")], max_tokens=9):
            pass
    span = spans["language model stream"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "BackendRejected"
    assert CANARY not in spans.said()


async def test_the_services_work_on_traced_ports(ports: Ports, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    dome = Dome.of_owner(settings, ports, holder="test")
    stored = await texts.ingest_text(dome, LISBON, Labels())
    found = await search(SearchRequest("Miramar"), ports, user_id=dome.user_id)
    assert [each.note_id for each in found.passages] == [stored.note.note_id]


async def test_without_a_provider_no_port_is_wrapped(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home", embedding_model="off")
    async with telemetry.opened_traced(settings) as dome:
        assert not isinstance(dome.ports.database, TracedDatabase)


async def test_a_request_is_traced_to_the_database_without_what_it_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.remote.traced_endpoint", str(tmp_path), CANARY]
    with anyio.fail_after(60):
        result = await anyio.run_process(command, stderr=None)
    said = result.stdout.decode()
    spans = [json.loads(line) for line in said.splitlines()]
    (search,) = [span for span in spans if span["name"] == "GET /api/search"]
    assert search["attributes"]["http.route"] == "/api/search"
    assert search["attributes"]["http.response.status_code"] == 200
    children = {span["name"] for span in spans if span["parent_id"] == search["span_id"]}
    assert "database query" in children
    assert [span for span in spans if span["name"] == "tools/call search"]
    assert CANARY not in said


def test_an_endpoint_without_the_extra_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    telemetry.set_up({telemetry.ENDPOINT_VARIABLE: "http://localhost:4318"})
    assert "dome-mcp[otel]" in caplog.text
    assert not telemetry.is_traced()


def test_nothing_is_set_up_where_no_endpoint_is_named(caplog: pytest.LogCaptureFixture) -> None:
    telemetry.set_up({})
    assert caplog.text == ""
    assert not telemetry.is_traced()
