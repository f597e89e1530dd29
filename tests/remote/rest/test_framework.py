"""What every route has in common."""

import pytest

from tests.remote.rest.conftest import Api, problem_in

pytestmark = pytest.mark.anyio


async def test_a_caller_learns_who_they_are_and_what_they_may_do(api: Api):
    ann = api.as_("ann", "tasks:read", "notes:read", zone="Asia/Tokyo")
    response = await ann.get("/api/me")
    assert response.json() == {
        "user_id": "ann",
        "scopes": ["notes:read", "tasks:read"],
        "credential": "token-of-ann",
        "timezone": "Asia/Tokyo",
    }


async def test_any_token_may_ask_who_it_stands_for(api: Api):
    response = await api.as_("ann").get("/api/me")
    assert (response.status_code, response.json()["scopes"]) == (200, [])


async def test_head_is_get_without_the_body(api: Api):
    got, head = await api.get("/api/me"), await api.head("/api/me")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.content))


async def test_an_address_that_does_not_exist_is_a_problem(api: Api):
    problem_in(await api.get("/api/nothing"), 404, "not-found")


async def test_a_method_that_an_address_does_not_take_names_those_it_takes(api: Api):
    response = await api.put("/api/notes/x")
    problem = problem_in(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "DELETE, GET, HEAD, PATCH"
    assert "DELETE, GET, HEAD, PATCH" in str(problem["hint"])
