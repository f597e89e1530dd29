"""The kinds of channels that a Worker can serve, each with its notifier.

The others (the desktop, mail servers, Apprise) are left to the companion of a machine.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from dome_mcp.backends.embedded.notify.ntfy import NtfyNotifier
from dome_mcp.backends.embedded.notify.pushes import WebPushNotifier
from dome_mcp.backends.embedded.notify.routed_mail import RoutedMail
from dome_mcp.backends.embedded.notify.slack import SlackNotifier
from dome_mcp.backends.embedded.notify.webhook import WebhookNotifier
from dome_mcp.core.ports import Notifier
from worker_companions.fetching import TIMEOUT_SECONDS, FetchPoster
from worker_companions.mailing import BindingMail, OutOfReach
from worker_companions.pushing import CryptoSeal


def worker_notifiers(
    env: Any, clock: Callable[[], datetime], *, timeout_seconds: float = TIMEOUT_SECONDS
) -> Mapping[str, Notifier]:
    """The notifiers by kind, as far as `env` has what they need.

    Mail needs the binding `EMAIL`, Web Push the secret `DOME_VAPID_KEY`; `DOME_EMAIL_SENDER` is
    who writes where a channel's address does not say.
    """
    poster = FetchPoster(timeout_seconds=timeout_seconds)
    sender = getattr(env, "DOME_EMAIL_SENDER", None)
    has_binding = getattr(env, "EMAIL", None) is not None
    by_binding = BindingMail(sender=sender, timeout_seconds=timeout_seconds)
    served: list[Notifier] = [
        WebhookNotifier(poster, clock=clock),
        NtfyNotifier(poster),
        SlackNotifier(poster),
        RoutedMail(OutOfReach(), by_binding if has_binding else OutOfReach()),
    ]
    if pem := getattr(env, "DOME_VAPID_KEY", None):
        served.append(WebPushNotifier(poster, CryptoSeal(pem, clock=clock)))
    return {notifier.kind: notifier for notifier in served}
