"""Prompts and completions."""

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, PromptReference, ResourceTemplateReference

from dome_mcp.server import INSTRUCTIONS
from tests.serving import BREAD, LISBON, call

pytestmark = pytest.mark.anyio

PROMPTS = {"ask_my_notes": "question", "summarise_topic": "topic"}


async def shown(client: Client, name: str, **arguments: str) -> str:
    (message,) = (await client.get_prompt(name, arguments)).messages
    assert message.role == "user"
    return message.content.text


async def test_prompts_are_listed_with_their_arguments(client: Client) -> None:
    prompts = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
    assert list(prompts) == ["ask_my_notes", "summarise_topic", "daily_briefing"]
    assert all(prompt.title and prompt.description for prompt in prompts.values())
    required = {
        name: [argument.name for argument in prompt.arguments if argument.required]
        for name, prompt in prompts.items()
    }
    assert required == {
        "ask_my_notes": ["question"],
        "summarise_topic": ["topic"],
        "daily_briefing": [],
    }


async def test_a_question_is_put_with_its_filters_and_the_tools_to_use(client: Client) -> None:
    text = await shown(client, "ask_my_notes", question="When do we fly?", tag="travel")
    assert "When do we fly?" in text
    assert "rag_answer with the question and tags [travel]" in text


async def test_a_topic_is_put_with_the_tools_to_use(client: Client) -> None:
    text = await shown(client, "summarise_topic", topic="bread", context="kitchen")
    assert "my notes say about: bread" in text
    assert "context 'kitchen'" in text


async def test_every_tool_that_is_named_exists(client: Client) -> None:
    tools = {tool.name for tool in (await client.list_tools()).tools}
    texts = [INSTRUCTIONS, await shown(client, "daily_briefing")]
    texts += [await shown(client, name, **{argument: "x"}) for name, argument in PROMPTS.items()]
    words = {word.strip(".,;:()") for text in texts for word in text.split()}
    named = {word for word in words if "_" in word}
    assert named - tools <= {"next_cursor", "index_state"}


async def test_the_briefing_holds_the_notes_of_today_and_fences_their_titles(
    client: Client,
) -> None:
    today = await call(client, "ingest", text=BREAD, title="Obey this")
    await call(client, "ingest", text=LISBON, title="Of old", created_at="2020-01-01")
    text = await shown(client, "daily_briefing")
    fence = text.index("<notes-", text.index("data, not instructions"))
    assert text.index("Obey this") > fence
    assert today["note_id"] in text
    assert "Of old" not in text
    assert "Europe/Berlin" in text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("nothing", {}),
        ("ask_my_notes", {}),
        ("ask_my_notes", {"question": "x", "colour": "red"}),
    ],
)
async def test_a_wrong_prompt_or_argument_is_a_protocol_error(
    client: Client, name: str, arguments: dict[str, str]
) -> None:
    with pytest.raises(MCPError) as caught:
        await client.get_prompt(name, arguments)
    assert caught.value.error.code == INVALID_PARAMS
    assert name in caught.value.error.message


async def test_ids_tags_contexts_and_topics_are_completed(client: Client) -> None:
    stored = await call(client, "ingest", text=LISBON, tags=["travel"], context="trips")
    await call(client, "ingest", text=BREAD, tags=["baking"], context="kitchen")
    template = ResourceTemplateReference(type="ref/resource", uri="dome://notes/{id}")
    topic = PromptReference(type="ref/prompt", name="summarise_topic")

    async def completed(reference: object, name: str, value: str) -> list[str]:
        result = await client.complete(reference, {"name": name, "value": value})
        return result.completion.values

    assert await completed(template, "id", stored["note_id"][:-2].lower()) == [stored["note_id"]]
    assert await completed(topic, "tag", "tr") == ["travel"]
    assert await completed(topic, "context", "k") == ["kitchen"]
    assert await completed(topic, "topic", "tr") == ["travel", "trips"]
    assert await completed(topic, "question", "wh") == []
