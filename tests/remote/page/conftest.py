"""A browser, the endpoint it talks to, and a page that may complain of nothing."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    async_playwright,
    expect,
)

from tests.remote.page import chromium
from tests.remote.page.website import PATIENCE_SECONDS, Website, website

_FAILED = re.compile(r"Failed to load resource: the server responded with a status of (\d{3})")

expect.set_options(timeout=PATIENCE_SECONDS * 1000)


@dataclass
class Watch:
    """What a page complains of, and whom it calls; a test names the refusals it provokes."""

    site: str
    complaints: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)

    def on(self, context: BrowserContext) -> None:
        """Listens to every page of the context."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        failed = _FAILED.match(message.text)
        if failed and int(failed[1]) in self.expected:
            return
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        # The browser's own viewer of documents is no other host.
        own = (self.site, "blob:", "data:", "chrome-extension:", "chrome:")
        if not request.url.startswith(own):
            self.complaints.append(f"called {request.url}")


@dataclass
class Visit:
    """Somebody at the page."""

    site: Website
    page: Page
    watch: Watch

    async def sign_in(self, token: str | None = None) -> None:
        """At the start page, with a token for everything unless one is given."""
        await self.page.goto(self.site.url)
        await self.fill_in(token)

    async def fill_in(self, token: str | None = None) -> None:
        """The form that is there."""
        await self.page.get_by_label("Token", exact=True).fill(token or await self.site.token())
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("navigation")).to_be_visible()

    async def go(self, hash_: str) -> None:
        """To a view by its address."""
        await self.page.goto(f"{self.site.url}{hash_}")


@pytest.fixture(scope="package")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """One Chromium for all tests; each has a context of its own."""
    arguments = ["--no-sandbox"] if chromium.is_root() else []
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=chromium.installed(), args=arguments
        )
        yield running
        await running.close()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Website]:
    """The endpoint without any notes."""
    async with website(tmp_path / "home") as running:
        yield running


@pytest.fixture
def looks() -> dict[str, Any]:
    """The options of the browser's context; a test may have others by parametrizing it."""
    return {}


@pytest.fixture
async def visit(browser: Browser, site: Website, looks: dict[str, Any]) -> AsyncIterator[Visit]:
    """Somebody far from home at the page, not signed in; no complaint may be left at the end."""
    options: dict[str, Any] = {"locale": "en-GB", "timezone_id": "America/New_York", **looks}
    context = await browser.new_context(**options)
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    watch = Watch(site.url)
    watch.on(context)
    yield Visit(site, await context.new_page(), watch)
    await context.close()
    assert watch.complaints == []


@pytest.fixture
async def page(visit: Visit) -> Page:
    """The page of somebody who signed in with every scope."""
    await visit.sign_in()
    return visit.page
