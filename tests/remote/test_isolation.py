"""No user reaches what is another's: by every tool, resource, prompt, completion and route.

What there is to attack is read from the server itself, so whatever is added later fails here until
it has been attacked too. Each attack is a call that works with one's own ids; it is made with a
neighbour's.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from dome_mcp.server import SUBJECTS
from tests.remote.endpoint_for_tests import PATIENCE_SECONDS, TRANSPORTS
from tests.remote.two_users import (
    MADE_UP,
    QUESTION,
    Neighbours,
    Person,
    belongings,
    neighbours,
)

pytestmark = pytest.mark.anyio

Call = dict[str, Any]


class Of(str):
    """Stands for something that a person owns."""

    __slots__ = ()


NOTE, FILE, TASK, REMINDER = Of("note_id"), Of("file_id"), Of("task_id"), Of("reminder_id")
CHANNEL, LABEL, SESSION = Of("channel"), Of("label"), Of("session_id")

REFUSED_TOOLS: tuple[tuple[str, Call], ...] = (
    ("get_note", {"note_id": NOTE}),
    ("get_note", {"note_id": FILE}),
    ("update_note", {"note_id": NOTE, "revision": 1, "title": "Taken over"}),
    ("create_task", {"description": "Read it", "note_ids": [NOTE]}),
    ("update_task", {"task_id": TASK, "description": "Taken over"}),
    ("update_task", {"task_id": TASK, "note_ids": [NOTE]}),
    ("create_reminder", {"task_id": TASK, "at": "-1h"}),
    ("create_reminder", {"text": "Boo", "at": "+1h", "channels": [CHANNEL]}),
    ("create_reminder", {"text": "Boo", "at": "+1h", "note_ids": [NOTE]}),
    ("list_reminders", {"task_id": TASK, "state": "all"}),
    ("update_reminder", {"reminder_id": REMINDER, "action": "snooze", "by": "1h"}),
    ("update_reminder", {"reminder_id": REMINDER, "action": "reschedule", "at": "+4d"}),
    ("update_reminder", {"reminder_id": REMINDER, "action": "acknowledge"}),
    ("update_reminder", {"reminder_id": REMINDER, "action": "cancel"}),
    ("update_reminder", {"reminder_id": REMINDER, "action": "resume"}),
    ("complete_task", {"task_id": TASK}),
    ("delete_note", {"note_id": NOTE}),
)
"""Calls of tools that are refused as if there were no such thing."""

BLIND_TOOLS: tuple[tuple[str, Call], ...] = (
    ("ingest", {"text": "The same words of two users.", "context": LABEL, "tags": [LABEL]}),
    ("search", {"query": "Lisbon"}),
    ("search", {"query": "Lisbon", "note_ids": [NOTE, FILE]}),
    ("search", {"query": "Lisbon", "context": LABEL}),
    ("search", {"query": "Lisbon", "tags": [LABEL], "mode": "keyword"}),
    ("search", {"query": "Lisbon", "limit": 1, "cursor": Of("search_cursor")}),
    ("rag_answer", {"question": QUESTION}),
    ("rag_answer", {"question": QUESTION, "note_ids": [NOTE], "session_id": SESSION}),
    ("list_notes", {}),
    ("list_notes", {"context": LABEL}),
    ("list_notes", {"limit": 1, "cursor": Of("notes_cursor")}),
    ("list_tasks", {"status": "all"}),
    ("list_tasks", {"limit": 1, "cursor": Of("tasks_cursor")}),
    ("list_reminders", {"state": "all"}),
    ("list_reminders", {"limit": 1, "cursor": Of("reminders_cursor")}),
)
"""Calls of tools that are answered, without anything of anybody else's."""

IDENTIFYING = frozenset(
    {"note_id", "note_ids", "task_id", "reminder_id", "job_id", "upload_id", "session_id"}
    | {"cursor", "channels", "chunk_id", "name", "id"}
)
"""Fields that name what somebody owns."""

REFUSED_ROUTES: tuple[tuple[str, Call], ...] = (
    ("GET /notes/{note_id}", {"note_id": NOTE}),
    ("GET /notes/{note_id}/original", {"note_id": FILE}),
    ("PATCH /notes/{note_id}", {"note_id": NOTE, "json": {"title": "Taken over"}}),
    ("GET /tasks/{task_id}", {"task_id": TASK}),
    ("PATCH /tasks/{task_id}", {"task_id": TASK, "json": {"description": "Taken over"}}),
    ("PATCH /tasks/{task_id}", {"task_id": TASK, "json": {"note_ids": [NOTE]}}),
    ("POST /tasks", {"json": {"description": "Read it", "note_ids": [NOTE]}}),
    ("GET /reminders", {"params": {"task_id": TASK, "state": "all"}}),
    ("GET /reminders/{reminder_id}", {"reminder_id": REMINDER}),
    ("POST /reminders", {"json": {"task_id": TASK, "at": "-1h"}}),
    ("POST /reminders", {"json": {"text": "Boo", "at": "+1h", "channels": [CHANNEL]}}),
    ("POST /reminders", {"json": {"text": "Boo", "at": "+1h", "note_ids": [NOTE]}}),
    *(
        ("POST /reminders/{reminder_id}/{action}", {"reminder_id": REMINDER, **call})
        for call in (
            {"action": "snooze", "json": {"by": "1h"}},
            {"action": "reschedule", "json": {"at": "+4d"}},
            {"action": "acknowledge"},
            {"action": "cancel"},
            {"action": "resume"},
        )
    ),
    ("POST /channels/{name}/test", {"name": CHANNEL}),
    ("PUT /channels/{name}/digest", {"name": CHANNEL, "json": {"at": "07:30"}}),
    ("GET /ingest/{job_id}", {"job_id": Of("job_id")}),
    ("POST /ingest", {"json": {"upload_id": Of("upload_id")}}),
    ("GET /sessions/{session_id}", {"session_id": SESSION}),
    ("POST /tasks/{task_id}/complete", {"task_id": TASK}),
    ("DELETE /sessions/{session_id}", {"session_id": SESSION}),
    ("DELETE /channels/{name}", {"name": CHANNEL}),
    ("DELETE /notes/{note_id}", {"note_id": NOTE}),
)

BLIND_ROUTES: tuple[tuple[str, Call], ...] = (
    ("GET /me", {}),
    ("GET /status", {}),
    ("GET /notes", {}),
    ("GET /notes", {"params": {"tags": LABEL, "context": LABEL}}),
    ("GET /notes", {"params": {"limit": 1, "cursor": Of("notes_cursor")}}),
    ("POST /notes", {"json": {"text": "The same words of two users.", "context": LABEL}}),
    ("GET /search", {"params": {"q": "Lisbon"}}),
    ("GET /search", {"params": {"q": "Lisbon", "note_ids": NOTE}}),
    ("GET /search", {"params": {"q": "Lisbon", "limit": 1, "cursor": Of("search_cursor")}}),
    ("POST /chat", {"json": {"question": QUESTION, "note_ids": [NOTE], "session_id": SESSION}}),
    ("POST /chat", {"json": {"question": QUESTION, "stream": True}}),
    ("GET /sessions", {}),
    ("POST /ingest", {"json": {"text": "More words of two users.", "tags": [LABEL]}}),
    ("POST /uploads", {"json": {"filename": "a.txt"}}),
    ("GET /tasks", {"params": {"status": "all"}}),
    ("GET /tasks", {"params": {"limit": 1, "cursor": Of("tasks_cursor")}}),
    ("GET /reminders", {"params": {"state": "all"}}),
    ("GET /reminders", {"params": {"limit": 1, "cursor": Of("reminders_cursor")}}),
    ("GET /inbox", {}),
    ("GET /channels", {}),
    (
        "POST /channels",
        {"json": {"name": CHANNEL, "kind": "webhook", "address": "https://1.1.1.1/in"}},
    ),
    ("GET /channels/push-key", {}),
)

WITHOUT_A_USER = {"PUT /uploads/{upload_id}": "whoever has the signed address is let in"}


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Neighbours]:
    async with neighbours(tmp_path / "home") as living:
        yield living


@pytest.fixture(params=TRANSPORTS)
async def bobs(request: pytest.FixtureRequest, both: Neighbours) -> AsyncIterator[Client]:
    """Bob's MCP client, over each transport."""
    async with both.endpoint.mcp(request.param, both.bob.token) as client:
        yield client


def filled(value: Any, owner: Mapping[str, Any]) -> Any:
    """The call with everything in it that `owner` has."""
    if isinstance(value, Of):
        return owner[value]
    if isinstance(value, dict):
        return {name: filled(each, owner) for name, each in value.items()}
    return [filled(each, owner) for each in value] if isinstance(value, list) else value


def imagined(person: Person) -> dict[str, Any]:
    """What nobody owns, under the same names."""
    return {**dict.fromkeys(person.owns, MADE_UP), "channel": "of-nobody"}


def fields_of(call: Call) -> Iterator[str]:
    for name, value in call.items():
        yield name
        if isinstance(value, dict):
            yield from fields_of(value)


def told_of(both: Neighbours, answer: str) -> None:
    """An answer to Bob must have nothing of Ann's."""
    assert both.ann.canary not in answer, answer


def without_ids(answer: str, owner: Mapping[str, Any]) -> str:
    """The answer with the ids in it, which may not tell whose they are, left out."""
    for value in sorted(map(str, owner.values()), key=len, reverse=True):
        answer = answer.replace(value, "…")
    return answer


async def test_every_tool_is_attacked_by_everything_that_names_what_somebody_owns() -> None:
    attacked: dict[str, set[str]] = {}
    for tool, call in (*REFUSED_TOOLS, *BLIND_TOOLS):
        attacked.setdefault(tool, set()).update(fields_of(call))
    for tool in (tool for subject in SUBJECTS for tool in subject.tools()):
        assert IDENTIFYING & set(tool.parameters["properties"]) <= attacked.pop(tool.name)
    assert attacked == {}


async def test_a_tool_finds_nothing_under_anothers_ids_and_changes_nothing(
    both: Neighbours, bobs: Client
) -> None:
    before = await belongings("ann", both.endpoint)
    for tool, call in REFUSED_TOOLS:
        refusal = await bobs.call_tool(tool, filled(call, both.ann.owns))
        told_of(both, refusal.model_dump_json())
        assert refusal.is_error, (tool, call)
        # It does not tell what is another's from what is not there.
        unknown = await bobs.call_tool(tool, filled(call, imagined(both.ann)))
        answers = (
            without_ids(refusal.model_dump_json(), both.ann.owns),
            without_ids(unknown.model_dump_json(), imagined(both.ann)),
        )
        assert answers[0] == answers[1]
    assert await belongings("ann", both.endpoint) == before
    for tool, call in REFUSED_TOOLS:
        own = await bobs.call_tool(tool, filled(call, both.bob.owns))
        assert not own.is_error, (tool, call, own)


async def test_a_tool_answers_from_ones_own_things_alone(both: Neighbours, bobs: Client) -> None:
    before = await belongings("ann", both.endpoint)
    seen = ""
    for tool, call in BLIND_TOOLS:
        # A label is Ann's word itself, which an answer may repeat.
        owner = {**both.ann.owns, "label": "elsewhere"}
        answer = (await bobs.call_tool(tool, filled(call, owner))).model_dump_json()
        told_of(both, answer)
        seen += answer
    assert both.bob.canary in seen
    assert await belongings("ann", both.endpoint) == before


async def test_a_filter_by_anothers_label_finds_nothing(both: Neighbours, bobs: Client) -> None:
    for call in ({"context": both.ann.canary}, {"tags": [both.ann.canary]}):
        found = await bobs.call_tool("search", {"query": "Lisbon", **call})
        listed = await bobs.call_tool("list_notes", call)
        assert found.structured_content is not None
        assert listed.structured_content is not None
        assert found.structured_content["passages"] == []
        assert listed.structured_content["notes"] == []


async def test_no_resource_shows_what_is_anothers(both: Neighbours, bobs: Client) -> None:
    listed = (await bobs.list_resources()).model_dump_json()
    told_of(both, listed)
    assert both.bob.canary in listed
    for resource in (await bobs.list_resources()).resources:
        told_of(both, (await bobs.read_resource(resource.uri)).model_dump_json())
    templates = (await bobs.list_resource_templates()).resource_templates
    assert templates
    for template in templates:
        for mine, theirs in (("note_id", "note_id"), ("file_id", "file_id")):
            uri = template.uri_template.replace("{id}", both.ann.owns[theirs])
            assert "{" not in uri, "a template with a parameter that is not attacked yet"
            with pytest.raises(MCPError) as refused:
                await bobs.read_resource(uri)
            told_of(both, json.dumps(refused.value.error.model_dump(), default=str))
            own = template.uri_template.replace("{id}", both.bob.owns[mine])
            await bobs.read_resource(own)


async def test_no_prompt_and_no_completion_shows_what_is_anothers(
    both: Neighbours, bobs: Client
) -> None:
    seen = ""
    for prompt in (await bobs.list_prompts()).prompts:
        arguments = {each.name: "Lisbon" for each in prompt.arguments or ()}
        seen += (await bobs.get_prompt(prompt.name, arguments)).model_dump_json()
        reference = PromptReference(name=prompt.name)
        for name in arguments:
            seen += (await bobs.complete(reference, {"name": name, "value": ""})).model_dump_json()
    for template in (await bobs.list_resource_templates()).resource_templates:
        reference = ResourceTemplateReference(uri=template.uri_template)
        for prefix in ("", both.ann.owns["note_id"], both.ann.owns["file_id"][:20]):
            argument = {"name": "id", "value": prefix}
            seen += (await bobs.complete(reference, argument)).model_dump_json()
    told_of(both, seen)
    assert both.ann.owns["note_id"] not in seen
    assert both.ann.owns["file_id"] not in seen
    assert both.bob.canary in seen
    assert both.bob.owns["note_id"] in seen


async def test_a_listener_hears_of_nobody_elses_changes(both: Neighbours) -> None:
    ann, bob = both.ann, both.bob
    uris = [f"dome://notes/{ann.owns['note_id']}", f"dome://notes/{bob.owns['note_id']}"]
    async with (
        both.endpoint.mcp("modern", bob.token) as client,
        client.listen(resources_list_changed=True, resource_subscriptions=uris) as heard,
    ):
        for person in (ann, bob):
            path = f"/api/notes/{person.owns['note_id']}"
            changed = await person.http.patch(
                path, json={"title": "Changed"}, headers={"If-Match": "*"}
            )
            assert changed.status_code == 200, changed.text
        with anyio.fail_after(PATIENCE_SECONDS):
            async for event in heard:
                assert ann.owns["note_id"] not in repr(event)
                if bob.owns["note_id"] in repr(event):
                    break


async def test_every_route_is_attacked_by_everything_that_names_what_somebody_owns(
    both: Neighbours,
) -> None:
    attacked: dict[str, set[str]] = {}
    for route, call in (*REFUSED_ROUTES, *BLIND_ROUTES):
        attacked.setdefault(route, set()).update(fields_of(call))
    document = (await both.bob.http.get("/api/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            route = f"{method.upper()} {path.removeprefix('/api')}"
            if route in WITHOUT_A_USER:
                continue
            named = {each["name"] for each in operation.get("parameters", ())}
            for content in operation.get("requestBody", {}).get("content", {}).values():
                named |= properties_of(content["schema"], document)
            assert IDENTIFYING & named - {"name"} <= attacked.pop(route), route
    assert attacked == {}


def properties_of(schema: Mapping[str, Any], document: Mapping[str, Any]) -> set[str]:
    """The names in a schema, wherever it keeps them."""
    named = set(schema.get("properties", ()))
    for part in (*schema.get("anyOf", ()), *schema.get("allOf", ()), *schema.get("oneOf", ())):
        named |= properties_of(part, document)
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        named |= properties_of(document["components"]["schemas"][name], document)
    return named


async def ask(person: Person, route: str, call: Call, owner: Mapping[str, Any]) -> httpx.Response:
    """The route, called by a person with somebody's ids."""
    method, _, path = route.partition(" ")
    given = filled(call, owner)
    names = {name: value for name, value in given.items() if name not in ("json", "params")}
    options = {name: value for name, value in given.items() if name in ("json", "params")}
    headers = {"If-Match": "*"} if method in ("PATCH", "DELETE") else {}
    url = f"/api{path.format_map(names)}"
    return await person.http.request(method, url, headers=headers, **options)


async def test_a_route_finds_nothing_under_anothers_ids_and_changes_nothing(
    both: Neighbours,
) -> None:
    before = await belongings("ann", both.endpoint)
    for route, call in REFUSED_ROUTES:
        refusal = await ask(both.bob, route, call, both.ann.owns)
        told_of(both, refusal.text + repr(refusal.headers))
        assert refusal.status_code == 404, (route, call, refusal.text)
        unknown = await ask(both.bob, route, call, imagined(both.ann))
        answers = (
            without_ids(refusal.text, both.ann.owns),
            without_ids(unknown.text, imagined(both.ann)),
        )
        assert answers[0] == answers[1]
    assert await belongings("ann", both.endpoint) == before
    for route, call in REFUSED_ROUTES:
        own = await ask(both.bob, route, call, both.bob.owns)
        assert own.is_success, (route, call, own.text)


async def test_a_route_answers_from_ones_own_things_alone(both: Neighbours) -> None:
    before = await belongings("ann", both.endpoint)
    seen = ""
    for route, call in BLIND_ROUTES:
        answer = await ask(both.bob, route, call, {**both.ann.owns, "label": "elsewhere"})
        told_of(both, answer.text + repr(answer.headers))
        seen += answer.text
    assert both.bob.canary in seen
    assert await belongings("ann", both.endpoint) == before


async def test_a_key_of_one_user_repeats_nothing_of_anothers(both: Neighbours) -> None:
    asked = {"json": {"description": "Water the plants"}, "headers": {"Idempotency-Key": "same"}}
    first = await both.ann.http.post("/api/tasks", **asked)
    second = await both.bob.http.post("/api/tasks", **asked)
    assert second.status_code == 201
    assert "idempotent-replayed" not in second.headers
    assert second.json()["task"]["task_id"] != first.json()["task"]["task_id"]


async def test_the_counts_of_the_status_are_ones_own(both: Neighbours) -> None:
    before = (await both.bob.http.get("/api/status")).json()
    await both.ann.http.post("/api/notes", json={"text": "One more of Ann's."})
    await both.ann.http.post("/api/tasks", json={"description": "One more of Ann's."})
    after = (await both.bob.http.get("/api/status")).json()
    assert after == before
    await both.bob.http.post("/api/notes", json={"text": "One more of Bob's."})
    assert (await both.bob.http.get("/api/status")).json() != before


async def test_two_hundred_interleaved_requests_each_have_their_own_answer(
    both: Neighbours,
) -> None:
    people = (both.ann, both.bob)
    answered = 0
    limiter = anyio.CapacityLimiter(16)

    async def one(n: int, clients: Mapping[str, Client]) -> None:
        nonlocal answered
        me, other = people[n % 2], people[(n + 1) % 2]
        async with limiter:
            answer = await _any_request(n // 2, me, clients[me.user_id])
        assert me.canary in answer
        assert other.canary not in answer
        answered += 1

    with anyio.fail_after(3 * PATIENCE_SECONDS):
        async with (
            both.endpoint.mcp("modern", both.ann.token) as anns,
            both.endpoint.mcp("legacy", both.bob.token) as bobs,
            anyio.create_task_group() as tasks,
        ):
            for n in range(200):
                tasks.start_soon(one, n, {"ann": anns, "bob": bobs})
    assert answered == 200


async def _any_request(n: int, me: Person, client: Client) -> str:
    """One of ten requests, in turn, whose answer has the person's own word in it."""
    http, owns = me.http, me.owns
    routes = (
        f"/api/notes/{owns['note_id']}",
        f"/api/tasks/{owns['task_id']}",
        "/api/search?q=Lisbon",
        "/api/notes",
        "/api/reminders",
        "/api/inbox",
    )
    if n % 10 < len(routes):
        return (await http.get(routes[n % 10])).text
    if n % 10 == 6:
        return (await http.post("/api/chat", json={"question": QUESTION})).text
    if n % 10 == 7:
        return (await client.call_tool("search", {"query": "Lisbon"})).model_dump_json()
    if n % 10 == 8:
        return (await client.read_resource("dome://tasks")).model_dump_json()
    return (await client.call_tool("get_note", {"note_id": owns["note_id"]})).model_dump_json()
