"""The links in a notice, as a browser and as a mail scanner follow them."""

import base64
import hashlib
import socket
from collections.abc import Mapping
from typing import Any

import anyio
import httpx
import pytest

from dome_mcp.core.agenda import Action
from dome_mcp.link_pages import Page, Request, page
from dome_mcp.services.reminders import inbox
from dome_mcp.store import meta
from tests.companions.conftest import Stage, until
from worker_companions.link_door import LinkDoor

pytestmark = pytest.mark.anyio


async def notified(stage: Stage, text: str = "Call Anna") -> Mapping[str, str]:
    """The URL of each action in the notice of a reminder, by its label; a companion must run."""

    async def is_open() -> bool:
        return await meta.fact(stage.database, meta.LINK_PORT) is not None

    await until(is_open)
    await stage.remind(text)
    stage.clock.advance(minutes=1)
    await stage.mailbox.wait_for(1)
    return labelled(stage.mailbox.notices[-1].actions)


def labelled(actions: tuple[Action, ...]) -> Mapping[str, str]:
    return {action.label: action.url for action in actions}


async def fetch(method: str, url: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, url, **options)


async def count_in_inbox(stage: Stage) -> int:
    return len(await inbox(stage.ports, user_id="me", now=stage.clock()))


async def test_looking_at_a_link_changes_nothing(stage: Stage) -> None:
    async with stage.running():
        links = await notified(stage)
        for method in ("GET", "HEAD", "GET"):
            assert (await fetch(method, links["Done"])).status_code == 200
        assert await count_in_inbox(stage) == 1


async def test_the_page_asks_with_a_form_that_needs_no_script(stage: Stage) -> None:
    async with stage.running():
        links = await notified(stage, "Call <b>Anna</b> & Bert")
        page = await fetch("GET", links["Snooze 1 h"])
    assert "Call &lt;b&gt;Anna&lt;/b&gt; &amp; Bert" in page.text
    assert '<form method="post"><button>Snooze 1 h</button></form>' in page.text
    assert "<script" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    style = page.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "same-origin"


async def test_the_button_does_it_once(stage: Stage) -> None:
    async with stage.running():
        links = await notified(stage)
        first = await fetch("POST", links["Done"])
        assert (first.status_code, "<p>Done.</p>" in first.text) == (200, True)
        assert await count_in_inbox(stage) == 0
        again = await fetch("POST", links["Done"])
        assert (again.status_code, "has been used" in again.text) == (403, True)


async def test_snooze_brings_the_notice_back_after_an_hour(stage: Stage) -> None:
    async with stage.running():
        links = await notified(stage)
        assert (await fetch("POST", links["Snooze 1 h"])).status_code == 200
        stage.clock.advance(hours=1, seconds=1)
        await stage.mailbox.wait_for(2)
        assert labelled(stage.mailbox.notices[1].actions)["Done"] != links["Done"]


async def test_a_link_expires(stage: Stage) -> None:
    async with stage.running():
        links = await notified(stage)
        stage.clock.advance(days=8)
        page = await fetch("POST", links["Done"])
        assert (page.status_code, "expired" in page.text) == (403, True)
        assert await count_in_inbox(stage) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/link/", 403),
        ("POST", "/link/abc.def", 403),
        ("PUT", "/link/abc.def", 404),
        ("GET", "/favicon.ico", 404),
    ],
)
async def test_whatever_is_no_link_leads_nowhere(
    stage: Stage, method: str, path: str, status: int
) -> None:
    async with stage.running():
        links = await notified(stage)
        url = httpx.URL(links["Done"]).copy_with(raw_path=path.encode())
        assert (await fetch(method, str(url))).status_code == status


async def test_another_host_name_is_refused(stage: Stage) -> None:
    async with stage.running():
        links = await notified(stage)
        page = await fetch("POST", links["Done"], headers={"Host": "evil.example:80"})
        assert page.status_code == 421
        assert await count_in_inbox(stage) == 1


async def test_a_public_url_stands_in_the_links_and_its_name_is_answered(stage: Stage) -> None:
    stage.public_url = "https://dome.example.org/me"
    async with stage.running():
        links = await notified(stage)
        assert links["Done"].startswith("https://dome.example.org/me/link/")
        port = await meta.fact(stage.database, meta.LINK_PORT)
        path = links["Done"].removeprefix("https://dome.example.org")
        here = f"http://127.0.0.1:{port}{path}"
        page = await fetch("POST", here, headers={"Host": "dome.example.org"})
        assert page.status_code == 200


async def test_nonsense_and_silence_do_not_keep_others_out(stage: Stage) -> None:
    async with stage.running():
        links = await notified(stage)
        url = httpx.URL(links["Done"])
        async with await anyio.connect_tcp("127.0.0.1", url.port or 0) as silent:
            async with await anyio.connect_tcp("127.0.0.1", url.port or 0) as rude:
                await rude.send(b"\x00 nonsense\r\n\r\n")
                assert (await rude.receive()).startswith(b"HTTP/1.1 400 ")
            await silent.send(b"POST /link/x HTTP/1.1\r\n")
            assert (await fetch("GET", links["Done"])).status_code == 200


async def test_a_body_that_is_too_long_is_refused(stage: Stage) -> None:
    async with stage.running():
        links = await notified(stage)
        page = await fetch("POST", links["Done"], content=b"x" * 20_000)
        assert page.status_code == 413
        assert await count_in_inbox(stage) == 1


async def test_links_outlive_the_companion_that_made_them(stage: Stage) -> None:
    async with stage.running():
        links = await notified(stage)
    async with stage.running():
        await until(lambda: is_served(links["Done"]))
        assert (await fetch("POST", links["Done"])).status_code == 200


async def test_all_companions_make_links_to_the_one_that_answers(stage: Stage) -> None:
    async with stage.running(), stage.running():
        await notified(stage)
        for number in range(20):
            await stage.remind(f"Number {number}")
        stage.clock.advance(minutes=1)
        await stage.mailbox.wait_for(21)
        links = [labelled(notice.actions)["Done"] for notice in stage.mailbox.notices]
        assert len({httpx.URL(link).port for link in links}) == 1
        assert {(await fetch("GET", link)).status_code for link in links} == {200}


async def test_another_companion_takes_over_the_port_of_one_that_is_gone(stage: Stage) -> None:
    def door(title: str) -> LinkDoor:
        async def answer(_: Request) -> Page:
            return page(200, title, "")

        return LinkDoor(stage.database, answer, b"secret", look_seconds=0.01)

    first, second = door("first"), door("second")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(second.keep)
        async with anyio.create_task_group() as doomed:
            doomed.start_soon(first.keep)
            for each in (first, second):
                await each.looked.wait()
            url = await first.url()
            assert url == await second.url()
            await until(lambda: is_served(f"{url}/"))
            doomed.cancel_scope.cancel()
        await until(lambda: is_served(f"{url}/"))
        assert "<h1>second</h1>" in (await fetch("GET", f"{url}/")).text
        tasks.cancel_scope.cancel()


async def test_a_port_that_another_program_took_is_given_up(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        taken = str(foreign.getsockname()[1])
        await stage.database.query(meta.set_fact(meta.LINK_PORT, taken))

        async def has_moved() -> bool:
            return await meta.fact(stage.database, meta.LINK_PORT) != taken

        async with stage.running():
            await until(has_moved)
            links = await notified(stage)
            assert f":{taken}/" not in links["Done"]
            assert (await fetch("GET", links["Done"])).status_code == 200


async def test_a_notice_has_the_links_of_its_own_firing(stage: Stage) -> None:
    async with stage.running():
        links = await notified(stage)
        await stage.remind("Call Bert")
        stage.clock.advance(minutes=1)
        await stage.mailbox.wait_for(2)
        page = await fetch("GET", links["Done"])
        assert "Call Anna" in page.text


async def is_served(url: str) -> bool:
    try:
        await fetch("GET", url)
    except httpx.ConnectError:
        return False
    return True
