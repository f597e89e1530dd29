"""The links in notices, at the endpoint: public, as good as their signature, pressed in a browser.

What the pages say and do is tested with the companion, which serves the same ones.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.link_pages import LinkPages, link_secret
from dome_mcp.services.dispatch import tick
from dome_mcp.services.reminders import NewReminder, create_reminder, inbox
from tests.remote.serving_http import OWNER, Served

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


class Nowhere:
    """A queue that loses everything."""

    async def send(self, bodies: Sequence[str]) -> None:
        return None


async def notified(endpoint: Served) -> dict[str, str]:
    """The paths of the links in the notice of a reminder that has fired, by their labels."""
    ports, before = endpoint.dome.ports, datetime.now(UTC) - HOUR
    new = NewReminder(text="Call Anna", at="+1m")
    await create_reminder(new, ports, user_id=OWNER, now=before, zone="UTC")
    await tick(ports.database, Nowhere(), DeliveryPolicy(), now=before + HOUR / 2)
    (fired,) = await inbox(ports, user_id=OWNER, now=datetime.now(UTC))
    secret = await link_secret(ports.database)
    pages = LinkPages(ports, secret, lambda: datetime.now(UTC))
    actions = pages.actions(fired.firing, base_url="")
    return {action.label: action.url for action in actions}


async def count_in_inbox(endpoint: Served) -> int:
    found = await inbox(endpoint.dome.ports, user_id=OWNER, now=datetime.now(UTC))
    return len(found)


async def test_a_link_shows_at_a_look_and_does_when_pressed(endpoint: Served) -> None:
    links = await notified(endpoint)
    async with endpoint.client() as nobody:
        looked = await nobody.get(links["Done"])
        assert await count_in_inbox(endpoint) == 1
        pressed = await nobody.post(links["Done"], headers={"Origin": endpoint.url})
    assert "Call Anna" in looked.text
    assert "default-src 'none'" in looked.headers["content-security-policy"]
    assert "<p>Done.</p>" in pressed.text
    assert await count_in_inbox(endpoint) == 0


async def test_a_browser_says_where_a_button_was_pressed(endpoint: Served) -> None:
    links = await notified(endpoint)
    async with endpoint.client() as nobody:
        looked = await nobody.get(links["Done"])
        # With `no-referrer` it would send `Origin: null`, as a page of anybody's can have it done.
        assert looked.headers["referrer-policy"] == "same-origin"
        nowhere = await nobody.post(links["Done"], headers={"Origin": "null"})
    assert nowhere.status_code == 403
    assert await count_in_inbox(endpoint) == 1


@pytest.mark.parametrize("token", ["nonsense", "e30.e30", "%00", "a/b"])
async def test_a_link_without_our_signature_leads_nowhere(endpoint: Served, token: str) -> None:
    async with endpoint.client() as nobody:
        for method in ("GET", "POST"):
            response = await nobody.request(method, f"/link/{token}")
            assert response.status_code in (403, 404), method
