"""Which companion a notice waits for where the one at hand cannot send it, in words for users."""

from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import DESKTOP
from dome_mcp.core.mail_routes import is_by_cloudflare

AWAITING = "Waits for a companion "
"""What every such text begins with; a delivery's `last_error` is told from a refusal by it."""

_RUN = "run `dome-mcp companion run`"


def awaited(channel: Channel) -> str:
    """What is missing, and how it comes to be there."""
    if channel.kind == DESKTOP:
        return f"{AWAITING}on a machine with a desktop: {_RUN} there."
    if channel.kind == "email":
        if is_by_cloudflare(channel.address):
            return f"{AWAITING}that sends mail by Cloudflare: {_RUN} where the account is set up."
        return f"{AWAITING}that reaches the mail server: {_RUN} on a machine of yours."
    return f"{AWAITING}that can send by {channel.kind}: {_RUN} on a machine of yours."
