"""Under which names the gate is reached, from which pages, and through which proxies."""

from pathlib import Path
from typing import Any

import pytest

from dome_mcp.http_settings import HttpSettings, read_http
from dome_mcp.remote.hosts import Hosts
from dome_mcp.remote.peers import household_of
from tests.remote.gated import HOST, gated

pytestmark = pytest.mark.anyio

PAGES = "https://pages.example"


def http(**changes: Any) -> HttpSettings:
    return HttpSettings(**{"allowed_hosts": (HOST,), **changes})


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost", True),
        ("LOCALHOST:9999", True),
        ("127.0.0.1:8765", True),
        ("[::1]:8765", True),
        ("dome.example", True),
        ("Dome.Example:443", True),
        ("dome.example:80", True),
        ("dome.example:8765", False),
        ("exact.example:8443", True),
        ("exact.example", False),
        ("any.example", True),
        ("any.example:1", True),
        ("public.example", True),
        ("evil.example", False),
        ("dome.example.evil.example", False),
        ("evil.dome.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.2", False),
        ('localhost:"evil"', False),
        ("localhost:١", False),
        ("any.example:*", False),
        ("", False),
    ],
)
def test_the_names_of_loopback_and_of_the_settings_are_ours(host: str, is_ours: bool) -> None:
    hosts = Hosts(
        http(allowed_hosts=("dome.example", "exact.example:8443", "any.example:*")),
        "https://public.example",
    )
    assert hosts.admits_host(host) is is_ours


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "is_admitted"),
    [
        (f"http://{HOST}", HOST, "http", True),
        (f"https://{HOST}", HOST, "https", True),
        (f"https://{HOST}", f"{HOST}:443", "https", True),
        (f"http://{HOST}", HOST, "https", False),
        (f"https://{HOST}", HOST, "http", False),
        (f"http://{HOST}:8080", HOST, "http", False),
        ("https://public.example", "public.example", "http", True),
        (PAGES, HOST, "http", True),
        ("https://pages.example.evil.example", HOST, "http", False),
        ("https://evil.example", HOST, "http", False),
        ("null", HOST, "http", False),
        ("null", "localhost:8765", "http", False),
        ("", HOST, "http", False),
        ("http://localhost:6274", "127.0.0.1:8765", "http", True),
        ("http://localhost:6274", HOST, "http", False),
        ("http://localhost.evil.example", "127.0.0.1:8765", "http", False),
        ("file://", "localhost", "http", False),
        ("app://localhost", "localhost", "http", False),
        ("vscode-webview://panel", HOST, "http", True),
    ],
)
def test_its_own_pages_and_those_of_the_settings_may_come(
    origin: str, host: str, scheme: str, is_admitted: bool
) -> None:
    hosts = Hosts(http(allowed_origins=(PAGES, "vscode-webview://panel")), "https://public.example")
    assert hosts.admits_origin(origin, host=host, scheme=scheme) is is_admitted


async def test_another_host_is_misdirected_and_says_which_setting_helps(tmp_path: Path) -> None:
    async with gated(tmp_path) as gate:
        text, _ = await gate.token()
        async with gate.client(text, host="evil.example") as client:
            response = await client.get("/api/me")
    assert response.status_code == 421
    assert "DOME_ALLOWED_HOSTS" in response.json()["hint"]


@pytest.mark.parametrize("path", ["/api/me", "/healthz", "/"])
async def test_a_page_from_elsewhere_is_refused_on_every_path(tmp_path: Path, path: str) -> None:
    async with gated(tmp_path) as gate:
        text, _ = await gate.token()
        async with gate.client(text, headers={"Origin": "https://evil.example"}) as client:
            response = await client.get(path)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


async def test_several_origins_at_once_must_all_be_ours(tmp_path: Path) -> None:
    async with gated(tmp_path) as gate, gate.client() as client:
        headers = [("Origin", f"http://{HOST}"), ("Origin", "https://evil.example")]
        assert (await client.get("/healthz", headers=headers)).status_code == 403


async def test_a_page_of_the_settings_may_read_answers_and_errors(tmp_path: Path) -> None:
    async with gated(tmp_path, http=http(allowed_origins=(PAGES,))) as gate:
        text, _ = await gate.token()
        async with gate.client(text, headers={"Origin": PAGES}) as client:
            responses = [await client.get("/api/me")]
        async with gate.client(headers={"Origin": PAGES}) as client:
            responses.append(await client.get("/api/me"))
    assert [response.status_code for response in responses] == [200, 401]
    for response in responses:
        assert response.headers["access-control-allow-origin"] == PAGES
        assert response.headers["vary"] == "Origin"
        exposed = response.headers["access-control-expose-headers"]
        assert {"ETag", "WWW-Authenticate", "Mcp-Session-Id"} <= set(exposed.split(", "))
        assert "access-control-allow-credentials" not in response.headers


async def test_a_preflight_is_answered_for_a_page_of_the_settings_alone(tmp_path: Path) -> None:
    asking = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,if-match,mcp-param-x,x-other",
    }
    async with gated(tmp_path, http=http(allowed_origins=(PAGES,))) as gate:
        async with gate.client(headers={"Origin": PAGES, **asking}) as client:
            response = await client.options("/api/notes/n1")
        async with gate.client(headers={"Origin": "https://evil.example", **asking}) as client:
            refused = await client.options("/api/notes/n1")
    assert response.status_code == 204
    assert "PATCH" in response.headers["access-control-allow-methods"]
    allowed = response.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "if-match", "mcp-param-x", "idempotency-key"} <= set(allowed)
    assert "x-other" not in allowed
    assert refused.status_code == 403


async def test_its_own_pages_get_no_cross_origin_permission(tmp_path: Path) -> None:
    async with gated(tmp_path) as gate:
        text, _ = await gate.token()
        async with gate.client(text, headers={"Origin": f"http://{HOST}"}) as client:
            response = await client.get("/api/me")
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:4711, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("192.0.2.1", "203.0.113.7", "192.0.2.1"),
    ],
)
async def test_a_trusted_proxy_is_believed_about_the_last_address_it_saw(
    tmp_path: Path, peer: str, forwarded: str, seen: str
) -> None:
    async with gated(tmp_path, http=http(trusted_proxies=("10.0.0.0/8",))) as gate:
        text, _ = await gate.token()
        headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
        async with gate.client(text, peer=peer, headers=headers) as client:
            told = (await client.get("/api/me")).json()
    assert told["client"] == seen
    assert told["scheme"] == ("http" if peer == "192.0.2.1" else "https")


async def test_a_proxy_that_ends_tls_makes_the_origin_its_own(tmp_path: Path) -> None:
    headers = {"X-Forwarded-Proto": "https", "Origin": f"https://{HOST}"}
    async with gated(tmp_path, http=http(trusted_proxies=("10.0.0.1",))) as gate:
        text, _ = await gate.token()
        async with gate.client(text, peer="10.0.0.1", headers=headers) as client:
            assert (await client.post("/mcp")).status_code == 200
        async with gate.client(text, peer="10.0.0.2", headers=headers) as client:
            assert (await client.post("/mcp")).status_code == 403


def test_a_household_is_an_address_or_what_a_provider_gives_one_customer() -> None:
    assert household_of("203.0.113.7") == "203.0.113.7"
    assert household_of("2001:db8:0:1::7") == household_of("2001:db8:0:1:ffff::9")
    assert household_of("2001:db8:0:1::7") != household_of("2001:db8:0:2::7")
    assert household_of("") == ""


def test_what_the_settings_accept_is_what_the_names_understand() -> None:
    given = {"allowed_hosts": "a.example, [2001:db8::1]:* b.example:8443"}

    def read(name: str, parse: Any, *, default: Any) -> Any:
        return parse(given[name]) if name in given else default

    hosts = Hosts(read_http(read), None)
    assert hosts.admits_host("a.example")
    assert hosts.admits_host("[2001:DB8::1]:77")
    assert hosts.admits_host("b.example:8443")
    assert not hosts.admits_host("[2001:db8::2]:77")
