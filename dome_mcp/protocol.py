"""The SDK's server with its defects cured, the same for both eras of the protocol.

What is cured (mcp 2.3):
- an unknown tool or prompt, or a prompt without a required argument, is the protocol error
  "invalid params", not a tool result and not "internal error";
- resources are listed page by page, from what is stored now, and each has its own media type;
- changes also reach clients of the handshake era, which have no `subscriptions/listen`;
- what went wrong inside is logged under a reference and never told to the client.
"""

import logging
import secrets
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import anyio
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import NotificationOptions
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
)
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolResult,
    EmptyResult,
    GetPromptResult,
    InputRequiredResult,
    ListResourcesResult,
    PaginatedRequestParams,
    Resource,
    ResourceTemplate,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from dome_mcp.core.errors import DomeError, InvalidInput, NotFound

StateT = TypeVar("StateT")

_TELL_SECONDS = 2.0
"""A client that does not read its notifications holds nobody up for longer than this."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ResourcePage:
    """Some of the resources, and the cursor of the next page where there is one."""

    resources: Sequence[Resource]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Resources that come and go while the server runs."""

    templates: Sequence[ResourceTemplate]
    page: Callable[[str | None], Awaitable[ResourcePage]]
    """The page that a cursor names, the first one without."""
    read: Callable[[str], Awaitable[ReadResourceContents | None]]
    """What is behind a URI; None where the URI is not of this catalogue."""


def log_unexpected(error: Exception) -> str:
    """Logs where an error came from and returns the reference it is logged under.

    Its message may hold a user's text, so that is logged at level DEBUG only.
    """
    reference = secrets.token_hex(4)
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("internal error %s: %s\n%s", reference, type(error).__name__, frames)
    _log.debug("internal error %s says: %s", reference, error)
    return reference


@contextmanager
def protocol_errors() -> Iterator[None]:
    """Turns whatever is raised inside into the protocol error that the client shall see."""
    try:
        yield
    except MCPError:
        raise
    except (NotFound, InvalidInput) as error:
        raise MCPError(INVALID_PARAMS, str(error)) from error
    except DomeError as error:
        raise MCPError(INTERNAL_ERROR, str(error)) from error
    except Exception as error:
        reference = log_unexpected(error)
        raise MCPError(INTERNAL_ERROR, f"Internal error, reference {reference}.") from error


class Changes(InMemorySubscriptionBus):
    """Carries what changed to the listeners of both eras.

    The base class serves `subscriptions/listen`. A client of the handshake era is told of every
    change of the list, and of the resources it subscribed to, for as long as it is connected.
    """

    def __init__(self) -> None:
        super().__init__()
        self._subscribed: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()

    def join(self, connection: Connection) -> set[str]:
        """The URIs a handshake client subscribed to, to be added to and taken from."""
        return self._subscribed.setdefault(connection, set())

    async def publish(self, event: ServerEvent) -> None:
        """Tells everybody who listens; a client that is gone or does not read is passed over."""
        await super().publish(event)
        for connection, uris in list(self._subscribed.items()):
            with anyio.move_on_after(_TELL_SECONDS):
                if isinstance(event, ResourcesListChanged):
                    await connection.send_resource_list_changed()
                elif isinstance(event, ResourceUpdated) and event.uri in uris:
                    await connection.send_resource_updated(event.uri)


class DomeServer(MCPServer[StateT]):
    """An `MCPServer` whose resources are those of a catalogue and whose errors are exact."""

    def __init__(self, name: str, *, catalogue: Catalogue, **options: Any) -> None:
        self._catalogue = catalogue
        self._changes = Changes()
        super().__init__(name, subscriptions=self._changes, **options)
        low = self._lowlevel_server
        low.create_initialization_options = partial(  # pyright: ignore[reportAttributeAccessIssue]  same method, other default
            low.create_initialization_options,
            notification_options=NotificationOptions(resources_changed=True),
        )
        low.add_request_handler("resources/list", PaginatedRequestParams, self._list_page)
        low.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        low.add_request_handler(
            "resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe
        )
        self.middleware.append(self._greet)

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[StateT, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """As the base class, but an unknown tool is a protocol error that names the known ones."""
        tools = self._tool_manager
        if tools.get_tool(name) is None:
            known = ", ".join(tool.name for tool in tools.list_tools())
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {name}. There are: {known}.")
        return await super().call_tool(name, arguments, context)

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[StateT, Any] | None = None,
    ) -> GetPromptResult | InputRequiredResult:
        """As the base class, but wrong names and arguments are protocol errors that say so."""
        prompt = self._prompt_manager.get_prompt(name)
        if prompt is None:
            known = ", ".join(prompt.name for prompt in self._prompt_manager.list_prompts())
            raise MCPError(INVALID_PARAMS, f"Unknown prompt: {name}. There are: {known}.")
        given = arguments or {}
        expected = {argument.name: argument.required for argument in prompt.arguments or []}
        missing = [name for name, required in expected.items() if required and name not in given]
        unknown = sorted(set(given) - set(expected))
        if missing or unknown:
            what = f"lacks {', '.join(missing)}" if missing else f"has no {', '.join(unknown)}"
            raise MCPError(INVALID_PARAMS, f"Prompt {name} {what}.")
        return await super().get_prompt(name, arguments, context)

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """The catalogue's templates, then any that were registered."""
        return [*self._catalogue.templates, *await super().list_resource_templates()]

    async def read_resource(
        self, uri: Any, context: Context[StateT, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """What the catalogue has behind a URI, or else what was registered for it."""
        with protocol_errors():
            contents = await self._catalogue.read(str(uri))
        return [contents] if contents else await super().read_resource(uri, context)

    async def _list_page(
        self, ctx: ServerRequestContext[StateT, Any], params: PaginatedRequestParams
    ) -> ListResourcesResult:
        registered = [] if params.cursor else await self.list_resources()
        with protocol_errors():
            page = await self._catalogue.page(params.cursor)
        return ListResourcesResult(
            resources=[*registered, *page.resources], next_cursor=page.next_cursor
        )

    async def _subscribe(
        self, ctx: ServerRequestContext[StateT, Any], params: SubscribeRequestParams
    ) -> EmptyResult:
        self._changes.join(_connection(ctx)).add(str(params.uri))
        return EmptyResult()

    async def _unsubscribe(
        self, ctx: ServerRequestContext[StateT, Any], params: UnsubscribeRequestParams
    ) -> EmptyResult:
        self._changes.join(_connection(ctx)).discard(str(params.uri))
        return EmptyResult()

    async def _greet(
        self, ctx: ServerRequestContext[StateT, Any], call_next: CallNext
    ) -> HandlerResult:
        if ctx.method == "notifications/initialized":
            self._changes.join(_connection(ctx))
        return await call_next(ctx)


def _connection(ctx: ServerRequestContext[Any, Any]) -> Connection:
    # The session is made anew for each message; the connection behind it is what lasts.
    return ctx.session._connection  # pyright: ignore[reportPrivateUsage]  no public way to it
