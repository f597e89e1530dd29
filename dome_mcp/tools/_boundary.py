"""Between the SDK and our tools: arguments in, one kind of result out, errors in plain words."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field, ValidationError

from dome_mcp.app import Caller, Dome
from dome_mcp.core.access import EVERYTHING, InsufficientScope, Scope
from dome_mcp.core.errors import DomeError
from dome_mcp.protocol import log_unexpected
from dome_mcp.tools._schema import lean_input, lean_output

Call = Context[Caller, Any]
"""What a tool gets of the call it serves; its lifespan context is who sent this very message."""

READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)


async def dome_of(call: Call) -> Dome:
    """The application on behalf of whoever sent the call, which is opened if need be.

    Raises:
        DomeError: it cannot be opened.
    """
    return await call.request_context.lifespan_context.dome()


def reply(text: str, structured: Mapping[str, Any]) -> CallToolResult:
    """The result of a call: `text` for the model to read, `structured` for programs."""
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=dict(structured)
    )


def define(
    function: Callable[..., Any],
    *,
    title: str,
    annotations: ToolAnnotations,
    scopes: tuple[Scope, ...],
) -> "DomeTool":
    """The tool that calls an async function, for callers who have all of the scopes.

    The function's docstring is the description for the model.
    """
    if not scopes:
        raise ValueError(f"the tool {function.__name__} names no scope")
    made = DomeTool.from_function(
        function,
        title=title,
        description=" ".join((function.__doc__ or "").split()),
        annotations=annotations,
        structured_output=True,
    )
    tool = cast("DomeTool", made)
    tool.scopes = scopes
    tool.parameters = lean_input(tool.parameters)
    tool.fn_metadata.output_schema = lean_output(tool.fn_metadata.output_schema or {})
    return tool


class DomeTool(Tool):
    """A tool that asks for scopes, takes no argument it does not know, and errs in plain words."""

    scopes: tuple[Scope, ...] = Field(default=tuple(sorted(EVERYTHING)), exclude=True)
    """What a caller needs; everything, until `define` says less."""

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> Any:
        """The function's result for these arguments, if the caller has the scopes.

        Raises:
            ToolError: with words for the model; what went wrong inside is logged, not told.
        """
        caller: Caller = context.request_context.lifespan_context
        try:
            caller.principal.require(*self.scopes)
        except InsufficientScope as error:
            raise ToolError(str(error)) from error
        keywords = self._accept(arguments)
        if self.context_kwarg is not None:
            keywords[self.context_kwarg] = context
        try:
            result = await self.fn(**keywords)
            return self.fn_metadata.convert_result(result) if convert_result else result
        except (MCPError, ToolError):
            raise
        except DomeError as error:
            raise ToolError(str(error)) from error
        except Exception as error:  # logged; the client gets a reference alone
            reference = log_unexpected(error)
            raise ToolError(f"Internal error, reference {reference}.") from error

    def _accept(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = self.parameters["properties"]
        if unknown := sorted(set(arguments) - set(known)):
            raise ToolError(
                f"{self.name} has no argument {', '.join(unknown)}. It takes: {', '.join(known)}."
            )
        required: list[str] = self.parameters.get("required", [])
        # Some models fill every optional argument with null or an empty string.
        given = {
            name: value
            for name, value in arguments.items()
            if value is not None and (name in required or not _is_blank(value))
        }
        if missing := [name for name in required if name not in given]:
            raise ToolError(f"{self.name} needs {', '.join(missing)}.")
        try:
            return self.fn_metadata.validate_arguments(given)
        except ValidationError as error:
            raise ToolError(f"Wrong arguments for {self.name}: {_in_words(error)}.") from error


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _in_words(error: ValidationError) -> str:
    """What is wrong with which argument, without the values, which are the caller's."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, problem['loc']))} {_demand(problem['msg'])}" for problem in problems
    )


def _demand(message: str) -> str:
    """Pydantic's words for what a value has to be, in those of JSON."""
    words = message.replace("Input should be", "must be")
    return words.replace("tuple", 'list of strings such as ["a", "b"]')
