"""What answers tell besides, so that a client that tells a user of them needs no second request."""

from collections.abc import AsyncIterator

import pytest

from tests.agenda_serving import AgendaServing
from tests.remote.rest.conftest import Api, api_over, problem_in
from tests.serving import BREAD, LISBON

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(agenda: AgendaServing) -> AsyncIterator[Api]:
    async with api_over(agenda.served.door) as client:
        yield client


async def test_a_stored_text_tells_how_it_is_found(api: Api):
    stored = (await api.post("/api/notes", json={"text": LISBON})).json()
    assert (stored["pending_chunks"], stored["by_meaning"]) == (0, True)


async def test_a_deletion_says_which_note_it_was_where_that_is_preferred(api: Api):
    note = {"text": LISBON, "title": "Lisbon"}
    path = (await api.post("/api/notes", json=note)).headers["location"]
    deleted = await api.delete(path, headers={"Prefer": "return=representation"})
    assert deleted.status_code == 200
    assert deleted.headers["preference-applied"] == "return=representation"
    note_id = path.rpartition("/")[2]
    assert deleted.json() == {"note_id": note_id, "title": "Lisbon", "deleted": True}
    path = (await api.post("/api/notes", json={"text": BREAD})).headers["location"]
    assert (await api.delete(path)).status_code == 204


@pytest.mark.parametrize(
    ("place", "content"),
    [("notes", {"text": LISBON, "title": "x"}), ("tasks", {"description": "x"})],
)
async def test_who_names_an_old_revision_is_told_the_present_one(
    api: Api, place: str, content: dict[str, str]
):
    path = (await api.post(f"/api/{place}", json=content)).headers["location"]
    changed = await api.patch(path, json={"tags": ["a"]}, headers={"If-Match": '"1"'})
    stale = await api.patch(path, json={"tags": ["b"]}, headers={"If-Match": '"1"'})
    problem_in(stale, 412, "stale-revision")
    assert stale.headers["etag"] == changed.headers["etag"] == '"2"'


@pytest.mark.parametrize("place", ["tasks", "reminders"])
async def test_a_listing_tells_what_fired_and_why_something_may_not(
    api: Api, agenda: AgendaServing, place: str
):
    assert (await api.get(f"/api/{place}")).json() == {place: []}
    for minutes in range(1, 7):
        sent = {"text": f"Thing {minutes}", "at": f"+{minutes}m", "repeat": "daily"}
        await api.post("/api/reminders", json=sent)
    await agenda.fire(hours=1)
    listed = (await api.get(f"/api/{place}")).json()
    assert len(listed["inbox"]) == 5
    assert listed["inbox_has_more"]
    assert "no reminder fires" in listed["warnings"][0]
