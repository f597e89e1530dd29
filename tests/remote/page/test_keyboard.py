"""Everything without a mouse."""

import pytest
from playwright.async_api import Page, expect

from tests.remote.page.conftest import Visit
from tests.serving import LISBON

pytestmark = pytest.mark.anyio

# What has the focus is called, and how wide the ring around it is. Of a date's own button, which
# is within the field, the browser draws the ring.
FOCUSED = """() => {
  const each = document.activeElement;
  const name = each.getAttribute('aria-label') || each.labels?.[0]?.textContent || each.textContent;
  const ring = each.matches(':focus') ? parseFloat(getComputedStyle(each).outlineWidth) : null;
  return [name.trim(), ring];
}"""


async def tab_to(page: Page, name: str, *, back: bool = False) -> None:
    """Tabs until what is called `name` has the focus, which has to be seen on the way."""
    for _ in range(60):
        await page.keyboard.press("Shift+Tab" if back else "Tab")
        focused, ring = await page.evaluate(FOCUSED)
        assert ring is None or ring >= 2, focused
        if focused == name:
            return
    pytest.fail(f"{name} cannot be reached")


async def test_a_day_without_a_mouse(visit: Visit):
    await visit.site.add_note(LISBON, title="Lisbon")
    await visit.site.fired("Take the bread out")
    page, press = visit.page, visit.page.keyboard.press
    await page.goto(visit.site.url)
    await expect(page.get_by_label("Token", exact=True)).to_be_focused()
    await page.keyboard.insert_text(await visit.site.token())
    await press("Enter")

    await expect(page.get_by_label("What to look for")).to_be_focused()
    await page.keyboard.type("hotel")
    await press("Enter")
    await expect(page.locator(".hits h3")).to_have_text(["Lisbon"])
    await tab_to(page, "Lisbon")
    await press("Enter")
    await tab_to(page, "Change", back=True)
    await press("Enter")
    await expect(page.get_by_label("Title")).to_be_focused()
    await page.keyboard.type(" 2026")
    await press("Control+Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Lisbon 2026")

    await tab_to(page, "Delete")
    await press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await press("Escape")
    await expect(page.get_by_role("button", name="Delete")).to_be_focused()

    await tab_to(page, "Today", back=True)
    await press("Enter")
    await expect(page.get_by_role("heading", name="Today", level=1)).to_be_focused()
    await tab_to(page, "Done: Take the bread out")
    await press("Enter")
    await expect(page.get_by_role("heading", name="Nothing is waiting")).to_be_visible()
    # The button is gone; the focus is not lost with it.
    await expect(page.get_by_role("heading", name="Today", level=1)).to_be_focused()

    await press("/")
    await expect(page.get_by_label("What to look for")).to_be_focused()
    await tab_to(page, "me", back=True)
    await press("Enter")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    await press("Escape")
    await expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


async def test_a_question_mark_shows_the_keys_and_escape_hides_them(page: Page):
    await page.get_by_role("link", name="Today").click()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()


async def test_keys_are_letters_where_somebody_writes(page: Page):
    await page.get_by_role("link", name="Add", exact=True).click()
    text = page.get_by_label("Text", exact=True)
    await text.focus()
    await page.keyboard.type("and/or?")
    await expect(text).to_have_value("and/or?")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_the_first_step_leads_past_the_navigation(page: Page):
    await page.get_by_role("link", name="Today").click()
    await expect(page.get_by_role("heading", name="Today", level=1)).to_be_focused()
    address = page.url
    await page.get_by_role("link", name="Skip to content").focus()
    await expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    assert page.url == address
