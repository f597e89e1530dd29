"""The ways to reach a user: adding, listing and removing them, and finding one by its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import DESKTOP, checked, clean_name, desktop_channel
from dome_mcp.core.digest import digest_id
from dome_mcp.core.errors import Conflict, NotFound
from dome_mcp.core.ports import Ports
from dome_mcp.store import channels as store
from dome_mcp.store import digests
from dome_mcp.store.notes import optional, to_int
from dome_mcp.store.reminders import to_reminder


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """A channel, and why its last notice failed for good; None where it did not.

    `digest` is the time of day at which it sends a digest, None where it sends none.
    """

    channel: Channel
    last_error: str | None
    digest: time | None = None


async def add_channel(
    channel: Channel,
    ports: Ports,
    *,
    user_id: str,
    now: datetime,
    allow_private: bool,
    replaces: bool = False,
) -> Channel:
    """Stores a channel of the user and returns it as stored.

    `allow_private` is the user's word that its address may be in a private network. The shell has
    looked the address up before; the notifier does so again at every notice.

    Raises:
        InvalidInput: the name or the address cannot be one.
        Conflict: there is a channel with this name, and it is not to be replaced.
    """
    stored = checked(channel, allow_private=allow_private)
    if stored.user_id != user_id:
        raise Conflict("The channel is another user's.", "Add it as that user.")
    rows = await ports.database.query(store.insert_channel(stored, now=now, replaces=replaces))
    if not rows:
        raise Conflict(
            f"There is a channel {stored.name!r} already.",
            "Send another name, have it replaced (--replace), or remove it first.",
        )
    return stored


async def list_channels(ports: Ports, *, user_id: str) -> tuple[ChannelHealth, ...]:
    """The user's channels, by name."""
    found, failed, sent_daily = await ports.database.batch(
        [store.channels_of(user_id), store.failures(user_id), digests.digests_of(user_id)]
    )
    errors = {str(row["name"]): optional(row["last_error"]) for row in failed}
    times = {
        name: digest.schedule.start.time()
        for digest in map(to_reminder, sent_daily)
        for name in digest.channels
    }
    return tuple(
        ChannelHealth(channel, errors.get(channel.name), times.get(channel.name))
        for channel in map(store.to_channel, found)
    )


async def default_channels(ports: Ports, *, user_id: str) -> tuple[Channel, ...]:
    """The channels of a reminder that names none; empty where the user has set up none."""
    rows = await ports.database.query(store.default_channels(user_id))
    return tuple(store.to_channel(row) for row in rows)


async def channel_named(name: str, ports: Ports, *, user_id: str) -> Channel:
    """The user's channel with this name; `desktop` is there without being added.

    Raises:
        NotFound: there is none; the hint lists those there are.
    """
    wanted = name.strip().lower()
    rows = await ports.database.query(store.channels_of(user_id))
    channels = {str(row["name"]): store.to_channel(row) for row in rows}
    if wanted in channels:
        return channels[wanted]
    if wanted == DESKTOP:
        return desktop_channel(user_id)
    raise NotFound("channel", name[:60], _offer(sorted({*channels, DESKTOP})))


async def remove_channel(name: str, ports: Ports, *, user_id: str, now: datetime) -> int:
    """Removes a channel, with its digest, and returns how many active reminders still name it.

    Raises:
        NotFound: there is none.
    """
    cleaned = clean_name(name)
    removed, _, counted = await ports.database.batch(
        [
            store.delete_channel(cleaned, user_id),
            digests.end_digest(digest_id(cleaned, user_id=user_id), user_id, now=now),
            store.reminders_naming(cleaned, user_id),
        ]
    )
    if not removed:
        raise NotFound("channel", cleaned, "See `dome-mcp channel list` for those there are.")
    return to_int(counted[0]["reminders"])


def _offer(names: Sequence[str]) -> str:
    return (
        f"Send one of: {', '.join(names)}. The user adds another with "
        "`dome-mcp channel add`, in a terminal."
    )
