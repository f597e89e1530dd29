"""All notifiers, by the kind of channel they serve."""

import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dome_mcp.backends.embedded.notify.apprise import AppriseNotifier
from dome_mcp.backends.embedded.notify.desktop import DesktopNotifier
from dome_mcp.backends.embedded.notify.email import EmailNotifier, LookUp
from dome_mcp.backends.embedded.notify.ntfy import NtfyNotifier
from dome_mcp.backends.embedded.notify.posting import Connect, Poster
from dome_mcp.backends.embedded.notify.pushes import WebPushNotifier
from dome_mcp.backends.embedded.notify.routed_mail import RoutedMail
from dome_mcp.backends.embedded.notify.slack import SlackNotifier
from dome_mcp.backends.embedded.notify.webhook import WebhookNotifier
from dome_mcp.backends.embedded.notify.webpush import VapidSeal
from dome_mcp.core.ports import Notifier

# Their records repeat whole addresses, and with them what lets one in.
_INDISCREET = ("httpx", "httpcore", "urllib3", "requests", "apprise")


@dataclass(frozen=True, slots=True)
class NotifyOptions:
    """What notifiers need to know.

    `connect` makes a transport for HTTP, which goes to private addresses only where it is called
    with True; `look_up` gives the addresses of a host that has only public ones; `variables` names
    the desktop session; `tls` is what mail servers' certificates are checked with, None for the
    machine's trusted authorities; `by_cloudflare` takes the mail of `cloudflare:` addresses, None
    where no account is set up.
    """

    home: Path
    clock: Callable[[], datetime]
    connect: Connect
    look_up: LookUp
    platform: str
    variables: Mapping[str, str]
    allow_private: bool = False
    timeout_seconds: float = 15.0
    tls: ssl.SSLContext | None = None
    by_cloudflare: Notifier | None = None


def notifiers(options: NotifyOptions) -> Mapping[str, Notifier]:
    """A notifier for each kind of channel that works here: no desktop, no notifier for it.

    Making them opens nothing, and imports nothing heavy.
    """
    for name in _INDISCREET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    seconds, clock = options.timeout_seconds, options.clock
    poster = Poster(options.connect, timeout_seconds=seconds, allow_private=options.allow_private)
    desktop = DesktopNotifier(options.platform, options.variables, timeout_seconds=seconds)
    smtp = EmailNotifier(
        clock=clock, timeout_seconds=seconds, look_up=options.look_up, tls=options.tls
    )
    every: list[Notifier] = [
        RoutedMail(smtp, options.by_cloudflare),
        SlackNotifier(poster),
        NtfyNotifier(poster),
        WebhookNotifier(poster, clock=clock),
        WebPushNotifier(poster, VapidSeal(options.home, clock=clock)),
        AppriseNotifier(timeout_seconds=seconds),
    ]
    if desktop.is_available():
        every.append(desktop)
    return {notifier.kind: notifier for notifier in every}
