"""What everybody has to be able to see, read and reach, on every view."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.remote.page.conftest import Visit
from tests.server.node_packages import installed
from tests.serving import BREAD, LISBON

pytestmark = pytest.mark.anyio

ARABIC = "حجزت آنا الفندق للأسبوع الثاني من مايو."
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
VIEWS = (
    "#/search",
    "#/search?q=Anna&context=x",
    "#/search?q=Anna",
    "#/search?q=When+did+Anna+book&ask=1",
    "#/note/ID?start=1&end=30",
    "#/today",
    "#/add",
    "#/status",
)
AA_CONTRAST = 4.5
TARGET_PIXELS = 44

# Each text that is seen, with its colour and what is behind it, as the browser computed them.
TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const behind = [];
    for (let each = element; each; each = each.parentElement) {
      behind.push(getComputedStyle(each).backgroundColor);
    }
    const text = walker.currentNode.data.trim().slice(0, 40);
    found.push([text, getComputedStyle(element).color, behind]);
  }
  return found;
}"""

# What can be pressed and is no link within a line of text, as [name, width, height].
TARGETS = """() => [...document.querySelectorAll(
    'button, nav a, summary, input, select, textarea, h3 a')]
  .filter((each) => each.checkVisibility())
  .map((each) => [each.closest('label') ?? each, each])
  .map(([area, each]) => [each.textContent || each.id, area.getBoundingClientRect()])
  .map(([name, {width, height}]) => [name, width, height])"""


def channels(colour: str) -> tuple[float, ...]:
    """Red, green, blue and opacity of what the browser calls a colour."""
    parts = [float(part) for part in re.findall(r"[\d.]+", colour)]
    return (*parts, 1.0)[:4]


def luminance(colour: tuple[float, ...]) -> float:
    """As WCAG 2 defines it."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in colour[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colour: str, behind: list[str]) -> float:
    """Of a text and the first opaque colour behind it."""
    opaque = next(layer for layer in map(channels, behind) if layer[3] == 1.0)
    lighter, darker = sorted((luminance(channels(colour)), luminance(opaque)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.fixture
async def full(visit: Visit) -> Visit:
    """A page with something to see on every view, and what is hard to set among it."""
    add = visit.site.add_note
    await add(LISBON, title="Lisbon", tags=("travel",), source="https://example.org/" + "x" * 200)
    await add(f"{ARABIC} Anna {LONG_WORD}", title=ARABIC, tags=("سفر",))
    await add(f"{BREAD} Anna.", title=LONG_WORD, context=LONG_WORD[:60])
    await visit.site.fired(f"Take the bread out {LONG_WORD}", is_delivered=False)
    await visit.sign_in()
    return visit


async def every_view(visit: Visit) -> AsyncIterator[Page]:
    """The page at each of its views, loaded."""
    page = visit.page
    note_id = await visit.site.add_note(LISBON + " Again.", title="Lisbon, again")
    for view in VIEWS:
        await visit.go(view.replace("ID", note_id))
        await expect(page.locator("h1")).to_be_attached()
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        await expect(page.get_by_text(re.compile(r"^(Looking|Opening|Reading) …"))).to_have_count(0)
        yield page


@pytest.mark.parametrize("looks", [{"color_scheme": "light"}, {"color_scheme": "dark"}], ids=str)
async def test_every_text_stands_out_from_its_ground(full: Visit, looks: dict[str, Any]):
    weak, count = [], 0
    async for page in every_view(full):
        for text, colour, behind in await page.evaluate(TEXTS):
            count += 1
            if contrast(colour, behind) < AA_CONTRAST:
                weak.append((page.url, text, colour, round(contrast(colour, behind), 2)))
    assert weak == []
    assert count > 150


@pytest.mark.parametrize(
    "looks",
    [
        {"viewport": {"width": 320, "height": 640}},
        {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
        {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
    ],
    ids=["smallest", "phone", "1280 at 200 percent"],
)
async def test_nothing_has_to_be_scrolled_sideways(full: Visit, looks: dict[str, Any]):
    async for page in every_view(full):
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, page.url


@pytest.mark.parametrize("looks", [{"viewport": {"width": 390, "height": 844}}], ids=["phone"])
async def test_what_is_pressed_is_as_large_as_a_finger(full: Visit, looks: dict[str, Any]):
    small = []
    async for page in every_view(full):
        for name, width, height in await page.evaluate(TARGETS):
            if round(min(width, height)) < TARGET_PIXELS:
                small.append((page.url, name, width, height))
    assert sorted({each[1:] for each in small}) == []


@pytest.mark.parametrize("looks", [{"bypass_csp": True}], ids=["axe"])
async def test_assistive_technology_stumbles_over_nothing(full: Visit, looks: dict[str, Any]):
    axe = installed().parent / "axe-core" / "axe.min.js"
    found = []
    async for page in every_view(full):
        await page.add_script_tag(path=axe)
        result = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        for violation in result["violations"]:
            targets = [node["target"] for node in violation["nodes"]]
            found.append((page.url, violation["id"], violation["impact"], targets))
    assert found == []


async def test_an_arabic_note_reads_from_right_to_left(full: Visit):
    await full.go("#/search?q=آنا")
    heading = full.page.locator(".hits h3").filter(has_text=ARABIC)
    assert await heading.evaluate("each => getComputedStyle(each).direction") == "rtl"
    await heading.get_by_role("link").click()
    text = full.page.locator(".text")
    assert await text.evaluate("each => getComputedStyle(each).direction") == "rtl"


@pytest.mark.parametrize("looks", [{"reduced_motion": "reduce"}], ids=["reduced"])
async def test_nothing_moves_for_those_who_want_no_motion(full: Visit, looks: dict[str, Any]):
    async for page in every_view(full):
        moving = "document.getAnimations().filter((each) => each.playState === 'running').length"
        assert await page.evaluate(moving) == 0


async def test_a_printed_note_is_the_note_alone(full: Visit):
    note_id = await full.site.add_note(BREAD + " Print.", title="Printed")
    await full.go(f"#/note/{note_id}")
    await full.page.emulate_media(media="print")
    for hidden in (".top", ".tools", ".toast"):
        await expect(full.page.locator(hidden)).to_be_hidden()
    await expect(full.page.locator(".text")).to_be_visible()
