"""What strangers and pages from elsewhere have been able to do to servers of this kind: have them
fetch from their own network, answer to another name, take a token meant for somebody else, or run
what a user stored.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from dome_mcp.core.access import SCOPES
from dome_mcp.http_settings import HttpSettings
from tests.remote.attacked_site import SECRET, Site, finished, site
from tests.remote.endpoint_for_tests import TRANSPORTS, WORK, running_endpoint
from tests.remote.two_users import belongings
from tests.simulators.webhook_sink import Answer, WebhookSink, running_webhook_sink
from tests.sources.conftest import server, start_server
from tests.sources.web_server import Page, WebServer

__all__ = ["server", "site", "start_server"]

pytestmark = pytest.mark.anyio

PRIVATE_URLS = (
    "http://127.0.0.1:{port}/page",
    "http://localhost:{port}/page",
    "http://[::1]:{port}/page",
    "http://[::ffff:127.0.0.1]:{port}/page",
    "http://[64:ff9b::7f00:1]:{port}/page",
    "http://2130706433:{port}/page",
    "http://0x7f.1:{port}/page",
    "http://0177.0.0.1:{port}/page",
    "http://127.1:{port}/page",
    "http://0.0.0.0:{port}/page",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://[fd00:ec2::254]/latest/meta-data/",
)


async def test_a_url_never_leads_to_the_machine_or_its_network(
    site: Site, server: WebServer
) -> None:
    addresses = [url.format(port=server.server_port) for url in PRIVATE_URLS]
    async with site.endpoint.mcp("modern", site.writing_token) as client:
        for address in addresses:
            refused = await client.call_tool("ingest", {"url": address})
            assert refused.is_error, address
            told = refused.model_dump_json()
            assert "not on the public Internet" in told or "Send https://" in told, address
    for address in addresses:
        accepted = await site.writer.post("/api/ingest", json={"url": address})
        assert accepted.status_code == 202, (address, accepted.text)
        job = await finished(accepted.headers["location"], site.writer)
        assert job["state"] == "failed", address
        assert job["problem"]["status"] in (403, 422), address
    assert server.requests == []


async def test_a_webhook_that_answers_with_a_redirect_is_not_followed(site: Site) -> None:
    token = await site.endpoint.token("ann", *WORK, "admin")
    with running_webhook_sink() as outside, running_webhook_sink() as inside:
        outside.answer_all(Answer(307, headers={"Location": inside.url("/admin")}))
        hook = {"name": "hook", "kind": "webhook", "allow_private": True}
        async with site.endpoint.http(token) as admin:
            added = await admin.post("/api/channels", json={**hook, "address": outside.url("/in")})
            assert added.status_code == 201, added.text
            tried = (await admin.post("/api/channels/hook/test")).json()
        assert "has moved" in tried["error"]["message"]
        assert len(outside.posted) == 1
        assert inside.posted == []


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with running_webhook_sink() as running:
        yield running


async def test_a_webhook_never_leads_to_the_machine_without_admin(
    site: Site, sink: WebhookSink
) -> None:
    hook = {"name": "hook", "kind": "webhook"}
    hosts = ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433")
    ways = (("https", {}), ("http", {}), ("http", {"allow_private": True}))
    for host, (scheme, more) in product(hosts, ways):
        address = f"{scheme}://{host}:{sink.server_port}/in"
        refused = await site.writer.post("/api/channels", json={**hook, **more, "address": address})
        assert refused.status_code in (403, 422)
    assert (await site.writer.post("/api/channels/hook/test")).status_code == 404
    assert sink.posted == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_caller_from_the_network_reads_no_file_of_the_machine(
    site: Site, transport: str, tmp_path: Path
) -> None:
    file = tmp_path / "secrets.txt"
    file.write_text("The password is xyzzy.")
    async with site.endpoint.mcp(transport, site.writing_token) as client:
        for path in (str(file), file.as_uri(), f"{tmp_path}/home/../secrets.txt", "/etc/passwd"):
            for call in ({"path": path}, {"url": path}, {"url": f"file://{path}"}):
                refused = await client.call_tool("ingest", call)
                assert refused.is_error, call
                assert "xyzzy" not in refused.model_dump_json()
    body = {"path": str(file)}
    assert (await site.writer.post("/api/ingest", json=body)).status_code == 422
    found = await site.writer.get("/api/search", params={"q": "xyzzy"})
    assert "xyzzy" not in found.text


ADDRESSES = ("/", "/healthz", "/api/docs", "/api/me", "/mcp", "/sse", "/messages/", "/metrics")


async def test_a_name_that_was_made_to_lead_here_is_not_answered(site: Site) -> None:
    hosts = ("evil.example", "127.0.0.1.evil.example", "evil.example:80", "")
    for host, path in product(hosts, ADDRESSES):
        refused = await site.writer.get(path, headers={"Host": host})
        assert refused.status_code in (400, 421), (host, path)
        assert SECRET not in refused.text


async def test_a_page_from_elsewhere_is_not_answered_and_learns_nothing(site: Site) -> None:
    before = await belongings("ann", site.endpoint)
    origins = ("https://evil.example", "null", "http://127.0.0.1.evil.example", "file://")
    for origin, path, method in product(origins, ADDRESSES, ("GET", "POST", "OPTIONS")):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        refused = await site.writer.request(method, path, headers=headers)
        assert refused.status_code == 403, (origin, method, path)
        assert "access-control-allow-origin" not in refused.headers
    assert await belongings("ann", site.endpoint) == before


async def test_a_token_in_the_address_opens_nothing(site: Site) -> None:
    parameters = ("access_token", "token", "api_key", "authorization")
    for parameter, path in product(parameters, ("/api/me", "/mcp", "/sse", "/metrics")):
        query = {parameter: site.writing_token}
        refused = await site.stranger.get(path, params=query)
        assert refused.status_code in (400, 401), path
        assert site.writing_token not in refused.text
        doubled = await site.writer.get(path, params=query)
        assert doubled.status_code == 400, path


async def test_a_token_of_another_audience_opens_nothing(tmp_path: Path, server: WebServer) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    issuer = f"http://127.0.0.1:{server.server_port}"
    publish(server, issuer, key)
    http = HttpSettings(
        oidc_issuer=issuer, oidc_audience="https://dome.example/mcp", oidc_signup=True
    )
    async with running_endpoint(tmp_path / "home", http=http) as endpoint:
        cases = [
            ("https://dome.example/mcp", 200),
            ("https://other.example/mcp", 401),
            ("https://dome.example", 401),
            (None, 401),
        ]
        for audience, status in cases:
            async with endpoint.http(signed(key, issuer, audience)) as client:
                assert (await client.get("/api/me")).status_code == status, audience


def publish(server: WebServer, issuer: str, key: rsa.RSAPrivateKey) -> None:
    """Has the web server be an issuer of tokens."""
    jwk = {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": "k1", "alg": "RS256"}
    about = {"issuer": issuer, "jwks_uri": f"{issuer}/jwks"}
    json_headers = {"Content-Type": "application/json"}
    server.pages["/.well-known/openid-configuration"] = Page(
        json.dumps(about).encode(), headers=json_headers
    )
    server.pages["/jwks"] = Page(json.dumps({"keys": [jwk]}).encode(), headers=json_headers)


def signed(key: rsa.RSAPrivateKey, issuer: str, audience: str | None) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": issuer,
        "sub": "ann@example.org",
        "scope": " ".join(SCOPES),
        "client_id": "laptop",
        "iat": now,
        "exp": now + timedelta(minutes=5),
        **({"aud": audience} if audience else {}),
    }
    return jwt.encode(claims, key, "RS256", headers={"kid": "k1", "typ": "at+jwt"})


@pytest.mark.parametrize(
    ("filename", "media_type", "content"),
    [
        ("page.html", "text/html", b"<script>alert(document.domain)</script>Hello there."),
        ("note.md", "text/markdown", b"<img src=x onerror=alert(1)> Hello there."),
    ],
)
async def test_a_stored_page_never_runs_as_ours(
    site: Site, filename: str, media_type: str, content: bytes
) -> None:
    files = {"file": (filename, content, media_type)}
    note = (await site.writer.post("/api/ingest", files=files)).json()
    original = await site.writer.get(f"/api/notes/{note['note_id']}/original")
    assert original.content == content
    headers = original.headers
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    # And nobody else's page may so much as ask: there is no cookie, only the token.
    assert "set-cookie" not in headers
    assert "access-control-allow-origin" not in headers


async def test_the_page_of_ours_runs_nothing_but_its_own_files(site: Site) -> None:
    policy = (await site.stranger.get("/")).headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
