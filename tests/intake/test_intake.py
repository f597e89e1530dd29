"""What a shell takes in keeps what its source says of it: tags, dates, encodings."""

from pathlib import Path

import pytest

from dome_mcp.app import Dome
from dome_mcp.core.drafts import Labels
from dome_mcp.intake import ingest_path, ingest_url
from dome_mcp.services.notes import get_note
from dome_mcp.texts import ingest_text
from tests.sources.web_server import Page, WebServer

pytestmark = pytest.mark.anyio

TAGGED = "---\ntags: [House, roof]\n---\nThe roof was painted in 2021."


async def test_a_file_gives_the_note_its_own_tags_beside_those_of_the_caller(
    dome: Dome, tmp_path: Path
) -> None:
    (tmp_path / "roof.md").write_text(TAGGED)
    path = str(tmp_path / "roof.md")
    ingested = await ingest_path(dome, path, Labels(tags=("#roof", "mine")))
    note = await get_note(ingested.note.note_id, dome.ports, user_id=dome.user_id)
    assert (note.tags, note.text) == (("house", "mine", "roof"), "The roof was painted in 2021.")


async def test_a_text_gives_the_note_the_tags_of_its_front_matter(dome: Dome) -> None:
    ingested = await ingest_text(dome, TAGGED, Labels())
    assert ingested.note.tags == ("house", "roof")


async def test_a_page_is_read_in_the_encoding_that_only_its_server_declares(
    dome: Dome, server: WebServer
) -> None:
    server.pages["/menu"] = Page(
        "<html><body><p>Здравствуй, мир</p></body></html>".encode("iso-8859-5"),
        headers={"Content-Type": "text/html; charset=ISO-8859-5"},
    )
    ingested = await ingest_url(dome, server.url("/menu"), Labels())
    note = await get_note(ingested.note.note_id, dome.ports, user_id=dome.user_id)
    assert note.text == "Здравствуй, мир"
