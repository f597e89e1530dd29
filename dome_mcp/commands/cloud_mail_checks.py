"""The part of a check-up that looks at whom Cloudflare takes mail to; nothing is sent."""

from collections.abc import Mapping, Sequence

from dome_mcp.backends.cloudflare.email import destination_addresses
from dome_mcp.cloudflare_wiring import CloudDrivers
from dome_mcp.core.errors import BackendError
from dome_mcp.core.mail_routes import CloudflareRoute, cloudflare_route
from dome_mcp.services.integrity import Finding
from dome_mcp.settings import Settings

_CHECK = "mail"


async def check_mail(settings: Settings, addresses: Sequence[str]) -> list[Finding]:
    """A finding for each `cloudflare:` address of a channel: whether mail to it will be taken.

    Which domains may send to anybody is known of each domain, not of the account, and is not asked.
    """
    async with CloudDrivers.open(settings) as cloud:
        try:
            known = await destination_addresses(cloud.api)
        except BackendError as error:
            hint = "To have it checked, give the token the permission Email Routing Addresses Read."
            return [Finding(_CHECK, "warning", f"it cannot be checked: {error.message}", hint)]
    sender = settings.cloudflare.email_sender
    routes = [cloudflare_route(address) for address in addresses]
    return [_finding(route, known, sender=sender) for route in routes]


def _finding(route: CloudflareRoute, known: Mapping[str, bool], *, sender: str | None) -> Finding:
    recipient = route.recipient
    if (route.sender or sender) is None:
        words = f"nobody is named who writes to {recipient}"
        return Finding(_CHECK, "problem", words, "Set DOME_EMAIL_SENDER, or add ?from= to it.")
    is_verified = known.get(recipient.lower())
    if is_verified:
        return Finding(_CHECK, "ok", f"{recipient} is a verified destination")
    if is_verified is None:
        return Finding(
            _CHECK,
            "warning",
            f"{recipient} is none of the account's destination addresses",
            "Add it under Email Routing, which is free; without, the sender's domain has to be set "
            "up for sending, on the Workers Paid plan.",
        )
    words = f"{recipient} was not verified by its owner"
    return Finding(
        _CHECK, "problem", words, "Follow the link in Cloudflare's mail to that address."
    )
