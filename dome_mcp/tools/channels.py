"""Channels as programs read them: who is reached, and nothing that lets another in."""

from typing import NotRequired

# The standard library's TypedDict lacks what pydantic needs of it before Python 3.12.
from typing_extensions import TypedDict

from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import masked, may_be_private
from dome_mcp.services.channels import ChannelHealth


class ChannelResult(TypedDict):
    """A channel; `reaches` is its address, masked, and `last_error` why its last notice failed.

    `digest` is the time of day at which it sends the daily digest, None where it sends none.
    """

    name: str
    kind: str
    reaches: str
    is_default: bool
    allow_private: bool
    last_error: NotRequired[str | None]
    digest: NotRequired[str | None]


def health_result(health: ChannelHealth) -> ChannelResult:
    """The channel as it is listed."""
    digest = health.digest.isoformat("minutes") if health.digest else None
    return {
        **channel_result(health.channel),
        "last_error": health.last_error,
        "digest": digest,
    }


def channel_result(channel: Channel) -> ChannelResult:
    """The channel without its secrets."""
    return {
        "name": channel.name,
        "kind": channel.kind,
        "reaches": masked(channel),
        "is_default": channel.is_default,
        "allow_private": may_be_private(channel),
    }
