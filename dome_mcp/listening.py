"""Who hears of what changed: nobody but the user whose it is, and of nothing they may not read.

A client of 2026-07-28 opens a stream with `subscriptions/listen`. A client of the handshake era
is told of changes of the list from the handshake on, and of the resources it subscribes to, for
as long as it is connected. Both are bound to the principal of the request that asked: a later
request of the same connection, by somebody else, gains or loses nothing of it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import anyio
from anyio.abc import TaskGroup
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import (
    ListenHandler,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
)
from mcp.shared.exceptions import MCPError
from mcp.types import (
    EmptyResult,
    NotificationParams,
    SubscribeRequestParams,
    SubscriptionFilter,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from dome_mcp.app import Caller
from dome_mcp.core.access import Principal, Scope
from dome_mcp.feed import Change, Feed
from dome_mcp.protocol import LIMIT_REACHED, log_unexpected, protocol_errors

MAX_STREAMS = 64
"""Open at a time for one user: more than anybody has assistants."""

MAX_WISHES = 1_000
"""Resources that a handshake client may be subscribed to."""

_LAST_SECONDS = 1.0
"""A client that does not read its last message is not waited for any longer."""

_LISTED: Scope = "notes:read"
"""The list of resources changes with the notes, and for nobody else."""


@dataclass(frozen=True, slots=True)
class Visitor(Caller):
    """Who sends a message, and where the tasks run that may write to their client later."""

    tasks: TaskGroup


Message = ServerRequestContext[Visitor, Any]


class Listening:
    """The open streams and the handshake clients of one server."""

    def __init__(self, feed: Feed, scopes_of: Callable[[str], Iterable[Scope]]) -> None:
        """`scopes_of` gives the scopes that it takes to read what is behind a URI."""
        self._feed = feed
        self._scopes_of = scopes_of
        self._streams: dict[ListenHandler, str] = {}
        """Each open stream, and the user whose it is."""
        self._last_ended = anyio.Event()
        self._clients: WeakKeyDictionary[Connection, _Client] = WeakKeyDictionary()

    async def listen(
        self, ctx: Message, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serves `subscriptions/listen` until the client leaves or `close` ends it."""
        principal = ctx.lifespan_context.principal
        wanted = self._permitted(principal, params.notifications)
        if list(self._streams.values()).count(principal.user_id) >= MAX_STREAMS:
            raise MCPError(LIMIT_REACHED, f"{MAX_STREAMS} streams are open. Close one of them.")
        handler = ListenHandler(_UserBus(self._feed, principal.user_id))
        self._streams[handler] = principal.user_id
        try:
            return await handler(ctx, params.model_copy(update={"notifications": wanted}))
        finally:
            del self._streams[handler]
            if not self._streams:
                self._last_ended.set()

    async def greet(self, ctx: Message, params: NotificationParams) -> None:
        """Has a handshake client told of changes of the list from now on."""
        del params
        if ctx.lifespan_context.principal.may(_LISTED):
            self._wish(ctx, ResourcesListChanged())

    async def subscribe(self, ctx: Message, params: SubscribeRequestParams) -> EmptyResult:
        """Has a handshake client told of changes of a resource."""
        with protocol_errors():
            ctx.lifespan_context.principal.require(*self._scopes_of(params.uri))
        self._wish(ctx, ResourceUpdated(uri=params.uri))
        return EmptyResult()

    async def unsubscribe(self, ctx: Message, params: UnsubscribeRequestParams) -> EmptyResult:
        """Takes back what the same user subscribed to."""
        client = self._clients.get(_connection(ctx))
        if client is not None:
            client.forget(ctx.lifespan_context.principal.user_id, ResourceUpdated(uri=params.uri))
        return EmptyResult()

    async def close(self) -> None:
        """Ends every open stream with its last message, and waits a moment for it to be sent."""
        for handler in list(self._streams):
            handler.close()
        if self._streams:
            self._last_ended = anyio.Event()
            with anyio.move_on_after(_LAST_SECONDS):
                await self._last_ended.wait()

    def _permitted(self, principal: Principal, wanted: SubscriptionFilter) -> SubscriptionFilter:
        """What of it there will be something to tell of.

        Raises:
            MCPError: a resource is among it that the caller may not read.
        """
        with protocol_errors():
            for uri in wanted.resource_subscriptions or ():
                principal.require(*self._scopes_of(uri))
        if principal.may(_LISTED):
            return wanted
        return wanted.model_copy(update={"resources_list_changed": None})

    def _wish(self, ctx: Message, event: ServerEvent) -> None:
        connection, visitor = _connection(ctx), ctx.lifespan_context
        client = self._clients.get(connection)
        if client is None:
            client = self._clients[connection] = _Client(self._feed)
            connection.exit_stack.callback(client.leave)
            visitor.tasks.start_soon(client.keep_told, connection)
        client.want(visitor.principal.user_id, event)


class _UserBus:
    """The changes of one user, in the form in which the SDK's streams take them."""

    def __init__(self, feed: Feed, user_id: str) -> None:
        self._feed = feed
        self._user_id = user_id

    async def publish(self, event: ServerEvent) -> None:
        raise NotImplementedError("what changed is told to the feed")

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        def hear(change: Change) -> None:
            for event in _events(change):
                listener(event)

        return self._feed.listen(self._user_id, hear)


class _Client:
    """What a handshake client wants to hear of, for whom, and what it is still to be told.

    The same news twice is told once, so a client that does not read costs no more than its wishes.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._wanted: dict[str, set[ServerEvent]] = {}
        self._ends: list[Callable[[], None]] = []
        self._due: dict[ServerEvent, None] = {}
        self._bell = anyio.Event()
        self._scope = anyio.CancelScope()

    def want(self, user_id: str, event: ServerEvent) -> None:
        """Has the client told of such an event of this user.

        Raises:
            MCPError: it wants too much.
        """
        if sum(map(len, self._wanted.values())) >= MAX_WISHES:
            raise MCPError(
                LIMIT_REACHED, f"You are subscribed to {MAX_WISHES} resources. End some."
            )
        if user_id not in self._wanted:
            self._wanted[user_id] = set()
            self._ends.append(self._feed.listen(user_id, partial(self._hear, user_id)))
        self._wanted[user_id].add(event)

    def forget(self, user_id: str, event: ServerEvent) -> None:
        """Has the client told of it no more."""
        self._wanted.get(user_id, set()).discard(event)

    def leave(self) -> None:
        """Ends all of it; the connection is gone."""
        for end in self._ends:
            end()
        self._scope.cancel()

    async def keep_told(self, connection: Connection) -> None:
        """Tells the client, in a task of its own, so that one that does not read delays nobody."""
        with self._scope:
            while True:
                await self._bell.wait()
                self._bell = anyio.Event()
                while self._due:
                    event = next(iter(self._due))
                    del self._due[event]
                    await _tell(connection, event)

    def _hear(self, user_id: str, change: Change) -> None:
        self._due |= {event: None for event in _events(change) if event in self._wanted[user_id]}
        self._bell.set()


def _events(change: Change) -> Iterator[ServerEvent]:
    yield from (ResourceUpdated(uri=uri) for uri in change.uris)
    if change.is_listing:
        yield ResourcesListChanged()


async def _tell(connection: Connection, event: ServerEvent) -> None:
    try:
        if isinstance(event, ResourceUpdated):
            await connection.send_resource_updated(event.uri)
        else:
            await connection.send_resource_list_changed()
    except Exception as error:  # noqa: BLE001  one client's trouble must not end the others' task group
        log_unexpected(error)


def _connection(ctx: Message) -> Connection:
    # The session is made anew for each message; the connection behind it is what lasts.
    return ctx.session._connection  # pyright: ignore[reportPrivateUsage]  no public way to it
