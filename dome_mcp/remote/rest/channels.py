"""Channels over REST: the ways by which reminders reach the user."""

import json
from dataclasses import replace
from typing import Annotated, Literal, NotRequired

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from typing_extensions import TypedDict

from dome_mcp.app import Dome
from dome_mcp.channel_trials import try_channel, with_secret
from dome_mcp.core.access import Principal
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import CONTACT, DESKTOP, EVENTS, PUBLIC_ONLY, SECRET, TOKEN, option
from dome_mcp.core.digest import time_of_day
from dome_mcp.core.errors import Forbidden, InvalidInput
from dome_mcp.remote.rest.repeating import DomeRoute
from dome_mcp.remote.rest.shapes import Sent
from dome_mcp.remote.rest.surroundings import Here
from dome_mcp.remote.rest.tasks import Reading, Writing
from dome_mcp.services import channels as service
from dome_mcp.services.digest import end_digest, set_digest
from dome_mcp.tools.channels import ChannelResult, channel_result, health_result

router = APIRouter(prefix="/channels", route_class=DomeRoute, tags=["channels"])

Kind = Literal["desktop", "email", "slack", "ntfy", "webhook", "webpush", "apprise"]

_OF_THE_MACHINE = frozenset({DESKTOP, "apprise"})
"""The kinds that reach into the machine, or connect by a library that checks no address."""


_DIGEST = "When it sends the day in short, every day in your time zone; null: it sends none."


class Keys(BaseModel):
    """What a push to the browser is encrypted with."""

    model_config = ConfigDict(extra="ignore")

    p256dh: str
    auth: str


class Subscription(BaseModel):
    """A PushSubscription as the browser's `toJSON` gives it."""

    model_config = ConfigDict(extra="ignore")

    endpoint: str
    keys: Keys


class ChannelDraft(Sent):
    """A channel to add; `address` as docs/channels.md has it for the kind."""

    name: str
    kind: Kind
    address: Annotated[
        str | Subscription, Field(description="For webpush, a PushSubscription.")
    ] = ""
    token: Annotated[str | None, Field(description="Of ntfy: the server's access token.")] = None
    events: Annotated[
        str | None, Field(description="Of webhook: what else it hears of: ingestion_complete.")
    ] = None
    contact: Annotated[str | None, Field(description="Of webpush: a mailto: or https: URL.")] = None
    is_default: Annotated[bool, Field(description="For reminders that name no channel.")] = True
    digest: Annotated[str | None, Field(description=_DIGEST, examples=["07:30"])] = None
    replace: StrictBool = False
    allow_private: Annotated[
        bool, Field(description="Its address may be in a private network; takes admin.")
    ] = False


class DigestWanted(Sent):
    """When a channel is to send the day in short."""

    at: Annotated[str | None, Field(description=_DIGEST, examples=["07:30"])]


class DigestSet(TypedDict):
    """When the channel sends the day in short; null where it sends none."""

    name: str
    digest: str | None


class ChannelsListed(TypedDict):
    """The user's channels."""

    channels: list[ChannelResult]


class ChannelAdded(ChannelResult):
    """A channel; `secret` is what a webhook's notices are signed with, and is not shown again."""

    secret: NotRequired[str]


class ChannelRemoved(TypedDict):
    """`reminders` is how many active reminders still name the channel, and do not go out by it."""

    name: str
    reminders: int


class PushKey(TypedDict):
    """What a browser's PushManager takes as applicationServerKey, as base64url."""

    key: str


class Refusal(TypedDict):
    """Why a channel did not take a notice."""

    message: str
    hint: str


class ChannelTried(TypedDict):
    """How a test notice fared: the channel's receipt, or why there is none."""

    name: str
    receipt: str | None
    error: Refusal | None


@router.get("")
async def list_channels(dome: Reading) -> ChannelsListed:
    """The channels by name, their addresses masked, and why the last notice of one failed."""
    found = await service.list_channels(dome.ports, user_id=dome.user_id)
    return {"channels": list(map(health_result, found))}


@router.post("", status_code=201)
async def add_channel(draft: ChannelDraft, dome: Writing, here: Here) -> ChannelAdded:
    """Adds a channel, whose address is looked up first."""
    _demand_for_kind(dome, draft.kind)
    if draft.allow_private:
        dome.principal.require("admin")
    if draft.digest:
        time_of_day(draft.digest)
    channel = with_secret(_channel(draft, dome.principal))
    await here.require_reachable(channel, allow_private=draft.allow_private)
    stored = await service.add_channel(
        channel,
        dome.ports,
        user_id=dome.user_id,
        now=dome.now(),
        allow_private=draft.allow_private,
        replaces=draft.replace,
    )
    secret = option(stored, SECRET)
    added: ChannelAdded = {**channel_result(stored)}
    if secret:
        added["secret"] = secret
    if draft.digest:
        added["digest"] = await _set_digest(dome, stored.name, draft.digest)
    return added


@router.get("/push-key")
async def read_push_key(dome: Writing, here: Here) -> PushKey:
    """The key with which a browser subscribes, before its subscription is added as a channel."""
    return {"key": await here.push_key(dome.settings)}


@router.delete("/{name}")
async def remove_channel(name: str, dome: Writing) -> ChannelRemoved:
    """Removes a channel; reminders that name it say so when they fire."""
    count = await service.remove_channel(name, dome.ports, user_id=dome.user_id, now=dome.now())
    return {"name": name.strip().lower(), "reminders": count}


@router.put("/{name}/digest")
async def set_channel_digest(name: str, wanted: DigestWanted, dome: Writing) -> DigestSet:
    """Has the channel send the day in short every day at a time, or no more.

    It is sent on days on which something is overdue, due, to be reminded of or not acknowledged.
    """
    channel = await service.channel_named(name, dome.ports, user_id=dome.user_id)
    _demand_for_kind(dome, channel.kind)
    if wanted.at is not None:
        return {"name": channel.name, "digest": await _set_digest(dome, name, wanted.at)}
    await end_digest(name, dome.ports, user_id=dome.user_id, now=dome.now())
    return {"name": channel.name, "digest": None}


@router.post("/{name}/test")
async def try_one_channel(name: str, dome: Writing, here: Here) -> ChannelTried:
    """Sends a notice by the channel, and says how it went."""
    channel = await service.channel_named(name, dome.ports, user_id=dome.user_id)
    _demand_for_kind(dome, channel.kind)
    async with here.open_notifiers(dome.settings) as served:
        trial = await try_channel(channel, served, now=dome.now(), zone=dome.zone.key)
    failure = trial.failure
    return {
        "name": trial.name,
        "receipt": trial.receipt,
        "error": failure and {"message": failure.message, "hint": failure.hint},
    }


async def _set_digest(dome: Dome, name: str, at: str) -> str:
    digest = await set_digest(
        name, at, dome.ports, user_id=dome.user_id, now=dome.now(), zone=dome.zone.key
    )
    return digest.schedule.start.time().isoformat("minutes")


def _demand_for_kind(dome: Dome, kind: str) -> None:
    """Raises where the caller may not reach anybody in this way.

    Raises:
        InsufficientScope: the kind is the machine's business.
        Forbidden: the desktop is another user's.
    """
    if kind in _OF_THE_MACHINE:
        dome.principal.require("admin")
    if kind == DESKTOP and dome.user_id != dome.settings.user:
        raise Forbidden(
            "The desktop of this machine is another user's.", "Add a channel of another kind."
        )


def _channel(draft: ChannelDraft, principal: Principal) -> Channel:
    """The channel that is asked for.

    Raises:
        InvalidInput: an option of another kind, or a subscription for another kind.
    """
    given = (
        (TOKEN, draft.token, "ntfy"),
        (EVENTS, draft.events, "webhook"),
        (CONTACT, draft.contact, "webpush"),
    )
    for name, value, only in given:
        if value and draft.kind != only:
            raise InvalidInput(f"{name} is for {only} channels.", "Leave it out.")
    address = draft.address
    if not isinstance(address, str):
        if draft.kind != "webpush":
            raise InvalidInput("Only a webpush channel has a subscription.", "Send a text.")
        address = json.dumps(address.model_dump())
    options = {name: value for name, value, _ in given}
    if draft.kind == "email" and not principal.may("admin"):
        options[PUBLIC_ONLY] = "true"
    channel = Channel(
        draft.name, principal.user_id, draft.kind, address, is_default=draft.is_default
    )
    return replace(channel, options=tuple((k, v) for k, v in options.items() if v))
