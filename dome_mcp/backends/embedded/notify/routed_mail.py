"""E-mail by whichever way a channel's address names."""

from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.channels import PUBLIC_ONLY, option
from dome_mcp.core.errors import DeliveryFailed
from dome_mcp.core.mail_routes import is_by_cloudflare
from dome_mcp.core.ports import Notifier


class RoutedMail:
    """The `Notifier` of e-mail: by the user's mail server, or by Cloudflare with an account.

    The account is the owner's: nobody else's channel may write letters on it.
    """

    kind = "email"

    def __init__(self, by_server: Notifier, by_cloudflare: Notifier | None) -> None:
        self._by_server = by_server
        self._by_cloudflare = by_cloudflare

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`."""
        if not is_by_cloudflare(channel.address):
            return await self._by_server.notify(notice, channel, idempotency_key=idempotency_key)
        if option(channel, PUBLIC_ONLY):
            raise DeliveryFailed(
                "Mail by Cloudflare is for this machine's owner.",
                "Add a channel with a mail server of your own.",
                retryable=False,
            )
        if self._by_cloudflare is None:
            raise DeliveryFailed(
                "No Cloudflare account is set up here.",
                "Set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN.",
                retryable=True,
            )
        return await self._by_cloudflare.notify(notice, channel, idempotency_key=idempotency_key)
