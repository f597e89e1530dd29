"""How the page is sent: strictly bound, kept by browsers, small."""

import gzip
import re

import httpx
import pytest
from starlette.applications import Starlette

from dome_mcp.remote.site import FOLDER, routes

pytestmark = pytest.mark.anyio

MODULES = {path.name for path in FOLDER.glob("*.js")}


@pytest.fixture
def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Starlette(routes=routes()))
    return httpx.AsyncClient(transport=transport, base_url="http://dome.test")


async def assets(client: httpx.AsyncClient) -> list[str]:
    """The addresses that the page names."""
    page = await client.get("/")
    return [f"/{path}" for path in re.findall(r'"(assets/[^"]+)"', page.text)]


async def test_whatever_is_sent_runs_nothing_but_the_page_itself(client: httpx.AsyncClient):
    for address in ["/", *await assets(client), "/assets/none/app.js"]:
        headers = (await client.get(address)).headers
        parts = [part.split() for part in headers["Content-Security-Policy"].split(";")]
        policy = {name: " ".join(values) for name, *values in parts}
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
        assert policy["require-trusted-types-for"] == "'script'"
        assert policy["trusted-types"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"


async def test_nothing_in_the_page_makes_markup_of_text_or_calls_another_host():
    for path in FOLDER.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        assert not re.search(r"https?://\w", text), path.name
        assert not re.search(r"<[^>]+\s(style|on\w+)=", text), path.name


async def test_every_file_is_sent_with_its_type(client: httpx.AsyncClient):
    types = {}
    for address in await assets(client):
        response = await client.get(address)
        assert response.status_code == 200, address
        types[address.rpartition(".")[2]] = response.headers["Content-Type"]
    assert types == {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
        "webmanifest": "application/manifest+json",
    }


async def test_all_modules_are_asked_for_at_once(client: httpx.AsyncClient):
    named = {address.rpartition("/")[2] for address in await assets(client)}
    assert named >= MODULES


async def test_the_page_is_asked_for_each_time_and_its_files_once(client: httpx.AsyncClient):
    page = await client.get("/")
    assert page.headers["Cache-Control"] == "no-cache"
    again = await client.get("/", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    for address in await assets(client):
        assert "immutable" in (await client.get(address)).headers["Cache-Control"]


async def test_a_file_of_another_version_is_not_mixed_in(client: httpx.AsyncClient):
    response = await client.get("/assets/0123456789abcdef/app.js")
    assert (response.status_code, response.headers["Cache-Control"]) == (404, "no-store")
    version = (await assets(client))[0].split("/")[2]
    for name in ("index.html", "site.py", "..%2fsite.py"):
        assert (await client.get(f"/assets/{version}/{name}")).status_code == 404


async def test_it_is_sent_packed_to_those_who_can_unpack(client: httpx.AsyncClient):
    address = next(each for each in await assets(client) if each.endswith("style.css"))
    plain = await client.get(address, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    packed = await client.get(address, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == plain.content == (FOLDER / "style.css").read_bytes()
    assert packed.headers["Vary"] == "Accept-Encoding"


async def test_it_stays_small():
    files = [path.read_bytes() for path in FOLDER.iterdir()]
    assert sum(len(gzip.compress(each)) for each in files) < 38_000
    assert sum(map(len, files)) < 98_000
