"""Any service that Apprise knows, through Apprise."""

import importlib
from types import ModuleType
from typing import Any

import anyio
import anyio.to_thread

from dome_mcp.backends.embedded.notify.wording import details, headline, plain
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.errors import DeliveryFailed

_TITLE = 150
_MAX_THREADS = 10
EXTRA_HINT = 'Install it: pip install "dome-mcp[channels]"'


class AppriseNotifier:
    """Hands the notice to Apprise, which cuts it to what the service takes.

    Apprise has no place for a key, and says only whether it went well.
    """

    kind = "apprise"

    def __init__(self, *, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        # Its own threads: servers that hang must not take those that others wait for.
        self._threads = anyio.CapacityLimiter(_MAX_THREADS)

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`."""
        title = headline(notice, _TITLE)
        links = (f"{plain(action.label)}: {action.url}" for action in notice.actions)
        body = "\n".join((details(notice, after=title), *links)).strip()
        try:
            with anyio.fail_after(self._timeout_seconds * 3):
                is_sent = await anyio.to_thread.run_sync(
                    _send,
                    channel.address,
                    title,
                    body or title,
                    abandon_on_cancel=True,
                    limiter=self._threads,
                )
        except TimeoutError as error:
            raise DeliveryFailed("The service did not answer in time.", retryable=True) from error
        if not is_sent:
            raise DeliveryFailed(
                "The service refused the notice or cannot be reached.",
                "Check the channel with `dome-mcp channel test`.",
                retryable=True,
            )
        return "sent"


def require_apprise_url(address: str) -> None:
    """Returns for a URL that Apprise understands.

    Raises:
        DeliveryFailed: it does not, or Apprise is not installed.
    """
    _service(address)


def _send(address: str, title: str, body: str) -> bool:
    # Escapes are for a command line; a reminder is text as it stands.
    return bool(
        _service(address).notify(
            title=title, body=body, body_format="text", interpret_escapes=False
        )
    )


def _service(address: str) -> Any:  # Apprise's own class, which is not there to name
    service = _apprise().Apprise()
    if not service.add(address):
        raise DeliveryFailed(
            "Apprise does not know this kind of URL, or something in it is missing.",
            "See https://github.com/caronc/apprise/wiki for the URL of your service.",
            retryable=False,
        )
    return service


def _apprise() -> ModuleType:
    """Apprise, imported at the first notice that needs it: it costs half a second."""
    try:
        return importlib.import_module("apprise")
    except ImportError as error:
        raise DeliveryFailed(
            "This channel needs Apprise, which is not installed.", EXTRA_HINT, retryable=False
        ) from error
