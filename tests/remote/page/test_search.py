"""Searching, browsing, and what is said when there is nothing to see."""

import pytest
from playwright.async_api import Page, Route, expect

from tests.remote.page.conftest import Visit
from tests.serving import BREAD, LISBON

pytestmark = pytest.mark.anyio


async def search(page: Page, words: str) -> None:
    await page.get_by_label("What to look for").fill(words)
    await page.keyboard.press("Enter")


async def test_a_search_shows_where_its_words_stand(visit: Visit, page: Page):
    await visit.site.add_note(LISBON, title="Lisbon", tags=("travel",), source="https://a.test/x")
    await visit.site.add_note(BREAD, title="Bread")
    await search(page, "When did Anna book the hotel?")
    hit = page.locator(".hits > li").first
    await expect(hit.get_by_role("heading")).to_have_text("Lisbon")
    await expect(hit.locator("mark")).to_have_text(["Anna", "booked", "hotel"])
    await expect(hit).to_contain_text("#travel")
    await expect(hit.get_by_role("link", name="a.test/x")).to_have_attribute(
        "rel", "noopener noreferrer"
    )
    await expect(page).to_have_title("When did Anna book the hotel? · Search · DOME")


async def test_words_are_found_without_their_accents_and_in_scripts_without_spaces(
    visit: Visit, page: Page
):
    await visit.site.add_note("Das Café am Fluß hat kölsches Bier.", title="Café")
    await visit.site.add_note("我住在北京的旅馆。", title="北京")
    await search(page, "cafe bier")
    await expect(page.locator(".hits mark")).to_have_text(["Café", "Bier"])
    await search(page, "北京")
    await expect(page.locator(".hits mark").first).to_have_text("北京")


async def test_a_result_opens_the_note_at_its_passage(visit: Visit, page: Page):
    # The emoji are one character for the server and two units for the page.
    story = "\n".join(f"🥐🥐 Line {n} of a long day, which says little." for n in range(600))
    await visit.site.add_note(f"{story}\n\n{LISBON}\n\n{story}", title="Long")
    await search(page, "hotel Miramar")
    await page.locator(".hits h3 a").first.click()
    mark = page.locator(".text mark").first
    await expect(mark).to_be_in_viewport()
    await expect(mark).to_be_focused()
    assert "hotel Miramar" in await page.locator(".text").evaluate(
        "text => [...text.querySelectorAll('mark')].map((mark) => mark.textContent).join('')"
    )


async def test_the_way_back_shows_the_same_results_without_another_search(visit: Visit, page: Page):
    for n in range(15):
        await visit.site.add_note(f"{LISBON} Day {n} of the trip.", title=f"Lisbon {n}")
    await search(page, "hotel")
    last = page.locator(".hits h3 a").last
    await last.scroll_into_view_if_needed()
    searches = list[str]()
    page.on("request", lambda r: searches.append(r.url) if "/api/search" in r.url else None)
    await last.click()
    await expect(page.locator(".text")).to_be_visible()
    await page.go_back()
    await expect(last).to_be_in_viewport()
    assert searches == []


async def test_more_results_come_on_request(visit: Visit, page: Page):
    for n in range(14):
        await visit.site.add_note(f"{LISBON} Day {n} of the trip.", title=f"Lisbon {n}")
    await search(page, "hotel")
    hits = page.locator(".hits > li")
    await expect(page.locator(".count")).to_have_text("The first 10 passages")
    await page.get_by_role("button", name="More").click()
    await expect(hits).not_to_have_count(10)
    assert await hits.count() > 10
    await expect(hits.nth(10).get_by_role("heading").get_by_role("link")).to_be_focused()


async def test_filters_are_kept_in_the_address_and_narrow_the_search(visit: Visit, page: Page):
    await visit.site.add_note(f"{LISBON} One.", title="Kept", tags=("travel",), context="trips")
    await visit.site.add_note(f"{LISBON} Two.", title="Left out")
    await page.get_by_text("Filters").click()
    await page.get_by_label("Tags").fill("travel")
    await page.get_by_label("Context").fill("trips")
    await page.get_by_label("Since").fill("2020-01-01")
    await page.get_by_label("Search by").select_option("Words")
    await search(page, "hotel")
    await expect(page.locator(".hits h3")).to_have_text(["Kept"])
    await page.reload()
    await expect(page.locator(".hits h3")).to_have_text(["Kept"])
    await expect(page.get_by_label("Tags")).to_have_value("travel")


async def test_a_tag_leads_to_the_notes_that_have_it(visit: Visit, page: Page):
    await visit.site.add_note(LISBON, title="Lisbon", tags=("travel",))
    await visit.site.add_note(BREAD, title="Bread")
    await page.reload()
    await page.get_by_role("link", name="#travel").click()
    await expect(page.locator(".hits h3")).to_have_text(["Lisbon"])


async def test_without_any_note_the_way_to_the_first_one_is_shown(page: Page):
    await page.get_by_role("link", name="Add your first note").click()
    await expect(page).to_have_title("Add · DOME")


async def test_no_match_is_not_an_outage(visit: Visit, page: Page):
    await page.get_by_text("Filters").click()
    await page.get_by_label("Search by").select_option("Words")
    await search(page, "zebra")
    await expect(page.get_by_role("heading", name="No passage matches")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_an_index_that_is_behind_says_so_beside_the_results(visit: Visit, page: Page):
    async def behind(route: Route) -> None:
        response = await route.fetch()
        found = await response.json()
        await route.fulfill(json={**found, "index_state": "2 chunks are not indexed yet."})

    await visit.site.add_note(LISBON, title="Lisbon")
    await page.route("**/api/search*", behind)
    await search(page, "hotel")
    await expect(page.get_by_text("The index is behind. 2 chunks are not")).to_be_visible()
    await expect(page.locator(".hits h3")).to_have_text(["Lisbon"])


async def test_an_outage_is_not_an_empty_result(visit: Visit, page: Page):
    visit.watch.expected = {503}

    async def down(route: Route) -> None:
        problem = {"title": "Not available", "status": 503, "detail": "The database is away."}
        await route.fulfill(
            status=503,
            json=problem,
            headers={"Retry-After": "3", "Content-Type": "application/problem+json"},
        )

    await visit.site.add_note(LISBON, title="Lisbon")
    await page.route("**/api/search*", down)
    await search(page, "hotel")
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("This does not mean that there is no match")
    await expect(alert).to_contain_text("The database is away. Try again in 3 s.")
    await page.unroute("**/api/search*")
    await alert.get_by_role("button", name="Try again").click()
    await expect(page.locator(".hits h3")).to_have_text(["Lisbon"])


async def test_what_a_note_holds_is_never_markup(visit: Visit, page: Page):
    attack = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    note_id = await visit.site.add_note(f"{attack} zebra", title=attack[:50], tags=("<b>x</b>",))
    await search(page, "zebra")
    await expect(page.locator(".hits .passage")).to_contain_text(attack)
    await page.goto(f"{visit.site.url}#/note/{note_id}")
    await expect(page.locator(".text")).to_contain_text(attack)
    assert await page.locator("main img, main script, main b").count() == 0
    assert await page.title() != "owned"
