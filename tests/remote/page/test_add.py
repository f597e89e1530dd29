"""Adding: files dropped, chosen, followed; texts and pages; what fails and is tried again."""

import base64
from pathlib import Path

import anyio
import pytest
from playwright.async_api import Page, Route, expect

from dome_mcp.core.model import EVERY_NOTE
from dome_mcp.services import notes
from tests.remote.page.conftest import Visit
from tests.remote.page.website import USER, Website

pytestmark = pytest.mark.anyio

DAY = "".join(f"Line {n} of a long day, which says little.\n" for n in range(20_000))

DROP = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  const event = (type) =>
    new DragEvent(type, {dataTransfer: transfer, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event('dragenter'));
  const isVeiled = !document.querySelector('.drop').hidden;
  const isTaken = !document.body.dispatchEvent(event('dragover'));
  document.body.dispatchEvent(event('drop'));
  return [isVeiled, isTaken, document.querySelector('.drop').hidden];
}"""


async def drop(page: Page, name: str, content: bytes) -> list[bool]:
    """Drops a file on the page: whether it was veiled, whether it took the file, and unveiled."""
    return await page.evaluate(DROP, [name, base64.b64encode(content).decode()])


async def slow_down(page: Page) -> None:
    """Lets uploads last long enough to be seen, by the browser's own throttle."""
    client = await page.context.new_cdp_session(page)
    await client.send("Network.enable")
    rates = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}
    await client.send("Network.emulateNetworkConditions", rates)


async def stored(site: Website) -> dict[str, tuple[str, ...]]:
    """The titles of all notes, with their tags."""
    dome = await site.dome()
    page = await notes.list_notes(EVERY_NOTE, dome.ports, user_id=USER)
    return {note.title: note.tags for note in page.notes}


async def test_a_file_dropped_anywhere_becomes_a_note(visit: Visit, page: Page):
    assert await drop(page, "bread.md", b"# Bread\n\nFeed the starter.") == [True, True, True]
    await expect(page).to_have_title("Add · DOME")
    await page.get_by_role("link", name="Bread").click()
    await expect(page.locator(".text")).to_contain_text("Feed the starter.")
    assert await stored(visit.site) == {"Bread": ()}


async def test_a_file_on_its_way_shows_how_far_it_is(visit: Visit, page: Page):
    await slow_down(page)
    await page.evaluate(
        "globalThis.shares = new Set(); new MutationObserver(() => { const bar = "
        "document.querySelector('.uploads progress[value]'); if (bar) shares.add(bar.value); })"
        ".observe(document, {subtree: true, childList: true, attributes: true})"
    )
    await drop(page, "long.txt", DAY.encode())
    await expect(page.get_by_role("progressbar", name="Sending long.txt")).to_be_visible()
    await expect(page.get_by_text("Sending, ")).to_be_visible()
    await expect(page.locator(".uploads .done")).to_be_visible()
    shares = await page.evaluate("[...shares]")
    assert len([share for share in shares if 0 < share < 1]) >= 2
    assert shares == sorted(shares)


async def test_a_job_is_followed_to_its_end(visit: Visit, page: Page):
    """A file over a megabyte is answered with a job."""
    text = "".join(f"Line {n} of a long day, which says little.\n" for n in range(30_000))
    assert len(text) > 1_000_000
    states = list[int]()
    page.on("response", lambda r: states.append(r.status) if "/api/ingest" in r.url else None)
    await drop(page, "day.txt", text.encode())
    await expect(page.locator(".uploads .done")).to_be_visible()
    assert states[0] == 202
    assert len(await stored(visit.site)) == 1


async def test_several_files_are_chosen_and_carry_the_labels(
    visit: Visit, page: Page, tmp_path: Path
):
    paths = [tmp_path / f"note-{n}.md" for n in range(3)]
    for path in paths:
        path.write_text(f"# {path.stem}\n\nSome words about {path.stem}.")
    await page.get_by_role("link", name="Add", exact=True).click()
    await page.get_by_label("Tags").fill("work, 2026")
    await page.get_by_label("Drop files anywhere").set_input_files(paths)
    await expect(page.locator(".uploads .done")).to_have_count(3)
    assert set((await stored(visit.site)).values()) == {("2026", "work")}


async def test_a_file_that_cannot_be_read_says_why_and_the_others_are_stored(
    visit: Visit, page: Page
):
    visit.watch.expected = {422, 415}
    await drop(page, "broken.pdf", b"%PDF-1.7 this is no document")
    await drop(page, "bread.md", b"# Bread\n\nFeed the starter.")
    await expect(page.locator(".uploads .done")).to_have_count(1)
    row = page.locator(".uploads li").filter(has_text="broken.pdf")
    await expect(row.locator(".failed")).to_contain_text("broken.pdf")
    await expect(row.get_by_role("button", name="Try again")).to_be_visible()


async def test_a_job_that_fails_says_why(visit: Visit, page: Page):
    async def accept(route: Route) -> None:
        await route.fulfill(status=202, json={"job_id": "j1", "state": "queued"})

    async def failed(route: Route) -> None:
        problem = {"title": "Unreadable", "detail": "It has a password.", "hint": "Remove it."}
        await route.fulfill(json={"job_id": "j1", "state": "failed", "problem": problem})

    await page.route("**/api/ingest", accept)
    await page.route("**/api/ingest/j1", failed)
    await drop(page, "secret.pdf", b"%PDF-1.7")
    await expect(page.locator(".uploads .failed")).to_have_text(
        "It was not stored. It has a password. Remove it."
    )


async def test_a_file_that_was_cut_off_is_tried_again_without_being_stored_twice(
    visit: Visit, page: Page
):
    visit.watch.expected = {502}

    async def lose_the_answer(route: Route) -> None:
        await route.fetch()
        await route.fulfill(status=502, body="a proxy's page")

    await page.route("**/api/ingest", lose_the_answer)
    await drop(page, "bread.md", b"# Bread\n\nFeed the starter.")
    await expect(page.locator(".uploads .failed")).to_contain_text("The server answered 502.")
    await page.unroute("**/api/ingest")
    await page.get_by_role("button", name="Try again: bread.md").click()
    await expect(page.locator(".uploads .done .count")).to_contain_text("Stored.")
    assert await stored(visit.site) == {"Bread": ()}


async def test_an_upload_is_cancelled_on_its_way_and_before_its_turn(visit: Visit, page: Page):
    await slow_down(page)
    for n in range(3):
        await drop(page, f"day-{n}.txt", (DAY + str(n)).encode())
    # Two are sent at a time.
    last = page.locator(".uploads li").filter(has_text="day-2.txt")
    await expect(last).to_contain_text("Waiting")
    for n in (2, 1, 0):
        await page.get_by_role("button", name=f"Cancel: day-{n}.txt").click()
    await expect(page.get_by_text("Cancelled.")).to_have_count(3)
    assert await stored(visit.site) == {}


async def test_a_file_goes_on_being_sent_while_its_user_looks_elsewhere(visit: Visit, page: Page):
    goes_on = anyio.Event()

    async def slow(route: Route) -> None:
        await goes_on.wait()
        await route.continue_()

    await page.route("**/api/ingest", slow)
    await drop(page, "bread.md", b"# Bread\n\nFeed the starter.")
    await page.get_by_role("link", name="Today").click()
    await expect(page).to_have_title("Today · DOME")
    goes_on.set()
    await expect(page.get_by_text("Bread is stored.")).to_be_visible()
    await page.get_by_role("link", name="Add", exact=True).click()
    await expect(page.locator(".uploads .done")).to_be_visible()


async def test_a_text_is_saved_and_known_when_it_comes_again(visit: Visit, page: Page):
    await page.get_by_role("link", name="Add", exact=True).click()
    for said in ("Stored.", "It was there already."):
        await page.get_by_label("Title").fill("Plants")
        await page.get_by_label("Text", exact=True).fill("Water them daily.")
        await page.get_by_role("button", name="Save the text").click()
        await expect(page.locator(".uploads .count").first).to_contain_text(said)
        await expect(page.get_by_label("Text", exact=True)).to_have_value("")
    assert await stored(visit.site) == {"Plants": ()}


async def test_a_page_that_may_not_be_read_says_so_and_keeps_the_address(visit: Visit, page: Page):
    await page.get_by_role("link", name="Add", exact=True).click()
    await page.get_by_label("Address").fill("http://127.0.0.1:9/private")
    await page.get_by_role("button", name="Save the page").click()
    await expect(page.locator(".uploads .failed")).to_be_visible()
    await expect(page.get_by_label("Address")).to_have_value("http://127.0.0.1:9/private")
    assert await stored(visit.site) == {}


async def test_a_reader_can_drop_nothing(visit: Visit):
    await visit.sign_in(await visit.site.token("notes:read"))
    assert await drop(visit.page, "bread.md", b"# Bread") == [False, True, True]
    await expect(visit.page.locator(".uploads li")).to_have_count(0)
