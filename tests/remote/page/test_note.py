"""A note: read, changed, seen as its original, deleted."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from dome_mcp import intake, texts
from dome_mcp.core.drafts import Labels
from dome_mcp.core.model import NoteChanges
from dome_mcp.services import notes
from tests.documents.builders import pdf
from tests.remote.page.conftest import Visit
from tests.remote.page.website import USER
from tests.serving import LISBON

pytestmark = pytest.mark.anyio


async def test_a_note_is_shown_as_it_was_written(visit: Visit, page: Page):
    text = "First  line\n\tindented\n\n  500 g flour"
    note_id = await visit.site.add_note(text, title="Bread", context="baking", tags=("food",))
    await visit.go(f"#/note/{note_id}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Bread")
    await expect(page.locator(".text")).to_be_visible()
    assert await page.locator(".text").inner_text() == text
    await expect(page.locator(".meta").first).to_contain_text("baking")
    await expect(page).to_have_title("Bread · DOME")


async def test_a_change_is_saved_and_searches_are_made_anew(visit: Visit, page: Page):
    note_id = await visit.site.add_note(LISBON, title="Lisbon", tags=("travel",), context="trips")
    await page.get_by_role("link", name="Search").click()
    await page.get_by_role("link", name="Lisbon").click()
    await page.get_by_role("button", name="Change").click()
    await page.get_by_label("Title").fill("Porto")
    await page.get_by_label("Tags").fill("travel, 2026")
    await page.get_by_label("Context").fill("")
    await page.get_by_label("Text", exact=True).fill("Anna is in Porto.")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Porto")
    note = await notes.get_note(note_id, (await visit.site.dome()).ports, user_id=USER)
    assert (note.title, note.text, set(note.tags), note.context) == (
        "Porto",
        "Anna is in Porto.",
        {"travel", "2026"},
        None,
    )
    await page.get_by_role("link", name="Search").click()
    await expect(page.locator(".hits h3")).to_have_text(["Porto"])


async def test_a_change_by_somebody_else_loses_neither_text(visit: Visit, page: Page):
    visit.watch.expected = {412}
    note_id = await visit.site.add_note(LISBON, title="Lisbon")
    dome = await visit.site.dome()
    await visit.go(f"#/note/{note_id}")
    await page.get_by_role("button", name="Change").click()
    await page.get_by_label("Text", exact=True).fill("What I typed.")
    await texts.update_note(dome, note_id, text="What they wrote.", changes=NoteChanges())
    await page.get_by_role("button", name="Save").click()
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("This note was changed meanwhile")
    await expect(page.get_by_label("Text", exact=True)).to_have_value("What I typed.")
    await alert.get_by_text("The newer text").click()
    await expect(alert.locator(".newer")).to_have_text("What they wrote.")
    theirs = await notes.get_note(note_id, dome.ports, user_id=USER)
    assert theirs.text == "What they wrote."
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".text")).to_have_text("What I typed.")


async def test_the_newer_note_is_loaded_on_request(visit: Visit, page: Page):
    visit.watch.expected = {412}
    note_id = await visit.site.add_note(LISBON, title="Lisbon")
    await visit.go(f"#/note/{note_id}")
    await page.get_by_role("button", name="Change").click()
    await page.get_by_label("Title").fill("Mine")
    dome = await visit.site.dome()
    await texts.update_note(dome, note_id, text=None, changes=NoteChanges(title="Theirs"))
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Reload the newer one").click()
    await page.get_by_role("button", name="Drop it").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Theirs")


async def test_what_is_typed_is_not_lost_by_a_step_aside(visit: Visit, page: Page):
    note_id = await visit.site.add_note(LISBON, title="Lisbon")
    await visit.go(f"#/note/{note_id}")
    await page.get_by_role("button", name="Change").click()
    await page.get_by_label("Title").fill("Mine")
    await page.get_by_role("link", name="Today").click()
    await page.get_by_role("button", name="Keep writing").click()
    await expect(page.get_by_label("Title")).to_have_value("Mine")
    assert note_id in page.url
    await page.get_by_role("link", name="Today").click()
    await page.get_by_role("button", name="Leave").click()
    await expect(page).to_have_title("Today · DOME")


async def test_a_note_is_deleted_only_after_a_question(visit: Visit, page: Page):
    visit.watch.expected = {404}
    note_id = await visit.site.add_note(LISBON, title="Lisbon")
    await visit.go(f"#/note/{note_id}")
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("button", name="Keep")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("“Lisbon” is deleted.")).to_be_visible()
    await expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    await visit.go(f"#/note/{note_id}")
    await expect(page.get_by_role("alert")).to_be_visible()


async def test_a_note_is_downloaded_as_it_is(visit: Visit, page: Page):
    note_id = await visit.site.add_note(LISBON, title="Lisbon: the trip")
    await visit.go(f"#/note/{note_id}")
    async with page.expect_download() as started:
        await page.get_by_role("button", name="Download").click()
    download = await started.value
    path = await download.path()
    assert path.read_text() == LISBON
    assert download.suggested_filename.startswith("Lisbon")


async def test_a_picture_is_shown_beside_its_text(visit: Visit, page: Page):
    """By way of an answer of the API, because no text can be read from pictures yet."""
    note_id = await visit.site.add_note(LISBON, title="Lisbon")
    pixel = (
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,"
        b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    )

    async def as_picture(route):
        response = await route.fetch()
        await route.fulfill(json={**await response.json(), "content_type": "image/gif"})

    await page.route(f"**/api/notes/{note_id}", as_picture)
    await page.route("**/original", lambda route: route.fulfill(body=pixel, content_type="x/y"))
    await visit.go(f"#/note/{note_id}")
    await page.get_by_role("button", name="Show the original").click()
    await expect(page.get_by_role("img", name="The original of Lisbon")).to_be_visible()
    await expect(page.locator(".original img")).to_have_js_property("naturalWidth", 1)


async def test_a_document_is_shown_beside_its_text(visit: Visit, page: Page, tmp_path: Path):
    path = tmp_path / "trip.pdf"
    path.write_bytes(pdf(["Trip to Lisbon", "Anna booked the hotel Miramar."]))
    ingested = await intake.ingest_path(await visit.site.dome(), str(path), Labels(title="Trip"))
    await visit.go(f"#/note/{ingested.note.note_id}?start=0&end=4&page=2")
    await page.get_by_role("button", name="Show the original").click()
    frame = page.locator("iframe[title='The original of Trip']")
    await expect(frame).to_be_visible()
    address = await frame.get_attribute("src") or ""
    assert address.startswith(f"blob:{visit.site.url}")
    assert address.endswith("#page=2")
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Open in its own tab").click()
    assert (await opened.value).url == address.removesuffix("#page=2")


async def test_a_long_note_costs_no_more_than_what_is_seen(visit: Visit, page: Page):
    text = "\n".join(f"Line {n} of a very long day, which says little." for n in range(40_000))
    note_id = await visit.site.add_note(text, title="Long")
    await page.add_init_script(
        "const skipped = new Set();"
        "addEventListener('contentvisibilityautostatechange', (event) => {"
        " skipped[event.skipped ? 'add' : 'delete'](event.target);"
        " document.documentElement.dataset.skipped = skipped.size; }, true);"
    )
    await page.reload()
    await visit.go(f"#/note/{note_id}")
    blocks = page.locator(".text > div")
    await expect(blocks.first).to_be_visible()
    # Of more than 600 blocks.
    await expect(page.locator("html")).to_have_attribute("data-skipped", re.compile("[5-9].."))
    # Whatever is laid out later, no character of it is lost at the seams.
    whole = (
        "[...document.querySelectorAll('.text > div')].map((each) => each.textContent).join('\\n')"
    )
    assert await page.evaluate(whole) == text
