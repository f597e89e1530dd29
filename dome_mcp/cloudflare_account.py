"""The account that the settings name, for whoever turns to it: drivers, companion, commands."""

from dome_mcp.backends.cloudflare.http import Account
from dome_mcp.cloudflare_settings import CloudflareSettings


def account_of(cloud: CloudflareSettings) -> Account | None:
    """The account, None where the settings lack its id or a token for it."""
    if cloud.cloudflare_account_id is None or cloud.cloudflare_api_token is None:
        return None
    return Account(
        cloud.cloudflare_account_id, cloud.cloudflare_api_token.value, cloud.cloudflare_base_url
    )
