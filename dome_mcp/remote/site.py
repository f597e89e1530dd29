"""The page for people: a few static files, which run nothing but themselves.

The address of a file holds a digest of all of them, so that browsers keep what they have for good
and never mix two versions. The files name each other by relative addresses and need no build.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

FOLDER = Path(__file__).parent / "page"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "frame-src blob:",
        "manifest-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Nothing but our own files runs or is called, and no text can be made into markup."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Vary": "Accept-Encoding",
}

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_INDEX = "index.html"
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is sent; `etag` is that of the plain bytes, `zipped` holds the same ones."""

    content_type: str
    plain: bytes
    zipped: bytes
    etag: str

    @classmethod
    def of(cls, name: str, content: bytes) -> "_File":
        digest = hashlib.sha256(content).hexdigest()[:16]
        zipped = gzip.compress(content, mtime=0)
        return cls(_TYPES[Path(name).suffix], content, zipped, f'W/"{digest}"')


def routes() -> list[BaseRoute]:
    """The routes of the page: `/`, and its files under `/assets/`."""
    contents = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir())}
    version = _version(contents)
    index = contents.pop(_INDEX).replace(b'"assets/', f'"assets/{version}/'.encode())
    page = _File.of(_INDEX, index)
    files = {name: _File.of(name, content) for name, content in contents.items()}

    async def send_page(request: Request) -> Response:
        return _sent(page, request, cache=_ASK_EACH_TIME)

    async def send_asset(request: Request) -> Response:
        found = files.get(request.path_params["name"])
        if found is None or request.path_params["version"] != version:
            return Response("There is no such file.", 404, {**HEADERS, "Cache-Control": "no-store"})
        return _sent(found, request, cache=_FOR_GOOD)

    return [Route("/", send_page), Route("/assets/{version}/{name}", send_asset)]


def _version(contents: Mapping[str, bytes]) -> str:
    """A digest of all files, which changes with any of them."""
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


def _sent(file: _File, request: Request, *, cache: str) -> Response:
    headers = {**HEADERS, "Cache-Control": cache, "ETag": file.etag}
    if file.etag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = file.content_type
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return Response(file.zipped, headers={**headers, "Content-Encoding": "gzip"})
    return Response(file.plain, headers=headers)
