"""Signing in, what a token does not allow, and being signed out."""

import sys
from pathlib import Path

import anyio
import pytest
from playwright.async_api import Page, expect

from tests.remote.page.conftest import Visit

pytestmark = pytest.mark.anyio

KEPT = "() => [sessionStorage.getItem('dome.token'), localStorage.getItem('dome.token')]"


async def test_a_token_lets_its_user_in_and_the_page_says_what_it_may(visit: Visit):
    await visit.sign_in(await visit.site.token("notes:read", "tasks:read"))
    page = visit.page
    await page.locator(".account summary").click()
    menu = page.locator(".menu")
    await expect(menu).to_contain_text("Signed in as me")
    await expect(menu.locator("ul").first).to_contain_text("search and read notes")
    await expect(menu.locator("ul").last).to_contain_text("add, change and delete notes")


async def test_a_wrong_token_is_refused_with_the_reason_and_not_kept(visit: Visit):
    visit.watch.expected = {401}
    page = visit.page
    await page.goto(visit.site.url)
    await page.get_by_label("Token", exact=True).fill("dome_aaaaaaaaaaaaa_" + "x" * 43)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("dome-mcp token create")
    await expect(page.get_by_role("navigation")).to_be_hidden()
    assert await page.evaluate(KEPT) == [None, None]


async def test_what_cannot_be_a_token_is_not_even_sent(visit: Visit):
    page, calls = visit.page, list[str]()
    await page.goto(visit.site.url)
    page.on("request", lambda r: calls.append(r.url) if "/api/" in r.url else None)
    await page.get_by_label("Token", exact=True).fill("dome_ä")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("That is not a token.")
    assert calls == []


async def test_a_token_can_be_looked_at(visit: Visit):
    page = visit.page
    await page.goto(visit.site.url)
    await expect(page.get_by_label("Token", exact=True)).to_have_attribute("type", "password")
    await page.get_by_label("Show the token").check()
    await expect(page.get_by_label("Token", exact=True)).to_have_attribute("type", "text")


async def test_a_token_is_kept_for_the_tab_alone_unless_the_user_wants_more(visit: Visit):
    token = await visit.site.token()
    await visit.sign_in(token)
    assert await visit.page.evaluate(KEPT) == [token, None]
    await visit.page.reload()
    await expect(visit.page.get_by_role("navigation")).to_be_visible()


async def test_a_device_is_remembered_until_its_user_signs_out(visit: Visit):
    page, token = visit.page, await visit.site.token()
    await page.goto(visit.site.url)
    await page.get_by_label("Token", exact=True).fill(token)
    await page.get_by_label("Stay signed in").check()
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("navigation")).to_be_visible()
    another = await page.context.new_page()
    await another.goto(visit.site.url)
    await expect(another.get_by_role("navigation")).to_be_visible()
    await another.locator(".account summary").click()
    await another.get_by_role("button", name="Sign out").click()
    await expect(another.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await another.evaluate(KEPT) == [None, None]
    # What the first tab shows is no longer anybody's to see.
    await expect(page.get_by_role("alert")).to_contain_text("another tab")


async def test_a_token_that_ends_brings_back_the_form_and_takes_everything_away(visit: Visit):
    visit.watch.expected = {401}
    await visit.site.add_note("The canary sings.", title="Canary")
    await visit.sign_in()
    page = visit.page
    await expect(page.get_by_role("link", name="Canary")).to_be_visible()
    await page.get_by_role("link", name="Add", exact=True).click()
    await page.get_by_label("Title").fill("Another Canary")
    await page.get_by_label("Text", exact=True).fill("It sings as well.")
    await page.get_by_role("button", name="Save the text").click()
    await expect(page.get_by_text("Another Canary is stored.")).to_be_visible()

    async def refuse(route):
        await route.fulfill(
            status=401,
            content_type="application/problem+json",
            json={"title": "Not signed in", "status": 401, "detail": "The token was revoked."},
        )

    await page.route("**/api/status", refuse)
    await page.get_by_role("link", name="Status").click()
    await expect(page.get_by_role("alert")).to_contain_text("The token was revoked.")
    await expect(page.get_by_label("Token", exact=True)).to_be_focused()
    assert await page.evaluate(KEPT) == [None, None]
    assert "Canary" not in await page.content()
    await page.unroute("**/api/status")
    await visit.fill_in()
    await page.get_by_role("link", name="Add", exact=True).click()
    await expect(page.get_by_label("Drop files anywhere")).to_be_visible()
    await expect(page.locator(".uploads li")).to_have_count(0)


async def test_a_token_that_was_revoked_ends_the_session(visit: Visit):
    visit.watch.expected = {401}
    token = await visit.site.token()
    await visit.site.revoke(token)
    page = visit.page
    await page.goto(visit.site.url)
    await page.evaluate("token => sessionStorage.setItem('dome.token', token)", token)
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text("not valid")


@pytest.mark.parametrize(
    ("scopes", "offered"),
    [
        (("notes:read",), ["Search", "Status"]),
        (("tasks:read",), ["Today"]),
        (("notes:read", "notes:write"), ["Search", "Add", "Status"]),
    ],
)
async def test_what_a_token_does_not_allow_is_not_offered(
    visit: Visit, scopes: tuple, offered: list[str]
):
    await visit.sign_in(await visit.site.token(*scopes))
    links = visit.page.get_by_role("navigation").get_by_role("link")
    assert await links.all_inner_texts() == offered


async def test_an_address_that_the_token_does_not_allow_says_which_scope_is_missing(visit: Visit):
    await visit.sign_in(await visit.site.token("tasks:read"))
    await visit.go("#/add")
    await expect(visit.page.locator("main")).to_contain_text("lacks the scope notes:write")


async def test_a_reader_is_offered_no_change(visit: Visit):
    note_id = await visit.site.add_note("The canary sings.", title="Canary")
    await visit.sign_in(await visit.site.token("notes:read", "tasks:read"))
    await visit.go(f"#/note/{note_id}")
    await expect(visit.page.get_by_text("may read notes, but not change")).to_be_visible()
    await expect(visit.page.get_by_role("button", name="Delete")).to_have_count(0)
    await visit.go("#/today")
    await expect(visit.page.get_by_text("see tasks and reminders, but not")).to_be_visible()
    await expect(visit.page.get_by_label("What")).to_have_count(0)


async def test_each_view_has_a_title_and_the_focus_at_its_heading(page: Page):
    for name in ("Today", "Add", "Status"):
        await page.get_by_role("navigation").get_by_role("link", name=name).click()
        await expect(page).to_have_title(f"{name} · DOME")
        await expect(page.get_by_role("heading", name=name, level=1)).to_be_focused()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Add", level=1)).to_be_focused()


async def test_the_command_that_the_page_shows_makes_a_token(visit: Visit, tmp_path: Path):
    await visit.page.goto(visit.site.url)
    program, *arguments = (await visit.page.locator("pre code").inner_text()).split()
    assert program == "dome-mcp"
    command = [sys.executable, "-m", "dome_mcp", *arguments, "--home", str(tmp_path / "other")]
    with anyio.fail_after(60):
        made = await anyio.run_process(command)
    assert b"dome_" in made.stdout
