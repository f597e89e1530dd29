"""What the head of every answer says, whoever made the answer."""

from starlette.types import Message

ALLOWED_HEADERS = (
    "Authorization, Content-Type, Accept, If-Match, If-None-Match, Idempotency-Key, Prefer, "
    "Last-Event-ID, Mcp-Session-Id, Mcp-Protocol-Version, Mcp-Method, Mcp-Name"
)
"""What pages of the listed origins may send. Names that begin with `Mcp-` are allowed as asked."""
EXPOSED_HEADERS = (
    "ETag, Location, Retry-After, Mcp-Session-Id, WWW-Authenticate, X-Request-Id, "
    "Idempotent-Replayed, Content-Disposition"
)
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_PREFLIGHT_SECONDS = 600

_DEFAULTS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    # What a page elsewhere embeds, the browser fetches without an Origin.
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NOT_STORED = (b"cache-control", b"no-store")
_BANNER = b"server"


class Dress:
    """Completes the heads of one request's answer.

    `reader` is the origin whose pages may read it, None where there is none. The application's own
    headers win, but for what names the software.
    """

    def __init__(self, *, request_id: str, reader: str | None, is_private: bool) -> None:
        self.is_worn = False
        """Whether the answer has begun."""
        self._added = [(b"x-request-id", request_id.encode())]
        if reader is not None:
            self._added += [
                (b"access-control-allow-origin", reader.encode("latin-1")),
                (b"access-control-expose-headers", EXPOSED_HEADERS.encode()),
                (b"vary", b"Origin"),
            ]
        self._defaults = (*_DEFAULTS, _NOT_STORED) if is_private else _DEFAULTS

    def __call__(self, message: Message) -> None:
        """Changes the head in place."""
        self.is_worn = True
        headers = [each for each in message.get("headers", ()) if each[0].lower() != _BANNER]
        present = {name.lower() for name, _ in headers}
        headers += [each for each in self._defaults if each[0] not in present]
        message["headers"] = headers + self._added


def preflight_headers(asked: str) -> dict[str, str]:
    """The answer to a page that asks beforehand whether it may send a request with such headers."""
    names = [name.strip() for name in asked.lower().split(",")]
    ours = [name for name in names if name.startswith("mcp-") and name.isascii()]
    return {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": ", ".join([ALLOWED_HEADERS, *ours]),
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }
