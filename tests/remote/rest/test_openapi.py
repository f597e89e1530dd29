"""The description of the API, for programs and for people."""

import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.routing import APIRoute

from dome_mcp.app import Door
from dome_mcp.core.access import SCOPES
from dome_mcp.remote.rest.access import SCOPES_ATTRIBUTE
from dome_mcp.remote.rest.app import build_api, served_routes
from dome_mcp.remote.rest.openapi import SCOPES_MEMBER, describe, operations
from dome_mcp.remote.rest.problem_kinds import KINDS
from dome_mcp.remote.rest.repeating import DomeRoute
from tests.remote.rest.conftest import Api
from tests.serving import settings_in

PUBLIC = {("PUT", "/uploads/{upload_id}")}
"""What carries its own proof, a signed address, instead of a token."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document, as it is served under /api."""
    app = build_api(Door(settings_in(Path("unused"))))
    return describe(app, served_routes(), root="/api")


def _named(route: APIRoute) -> str:
    return f"{'/'.join(route.methods or ())} {route.path_format}"


@pytest.mark.parametrize("route", served_routes(), ids=_named)
def test_every_route_asks_exactly_once_who_calls(route: APIRoute):
    asks = [each for each in route.dependant.dependencies if hasattr(each.call, SCOPES_ATTRIBUTE)]
    is_public = all((method, route.path_format) in PUBLIC for method in route.methods or ())
    assert len(asks) == (0 if is_public else 1)
    assert isinstance(route, DomeRoute)


def test_an_operation_says_who_may_call_it(document: dict[str, Any]):
    for path, method, operation in operations(document):
        if (method.upper(), path) in PUBLIC:
            assert "security" not in operation
            continue
        assert operation["security"] == [{"bearer": []}]
        assert set(operation[SCOPES_MEMBER]) <= set(SCOPES)
    assert document["paths"]["/notes"]["post"][SCOPES_MEMBER] == ["notes:write"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_operations_have_names_of_their_own_and_belong_to_a_subject(document: dict[str, Any]):
    found = list(operations(document))
    names = [operation["operationId"] for *_, operation in found]
    assert len(set(names)) == len(names) == len(served_routes())
    subjects = {tag["name"] for tag in document["tags"]}
    for *_, operation in found:
        assert set(operation["tags"]) <= subjects
        assert operation["summary"]


def test_every_failure_is_described_as_a_problem(document: dict[str, Any]):
    told = document["components"]["responses"]
    assert {int(status) for status in told} == {kind.status for kind in KINDS}
    for *_, operation in operations(document):
        failures = {status: each for status, each in operation["responses"].items() if status > "4"}
        assert {"401", "403", "429", "500", "503"} <= set(failures)
        for status, response in failures.items():
            assert response == {"$ref": f"#/components/responses/{status}"}
    assert "HTTPValidationError" not in json.dumps(document)


def test_a_write_may_carry_a_key_and_a_change_says_what_it_is_made_to(document: dict[str, Any]):
    def headers(path: str, method: str) -> dict[str, bool]:
        parameters = document["paths"][path][method].get("parameters", [])
        return {each["name"]: each["required"] for each in parameters if each["in"] == "header"}

    assert headers("/notes", "post") == {"Idempotency-Key": False}
    assert headers("/chat", "post") == {"Idempotency-Key": False}
    assert headers("/notes/{note_id}", "patch") == {"If-Match": True}
    assert headers("/notes/{note_id}", "delete") == {"If-Match": False, "Prefer": False}


def test_the_document_is_of_openapi_3_1_and_its_references_lead_somewhere(document: dict[str, Any]):
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "/api"}]
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))):
        target: Any = document
        for part in reference.split("/"):
            target = target[part]
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


class Page(HTMLParser):
    """What the tests look at in the documentation."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.anyio
async def test_the_documentation_needs_no_script_and_nothing_from_elsewhere(api: Api):
    response = await api.get("/api/docs")
    page = Page(response.text)
    assert "script" not in page.tags
    assert all(link.startswith("#") or link == "openapi.json" for link in page.links)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert "unsafe" not in policy


@pytest.mark.anyio
async def test_every_operation_and_every_type_of_problem_has_its_place(api: Api):
    document = (await api.get("/api/openapi.json")).json()
    page = Page((await api.get("/api/docs")).text)
    wanted = [operation["operationId"] for *_, operation in operations(document)]
    wanted += [kind.name for kind in KINDS]
    assert len(page.ids) == len(set(page.ids))
    assert set(wanted) <= set(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


@pytest.mark.anyio
async def test_the_documentation_is_open_to_everybody(api: Api):
    del api.headers["x-user"]
    assert (await api.get("/api/docs")).status_code == 200
    assert (await api.get("/api/openapi.json")).status_code == 200


@pytest.mark.anyio
async def test_the_example_of_an_operation_works_as_it_stands(api: Api):
    page = Page((await api.get("/api/docs")).text)
    commands = [line for line in page.words.splitlines() if line.startswith("curl -X POST")]
    line = next(command for command in commands if command.endswith("/api/notes"))
    words = shlex.split(line)
    body = words[words.index("--json") + 1]
    response = await api.post(
        "/api/notes", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code == 201, response.text
    assert "Authorization: Bearer $TOKEN" in words
