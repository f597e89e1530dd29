"""Search over REST."""

import json

import pytest

from tests.remote.rest.conftest import Api, problem_in
from tests.serving import BREAD, LISBON

pytestmark = pytest.mark.anyio

LINES = {"Accept": "application/x-ndjson"}


async def store(api: Api, *texts: str, **labels: object) -> list[str]:
    """The ids of the notes that now hold the texts."""
    responses = [await api.post("/api/notes", json={"text": text, **labels}) for text in texts]
    return [response.json()["note_id"] for response in responses]


async def test_passages_come_whole_with_what_is_needed_to_cite_them(api: Api):
    trip, _ = await store(api, LISBON, BREAD, tags=["x"])
    found = (await api.get("/api/search", params={"q": "When does the flight leave?"})).json()
    assert found["index_state"] == "ready"
    best = found["passages"][0]
    assert (best["note_id"], best["text"], best["tags"]) == (trip, LISBON, ["x"])
    assert {"title", "date", "location", "score", "scores"} <= set(best)


async def test_a_search_keeps_to_the_notes_it_is_about(api: Api):
    trip, bread = await store(api, LISBON, BREAD)
    params = {"q": "flight or flour", "note_ids": [bread]}
    found = (await api.get("/api/search", params=params)).json()
    assert {passage["note_id"] for passage in found["passages"]} == {bread}
    none = (await api.get("/api/search", params={"q": "flight", "context": "elsewhere"})).json()
    assert none["passages"] == []
    assert trip != bread


async def test_a_search_goes_on_where_its_page_ended(api: Api):
    await store(api, *(f"The code of door {n} is {n}." for n in range(3)))
    params = {"q": "door code", "limit": 2, "mode": "keyword"}
    first = (await api.get("/api/search", params=params)).json()
    rest = (await api.get("/api/search", params=params | {"cursor": first["next_cursor"]})).json()
    passages = [*first["passages"], *rest["passages"]]
    assert len({passage["chunk_id"] for passage in passages}) == len(passages) == 3
    other = params | {"cursor": first["next_cursor"], "q": "window"}
    problem_in(await api.get("/api/search", params=other), 422, "invalid-input")


async def test_a_search_line_by_line_says_the_same(api: Api):
    await store(api, *(f"The code of door {n} is {n}." for n in range(3)))
    params = {"q": "door code", "limit": 2}
    whole = (await api.get("/api/search", params=params)).json()
    response = await api.get("/api/search", params=params, headers=LINES)
    assert response.headers["content-type"].startswith("application/x-ndjson")
    *lines, end = map(json.loads, response.text.splitlines())
    assert [line["passage"] for line in lines] == whole.pop("passages")
    assert end == {"end": whole}


@pytest.mark.parametrize("query", ["", "q=", "q=%20", "q=a&limit=0", "q=a&limit=51", "q=a&mode=x"])
async def test_a_search_that_cannot_work_is_refused(api: Api, query: str):
    problem_in(await api.get(f"/api/search?{query}", headers=LINES), 422, "invalid-input")


async def test_somebody_elses_notes_are_not_found(api: Api):
    await store(api, LISBON)
    ann = api.as_("ann", "notes:read")
    found = (await ann.get("/api/search", params={"q": "flight to Lisbon"})).json()
    assert found["passages"] == []


async def test_only_who_may_read_may_search(api: Api):
    writer = api.as_("ann", "notes:write", "tasks:read", "admin")
    problem_in(await writer.get("/api/search?q=a"), 403, "insufficient-scope")


async def test_the_status_counts_what_is_stored_and_shows_the_agenda_to_who_may_see_it(api: Api):
    await store(api, LISBON, BREAD)
    whole = (await api.get("/api/status")).json()
    assert (whole["notes"], whole["health"]) == (2, "ok")
    assert {"inbox", "companion", "versions"} <= set(whole)
    reader = (await api.as_("me", "notes:read").get("/api/status")).json()
    assert reader["notes"] == 2
    assert not {"inbox", "companion", "versions", "bytes"} & set(reader)
