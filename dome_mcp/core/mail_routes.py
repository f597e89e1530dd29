"""The addresses of e-mail channels: the user's own mail server, or Cloudflare's Email Service.

| address | who takes the mail |
| --- | --- |
| `smtp://user:password@host:port?from=…&to=…&tls=starttls` | that server |
| `cloudflare:me@example.org?from=dome@example.com` | the Cloudflare account of the settings |

No message here repeats an address.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from dome_mcp.core.errors import InvalidInput

CLOUDFLARE = "cloudflare"
"""The scheme of an address whose mail Cloudflare takes."""

_MAILBOX = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")
_TLS_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_EXAMPLE = (
    "Send smtp://user:password@mail.example.com:587?from=me@example.com&to=me@example.com, with "
    "%40 for an @ in the user name, or cloudflare:me@example.org?from=dome@example.com."
)


@dataclass(frozen=True, slots=True)
class MailRoute:
    """Where mail is handed in, from whom and to whom; `tls` is `starttls`, `tls` or `none`."""

    host: str
    port: int
    tls: str
    sender: str
    recipient: str
    user: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class CloudflareRoute:
    """To whom Cloudflare sends the mail; a `sender` of None leaves it to the settings."""

    recipient: str
    sender: str | None = None


def is_by_cloudflare(address: str) -> bool:
    """Whether the address of an e-mail channel is for Cloudflare rather than for a mail server."""
    return address.partition(":")[0].lower() == CLOUDFLARE


def check_mail_address(address: str) -> None:
    """Raises for what is no address of an e-mail channel, of either form.

    Raises:
        InvalidInput: see `mail_route` and `cloudflare_route`.
    """
    if is_by_cloudflare(address):
        cloudflare_route(address)
    else:
        mail_route(address)


def masked_mail(address: str) -> str:
    """Who is reached and by whom, without the password."""
    if is_by_cloudflare(address):
        return f"{cloudflare_route(address).recipient} by Cloudflare"
    route = mail_route(address)
    return f"{route.recipient} by {route.host}:{route.port}"


def mail_route(address: str) -> MailRoute:
    """The parts of an `smtp://` (or `smtps://`) address.

    Raises:
        InvalidInput: it is none, names no recipient, or would send a password in the clear.
    """
    parts = _split(address)
    query = _query(parts, "from", "to", "tls")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise _not_an_address()
    tls = query.get("tls", "tls" if parts.scheme == "smtps" or parts.port == 465 else "starttls")
    if tls not in _TLS_PORTS:
        raise InvalidInput("The mail server's tls is unknown.", "Send tls=starttls, tls or none.")
    user = unquote(parts.username) if parts.username else None
    route = MailRoute(
        host=parts.hostname,
        port=parts.port or _TLS_PORTS[tls],
        tls=tls,
        sender=query.get("from", user or ""),
        recipient=query.get("to", ""),
        user=user,
        password=unquote(parts.password) if parts.password else None,
    )
    _check_mailboxes(route.sender, route.recipient)
    if route.tls == "none" and route.password and not _is_loopback(route.host):
        raise InvalidInput(
            "Without TLS the password would be sent in the clear.", "Send tls=starttls or tls=tls."
        )
    return route


def cloudflare_route(address: str) -> CloudflareRoute:
    """The parts of a `cloudflare:` address.

    Raises:
        InvalidInput: it is none, or names no recipient.
    """
    parts = _split(address)
    query = _query(parts, "from")
    if parts.scheme != CLOUDFLARE or parts.netloc or parts.fragment:
        raise _not_an_address()
    route = CloudflareRoute(recipient=unquote(parts.path), sender=query.get("from"))
    _check_mailboxes(*(each for each in (route.sender, route.recipient) if each is not None))
    return route


def _check_mailboxes(*mailboxes: str) -> None:
    if not all(_MAILBOX.fullmatch(each) for each in mailboxes):
        raise InvalidInput(
            "The mail channel needs one address to send from and one to send to.", _EXAMPLE
        )


def _query(parts: SplitResult, *known: str) -> dict[str, str]:
    """The last value of each parameter.

    Raises:
        InvalidInput: there is one besides the known ones.
    """
    query = parse_qs(parts.query, keep_blank_values=True)
    if not set(query) <= set(known):
        raise _not_an_address()
    return {name: values[-1] for name, values in query.items()}


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port  # Read here, because this is what finds a port that is no number.
    except ValueError as error:
        raise _not_an_address() from error
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _not_an_address() -> InvalidInput:
    return InvalidInput("This is not the address of an email channel.", _EXAMPLE)
