"""The rag_answer tool."""

import pytest
from mcp import Client

from tests.serving import BREAD, LISBON, call, refused, text_of

pytestmark = pytest.mark.anyio


async def test_an_answer_quotes_the_note_it_cites(client: Client) -> None:
    stored = await call(client, "ingest", text=LISBON, title="Lisbon", created_at="2026-03-01")
    await call(client, "ingest", text=BREAD)
    result = await client.call_tool("rag_answer", {"question": "Which hotel did Anna book?"})
    answer = result.structured_content
    assert answer["answered"]
    assert "Miramar" in answer["answer"]
    assert "[1]" in answer["answer"]
    citation = answer["citations"][0]
    assert citation["n"] == 1
    assert citation["note_id"] == stored["note_id"]
    assert citation["date"] == "2026-03-01T00:00:00+01:00"
    assert LISBON[citation["start"] : citation["end"]] == citation["quote"]
    assert answer["passages"][0]["note_id"] == stored["note_id"]
    assert answer["model"] == "extractive"
    assert citation["uri"] == f"dome://notes/{stored['note_id']}"
    assert 0 < answer["confidence"] <= 1
    assert answer["milliseconds"].keys() == {"search", "answer"}
    assert "tokens" not in answer
    assert f"[1] Lisbon · 2026-03-01 · {stored['note_id']}" in text_of(result)


async def test_the_address_of_a_citation_is_a_resource_with_the_whole_note(client: Client) -> None:
    await call(client, "ingest", text=LISBON)
    answer = await call(client, "rag_answer", question="Which hotel did Anna book?")
    read = await client.read_resource(answer["citations"][0]["uri"])
    assert LISBON in str(read.contents[0])


async def test_notes_without_an_answer_are_said_to_have_none(client: Client) -> None:
    await call(client, "ingest", text=BREAD)
    answer = await call(client, "rag_answer", question="Who won the chess match in Reykjavik?")
    assert not answer["answered"]
    assert answer["confidence"] == 0
    assert answer["citations"] == []


async def test_filters_decide_which_notes_are_read(client: Client) -> None:
    await call(client, "ingest", text=LISBON, context="holiday")
    question = "Which hotel did Anna book?"
    here = await call(client, "rag_answer", question=question, context="holiday")
    elsewhere = await call(client, "rag_answer", question=question, context="work")
    assert here["answered"]
    assert not elsewhere["answered"]
    assert elsewhere["passages"] == []


async def test_an_answer_comes_with_a_session_in_which_the_next_question_goes_on(
    client: Client,
) -> None:
    await call(client, "ingest", text=f"{LISBON} The flight leaves at 06:45.")
    first = await client.call_tool("rag_answer", {"question": "Which hotel did Anna book?"})
    session_id = first.structured_content["session_id"]
    assert f"session_id: {session_id}" in text_of(first)
    asked = "And when?"
    followed = await call(client, "rag_answer", question=asked, session_id=session_id)
    assert followed["session_id"] == session_id
    assert "Miramar" in followed["answer"]
    alone = await call(client, "rag_answer", question=asked)
    assert alone["session_id"] != session_id
    assert "Miramar" not in alone["answer"]


async def test_an_empty_question_is_refused(client: Client) -> None:
    assert "empty" in await refused(client, "rag_answer", question="")
