"""Answers that a real, small model words: what DOME makes of them, whatever they are."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from dome_mcp.backends.embedded.llm import ChatCompletions
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.answering import EXTRACTIVE
from dome_mcp.core.model import Passage
from dome_mcp.core.ports import Ports
from dome_mcp.services.answer import answer
from dome_mcp.services.asking import Follower, Question
from dome_mcp.services.ingest import ingest
from tests.cli.conftest import Cli, cli, documents
from tests.language_model.running import RunningModel, running_model
from tests.server.processes import COMMAND, environment
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.notes_for_tests import NOW, USER, draft
from tests.serving import BREAD, LISBON, call

__all__ = ["cli", "documents"]

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 120.0
UNANSWERABLE = ("What does the car cost?", "Who painted the living room ceiling?")


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, tmp_path, WordEmbedder())
        await ingest(draft(LISBON), ports, user_id=USER, now=NOW)
        yield ports


def check_answer(answered: dict[str, Any], texts: Sequence[str]) -> None:
    """It was counted, and what it cites stands word for word in one of the notes."""
    assert answered["tokens"]["prompt"] > 100
    assert answered["tokens"]["completion"] > 0
    assert answered["answer"]
    for citation in answered["citations"]:
        assert any(citation["quote"] in text for text in texts)


async def test_the_stdio_server_answers_with_the_model_and_quotes_what_stands_there(
    language_model: RunningModel, tmp_path: Path
) -> None:
    env = environment(tmp_path, **language_model.environment)
    server = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=env)
    with anyio.fail_after(PATIENCE_SECONDS):
        async with Client(server) as client:
            await call(client, "ingest", text=LISBON)
            await call(client, "ingest", text=BREAD)
            answered = await call(client, "rag_answer", question="Which hotel did Anna book?")
            refused = [await call(client, "rag_answer", question=each) for each in UNANSWERABLE]
    check_answer(answered, [LISBON, BREAD])
    assert [(one["answered"], one["citations"]) for one in refused] == [(False, []), (False, [])]


def test_ask_answers_with_the_model(language_model: RunningModel, cli: Cli, tmp_path: Path) -> None:
    note = tmp_path / "documents" / "lisbon.md"
    note.parent.mkdir()
    note.write_text(LISBON)
    cli("ingest", str(note.parent))
    ran = cli("ask", "Which hotel did Anna book?", "--json", **language_model.environment)
    assert ran.code == 0
    check_answer(ran.json, [LISBON])


async def test_a_server_that_dies_while_it_answers_leaves_a_quotation_and_the_reason(
    ports: Ports,
) -> None:
    said: list[str] = []

    async def found(_passages: Sequence[Passage]) -> None: ...

    with running_model() as doomed:

        async def says(piece: str) -> None:
            said.append(piece)
            doomed.process.kill()

        with anyio.fail_after(PATIENCE_SECONDS):
            async with ChatCompletions.connect(doomed.url, doomed.model) as driver:
                answered = await answer(
                    Question("Which hotel did Anna book?"),
                    replace(ports, language_model=driver),
                    user_id=USER,
                    now=NOW,
                    follower=Follower(found, says),
                )
    assert said
    assert answered.model == EXTRACTIVE
    assert "Miramar" in answered.text
    assert "The language model gave no answer" in answered.warnings[-1]
