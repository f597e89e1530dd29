"""Asking: the answer as it comes, its sources, and what goes wrong on the way."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from playwright.async_api import Page, Route, expect

from dome_mcp.core.ports import Completion, Turn
from tests.remote.page.conftest import Visit
from tests.remote.page.website import Website, website
from tests.serving import LISBON

pytestmark = pytest.mark.anyio

FIRST, SECOND = "Anna booked the hotel Miramar [1]. ", "It is for the second week of May [1]."


@dataclass
class HaltingModel:
    """Says the first sentence, and the second when it is told to."""

    model: str = "halting"
    context_tokens: int = 4000
    goes_on: anyio.Event = field(default_factory=anyio.Event)
    has_been_left: anyio.Event = field(default_factory=anyio.Event)

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        return Completion(FIRST + SECOND)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        yield Completion(FIRST)
        try:
            await self.goes_on.wait()
        except anyio.get_cancelled_exc_class():
            self.has_been_left.set()
            raise
        yield Completion(SECOND)


@pytest.fixture
def model() -> HaltingModel:
    return HaltingModel()


@pytest.fixture
async def site(tmp_path: Path, model: HaltingModel) -> AsyncIterator[Website]:
    """An endpoint with a language model."""
    async with website(tmp_path / "home", language_model=model) as running:
        yield running


async def ask(page: Page, question: str) -> None:
    await page.get_by_label("What to look for").fill(question)
    await page.get_by_role("button", name="Ask").click()


async def test_an_answer_is_shown_while_it_is_written(
    visit: Visit, page: Page, model: HaltingModel
):
    await visit.site.add_note(LISBON, title="Lisbon")
    await ask(page, "When did Anna book the hotel?")
    text = page.locator(".answer-text")
    await expect(text).to_have_text(FIRST.strip())
    await expect(page.get_by_text("Writing from 1 passage")).to_be_visible()
    await expect(page.get_by_role("heading", name="Sources")).to_have_count(0)
    model.goes_on.set()
    await expect(text).to_contain_text("second week of May")
    await expect(page.get_by_role("heading", name="Sources")).to_be_visible()
    await expect(page.get_by_text("Written by halting")).to_be_visible()


async def test_a_marker_leads_to_its_source_and_that_to_the_place(
    visit: Visit, page: Page, model: HaltingModel
):
    model.goes_on.set()
    lines = "\n".join(f"🥐 Line {n}, which says little." for n in range(400))
    await visit.site.add_note(f"{lines}\n\n{LISBON}", title="Lisbon")
    await ask(page, "When did Anna book the hotel Miramar?")
    await page.get_by_role("link", name="Source 1").first.click()
    source = page.locator("#source-1 a")
    await expect(source).to_be_focused()
    await page.keyboard.press("Enter")
    mark = page.locator(".text mark").first
    await expect(mark).to_be_in_viewport()
    quote = await page.locator(".text").evaluate(
        "text => [...text.querySelectorAll('mark')].map((mark) => mark.textContent).join('')"
    )
    assert quote.strip()
    assert quote.strip() in LISBON


async def test_control_enter_asks(visit: Visit, page: Page, model: HaltingModel):
    model.goes_on.set()
    await visit.site.add_note(LISBON, title="Lisbon")
    await page.get_by_label("What to look for").fill("Where did Anna book?")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("heading", name="Answer")).to_be_visible()


async def test_whoever_leaves_ends_the_writing(visit: Visit, page: Page, model: HaltingModel):
    await visit.site.add_note(LISBON, title="Lisbon")
    await ask(page, "When did Anna book the hotel?")
    await expect(page.locator(".answer-text")).to_have_text(FIRST.strip())
    await page.get_by_role("link", name="Today").click()
    with anyio.fail_after(20):
        await model.has_been_left.wait()


async def test_the_way_back_shows_the_answer_without_asking_again(
    visit: Visit, page: Page, model: HaltingModel
):
    model.goes_on.set()
    await visit.site.add_note(LISBON, title="Lisbon")
    await ask(page, "When did Anna book the hotel?")
    await page.locator("#source-1 a").click()
    await expect(page.locator(".text")).to_be_visible()
    asked = list[str]()
    page.on("request", lambda r: asked.append(r.url) if "/api/chat" in r.url else None)
    await page.go_back()
    await expect(page.locator("#source-1 a")).to_be_visible()
    assert asked == []


async def test_notes_that_hold_no_answer_are_said_to_hold_none(
    visit: Visit, page: Page, model: HaltingModel
):
    await ask(page, "What is the capital of France?")
    await expect(page.get_by_role("heading", name="Your notes do not answer")).to_be_visible()


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (
            'event: delta\r\ndata: {"text": "Anna"}\r\n\r\nevent: error\r\ndata: {"title": '
            '"Not available", "status": 503, "detail": "The model is away."}\r\n\r\n',
            "The model is away.",
        ),
        ('event: delta\ndata: {"text": "Anna"}\n\n', "The answer broke off."),
    ],
)
async def test_an_answer_that_fails_half_way_says_so_and_can_be_asked_again(
    visit: Visit, page: Page, model: HaltingModel, stream: str, words: str
):
    async def fail(route: Route) -> None:
        await route.fulfill(body=stream, content_type="text/event-stream")

    model.goes_on.set()
    await visit.site.add_note(LISBON, title="Lisbon")
    await page.route("**/api/chat", fail)
    await ask(page, "When did Anna book the hotel?")
    await expect(page.get_by_role("alert")).to_contain_text(words)
    await page.unroute("**/api/chat")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("#source-1")).to_be_visible()
