"""The pages behind the links in a notice.

Looking (GET) changes nothing, because mail scanners and link previews look at everything; only the
button (POST) does. The pages need no JavaScript and load nothing.
"""

import base64
import hashlib
import html
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from dome_mcp.core.agenda import Action, Firing
from dome_mcp.core.errors import BackendError, Conflict, DomeError, Forbidden, NotFound
from dome_mcp.core.links import LinkVerb, sign, verify
from dome_mcp.core.ports import Database, Ports
from dome_mcp.core.timestamps import to_ms
from dome_mcp.services.actions import LINK_LIFETIME, Offer, offered, perform
from dome_mcp.store import meta

PREFIX = "/link/"
"""What the path of a link has before its token."""

_SECRET_BYTES = 32

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LABELS: Mapping[LinkVerb, str] = {"done": "Done", "snooze": "Snooze 1 h"}
_STYLE = """\
body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:12vh auto;padding:0 1.5rem}
button{font:inherit;padding:.6rem 1.6rem}small{color:#666}"""

_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title><style>{style}</style></head>
<body><h1>{title}</h1>{body}</body>
</html>
"""

_STATUS: tuple[tuple[type[DomeError], int], ...] = (
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (BackendError, 503),
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What a browser asks; `host` is its Host header, a query counts as part of the path."""

    method: str
    path: str
    host: str


@dataclass(frozen=True, slots=True)
class Page:
    """An answer, whole."""

    status: int
    html: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class LinkPages:
    """Makes the links of notices, and answers those who follow them."""

    ports: Ports
    secret: bytes
    clock: Callable[[], datetime]
    public_url: str | None = None

    def actions(self, firing: Firing, *, base_url: str) -> tuple[Action, ...]:
        """The links of a notice, which lead to `base_url`."""
        return notice_actions(firing, secret=self.secret, base_url=base_url)

    async def answer(self, request: Request) -> Page:
        """The page for a request, whatever goes wrong."""
        if not self._is_ours(request.host):
            return refusal(421, "This is another address than the link's.")
        _, is_link, token = request.path.rpartition(PREFIX)
        if not is_link or request.method not in ("GET", "HEAD", "POST"):
            return refusal(404, "There is nothing here.")
        try:
            return await self._link(token, is_pressed=request.method == "POST")
        except DomeError as error:
            return refusal(_status(error), str(error))
        except Exception:  # noqa: BLE001  one request must not end the companion
            reference = secrets.token_hex(4)
            _log.exception("a link failed, reference %s", reference)
            return refusal(500, f"Something went wrong, reference {reference}.")

    async def _link(self, token: str, *, is_pressed: bool) -> Page:
        now = self.clock()
        link = verify(self.secret, token, now=now)
        if is_pressed:
            sentence = await perform(link, self.ports, now=now)
            return page(200, _LABELS[link.action], _paragraph(sentence))
        offer = await offered(link, self.ports)
        return page(200, _LABELS[link.action], _question(offer, _LABELS[link.action]))

    def _is_ours(self, host: str) -> bool:
        """Whether the browser means us: any page can have a name of its own lead here."""
        name = urlsplit(f"//{host}").hostname
        return name in _LOOPBACK or (
            self.public_url is not None and name == urlsplit(self.public_url).hostname
        )


def notice_actions(firing: Firing, *, secret: bytes, base_url: str) -> tuple[Action, ...]:
    """The links of a notice, signed with `secret`, which lead to `base_url`."""
    return tuple(
        Action(label, f"{base_url}{PREFIX}{_token(verb, firing, secret)}")
        for verb, label in _LABELS.items()
    )


async def link_secret(database: Database) -> bytes:
    """The secret of this database's links: made by whoever needs it first, the same for all."""
    await database.query(meta.set_fact_once(meta.LINK_SECRET, secrets.token_hex(_SECRET_BYTES)))
    return bytes.fromhex(await meta.fact(database, meta.LINK_SECRET) or "")


def page(status: int, title: str, body: str) -> Page:
    """A page of HTML; `title` is text, `body` is markup."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        ),
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    text = _PAGE.format(title=html.escape(title), style=_STYLE, body=body)
    return Page(status, text, headers)


def refusal(status: int, reason: str) -> Page:
    """The page for a request that leads nowhere."""
    return page(status, "Not possible", _paragraph(reason))


def _token(verb: LinkVerb, firing: Firing, secret: bytes) -> str:
    return sign(
        secret,
        verb,
        user_id=firing.user_id,
        reminder_id=firing.reminder_id,
        due_at_ms=to_ms(firing.due_at),
        expires_at=firing.fired_at + LINK_LIFETIME,
    )


def _question(offer: Offer, label: str) -> str:
    """What the link is about, and the button; the form goes to the page's own address."""
    button = f"<button>{html.escape(label)}</button>"
    return (
        f"<p>{html.escape(offer.text)}</p><p><small>{html.escape(offer.when)}</small></p>"
        f'<form method="post">{button}</form>'
    )


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _status(error: DomeError) -> int:
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 500
