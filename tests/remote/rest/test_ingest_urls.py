"""Web pages are read by a job, and never from where the settings do not allow."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.remote.rest.conftest import Api
from tests.remote.rest.test_ingest import finished, working
from tests.serving import Serving
from tests.sources.conftest import start_server
from tests.sources.web_server import Page, WebServer

__all__ = ["start_server"]

pytestmark = pytest.mark.anyio

PAGE = b"<html><head><title>The fence</title></head><body><p>Paint it green.</p></body></html>"

StartServer = Callable[..., WebServer]


async def ingested(api: Api, served: Serving, url: str) -> dict[str, Any]:
    """What became of the page at an address."""
    response = await api.post("/api/ingest", json={"url": url, "tags": ["web"]})
    assert response.status_code == 202, response.text
    assert "preference-applied" not in response.headers
    async with working(served):
        return await finished(api, response.headers["location"])


async def test_a_page_is_read_by_a_job(api: Api, served: Serving, start_server: StartServer):
    served.door.settings = replace(served.door.settings, allow_private_urls=True)
    server = start_server()
    server.pages["/fence"] = Page(PAGE, headers={"Content-Type": "text/html"})
    job = await ingested(api, served, server.url("/fence"))
    assert job["state"] == "done", job
    note = (await api.get(f"/api/notes/{job['result']['note_id']}")).json()
    assert (note["title"], note["tags"]) == ("The fence", ["web"])
    assert note["source"] == server.url("/fence")


async def test_a_page_of_the_servers_own_network_is_never_asked_for(
    api: Api, served: Serving, start_server: StartServer
):
    server = start_server()
    server.pages["/"] = Page(PAGE, headers={"Content-Type": "text/html"})
    job = await ingested(api, served, server.url("/"))
    assert job["state"] == "failed"
    problem = job["problem"]
    assert (problem["status"], problem["type"]) == (403, "/api/docs#forbidden")
    assert server.requests == []
    assert (await api.get("/api/notes")).json()["notes"] == []


async def test_a_page_that_does_not_answer_is_asked_for_again_until_it_has_failed(
    api: Api, served: Serving, start_server: StartServer
):
    served.door.settings = replace(served.door.settings, allow_private_urls=True)
    server = start_server()
    server.pages["/busy"] = Page(b"", status=503)
    job = await ingested(api, served, server.url("/busy"))
    assert (job["state"], job["problem"]["status"]) == ("failed", 503)
    assert len(server.requests) == 5
