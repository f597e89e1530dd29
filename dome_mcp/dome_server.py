"""The SDK's server with its defects cured, the same for both eras of the protocol.

What is cured (mcp 2.3):
- every message is on behalf of whoever sent that message, not of whoever opened the connection,
  and what the sender may not do is neither listed nor done;
- an unknown tool or prompt, or a prompt without a required argument, is the protocol error
  "invalid params", not a tool result and not "internal error";
- resources are listed page by page, from what is stored now, and each has its own media type;
- changes also reach clients of the handshake era, which have no `subscriptions/listen`;
- what went wrong inside is logged under a reference and never told to the client.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import NotificationOptions
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    NotificationParams,
    PaginatedRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    UnsubscribeRequestParams,
)

from dome_mcp.app import Caller, Door
from dome_mcp.core.access import EVERYTHING, NOBODY, InsufficientScope, Principal, Scope
from dome_mcp.listening import Listening, Message, Visitor
from dome_mcp.observing import Observer, observed, target_of
from dome_mcp.protocol import Catalogue, protocol_errors

ThingT = TypeVar("ThingT")

Identify = Callable[[Any], Principal]
"""Tells by the request that carried a message who sent it; None where no request did."""

Completer = Callable[[Caller, CompleteRequestParams], Awaitable[CompleteResult]]


class DomeServer(MCPServer[Visitor]):
    """An `MCPServer` that knows who sends each message, and whose errors are exact."""

    def __init__(
        self,
        name: str,
        *,
        door: Door,
        catalogue: Catalogue,
        complete: Completer,
        identify: Identify,
        observe: Observer | None = None,
        **options: Any,
    ) -> None:
        self._door = door
        self._catalogue = catalogue
        self._complete = complete
        self._identify = identify
        self._observe = observe
        self._listening = Listening(door.feed, lambda uri: catalogue.locate(uri).scopes)
        super().__init__(name, subscriptions=False, lifespan=self._nobodys, **options)
        # Before the SDK's own: nothing is to see a message without its sender.
        self.middleware.insert(0, self._identified)
        self._replace_handlers()

    async def close_streams(self) -> None:
        """Ends every open `subscriptions/listen` with its last message; soon, or without it."""
        await self._listening.close()

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Visitor, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """As the base class, but an unknown tool is a protocol error that names the known ones."""
        principal = _principal(context)
        tool = self._tool_manager.get_tool(name)
        # An unknown name is the caller's text, and no action.
        action = f"tools/call {name}" if tool else "tools/call"
        with observed(self._observe, principal, action, target_of(arguments)):
            if tool is None:
                known = _names(_permitted(principal, self._tool_manager.list_tools()))
                raise MCPError(INVALID_PARAMS, f"Unknown tool: {name}. There are: {known}.")
            try:
                principal.require(*_scopes_of(tool))
            except InsufficientScope as error:
                raise ToolError(str(error)) from error
            return await super().call_tool(name, arguments, context)

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[Visitor, Any] | None = None,
    ) -> GetPromptResult | InputRequiredResult:
        """As the base class, but wrong names and arguments are protocol errors that say so."""
        principal = _principal(context)
        prompt = self._prompt_manager.get_prompt(name)
        action = f"prompts/get {name}" if prompt else "prompts/get"
        with observed(self._observe, principal, action):
            if prompt is None:
                known = _names(_permitted(principal, self._prompt_manager.list_prompts()))
                raise MCPError(INVALID_PARAMS, f"Unknown prompt: {name}. There are: {known}.")
            with protocol_errors():
                principal.require(*_scopes_of(prompt))
            expected = {each.name: each.required for each in prompt.arguments or []}
            _check_arguments(name, expected, given=arguments or {})
            return await super().get_prompt(name, arguments, context)

    async def read_resource(
        self, uri: Any, context: Context[Visitor, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """What the catalogue has behind a URI, or else what was registered for it."""
        principal = _principal(context)
        place = self._catalogue.locate(str(uri))
        action = f"resources/read {place.template}".strip()
        target = target_of({"note_id": place.key})
        with observed(self._observe, principal, action, target):
            with protocol_errors():
                principal.require(*place.scopes)
                contents = await self._catalogue.read(_caller(context), str(uri))
            return [contents] if contents else await super().read_resource(uri, context)

    async def _list_tools(self, ctx: Message, params: PaginatedRequestParams) -> ListToolsResult:
        del params
        principal = ctx.lifespan_context.principal
        names = {tool.name for tool in _permitted(principal, self._tool_manager.list_tools())}
        tools = [tool for tool in await self.list_tools() if tool.name in names]
        return ListToolsResult(tools=tools)

    async def _list_prompts(
        self, ctx: Message, params: PaginatedRequestParams
    ) -> ListPromptsResult:
        del params
        principal = ctx.lifespan_context.principal
        known = _permitted(principal, self._prompt_manager.list_prompts())
        names = {prompt.name for prompt in known}
        prompts = [prompt for prompt in await self.list_prompts() if prompt.name in names]
        return ListPromptsResult(prompts=prompts)

    async def _list_templates(
        self, ctx: Message, params: PaginatedRequestParams
    ) -> ListResourceTemplatesResult:
        """The catalogue's templates, then any that were registered."""
        del params
        caller = ctx.lifespan_context
        registered = await self.list_resource_templates()
        templates = [
            *self._catalogue.templates(caller),
            *(registered if caller.principal.may(*EVERYTHING) else ()),
        ]
        return ListResourceTemplatesResult(resource_templates=templates)

    async def _list_resources(
        self, ctx: Message, params: PaginatedRequestParams
    ) -> ListResourcesResult:
        """A page of the catalogue; what was registered comes before the first one."""
        caller = ctx.lifespan_context
        has_registered = not params.cursor and caller.principal.may(*EVERYTHING)
        registered = await self.list_resources() if has_registered else []
        with protocol_errors():
            page = await self._catalogue.page(caller, params.cursor)
        return ListResourcesResult(
            resources=[*registered, *page.resources], next_cursor=page.next_cursor
        )

    async def _complete_argument(
        self, ctx: Message, params: CompleteRequestParams
    ) -> CompleteResult:
        caller = ctx.lifespan_context
        with observed(self._observe, caller.principal, "completion/complete"), protocol_errors():
            return await self._complete(caller, params)

    @asynccontextmanager
    async def _nobodys(self, _: MCPServer[Visitor]) -> AsyncIterator[Visitor]:
        """The lifespan, which hands out nobody: an unidentified message can do nothing.

        Some transports enter it once a connection, so it owns the tasks of its connections only.
        """
        async with anyio.create_task_group() as tasks:
            yield Visitor(self._door, NOBODY, tasks)
            tasks.cancel_scope.cancel()

    async def _identified(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Has the message handled on behalf of whoever sent it, or not at all."""
        with protocol_errors():
            principal = self._identify(ctx.request)
        visitor: Visitor = replace(ctx.lifespan_context, principal=principal)
        return await call_next(replace(ctx, lifespan_context=visitor))

    def _replace_handlers(self) -> None:
        low = self._lowlevel_server
        low.create_initialization_options = partial(  # pyright: ignore[reportAttributeAccessIssue]  same method, other default
            low.create_initialization_options,
            notification_options=NotificationOptions(resources_changed=True),
        )
        low.add_request_handler("tools/list", PaginatedRequestParams, self._list_tools)
        low.add_request_handler("prompts/list", PaginatedRequestParams, self._list_prompts)
        low.add_request_handler("resources/list", PaginatedRequestParams, self._list_resources)
        low.add_request_handler(
            "resources/templates/list", PaginatedRequestParams, self._list_templates
        )
        low.add_request_handler(
            "completion/complete", CompleteRequestParams, self._complete_argument
        )
        listening = self._listening
        low.add_request_handler(
            "subscriptions/listen", SubscriptionsListenRequestParams, listening.listen
        )
        low.add_request_handler("resources/subscribe", SubscribeRequestParams, listening.subscribe)
        low.add_request_handler(
            "resources/unsubscribe", UnsubscribeRequestParams, listening.unsubscribe
        )
        low.add_notification_handler(
            "notifications/initialized", NotificationParams, listening.greet
        )


def _caller(context: Context[Visitor, Any] | None) -> Caller:
    if context is None:
        raise RuntimeError("a call outside of a request")
    return context.request_context.lifespan_context


def _principal(context: Context[Visitor, Any] | None) -> Principal:
    return _caller(context).principal


def _scopes_of(thing: object) -> Iterable[Scope]:
    """The scopes of a tool or a prompt of ours; of any other, everything."""
    return getattr(thing, "scopes", EVERYTHING)


def _permitted(principal: Principal, things: Iterable[ThingT]) -> list[ThingT]:
    return [thing for thing in things if principal.may(*_scopes_of(thing))]


def _names(things: Iterable[Any]) -> str:
    return ", ".join(thing.name for thing in things) or "none for this token"


def _check_arguments(prompt: str, expected: dict[str, bool], *, given: dict[str, Any]) -> None:
    missing = [name for name, required in expected.items() if required and name not in given]
    unknown = sorted(set(given) - set(expected))
    if missing or unknown:
        what = f"lacks {', '.join(missing)}" if missing else f"has no {', '.join(unknown)}"
        raise MCPError(INVALID_PARAMS, f"Prompt {prompt} {what}.")
