"""Between the SDK and our tools: arguments in, one kind of result out, errors in plain words.

A tool is two functions: what it does, from arguments to a result for programs, and how that is
told, from the result to a text for the model. Where another DOME does it, only the first differs.
"""

from collections.abc import Awaitable, Callable, Mapping
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

Arguments = Mapping[str, Any]
"""All arguments of a call by name, as the tool's function gets them."""

Perform = Callable[..., Awaitable[Mapping[str, Any]]]
"""What a tool does: called with its arguments and the call, it gives the result for programs."""

Told = Callable[[Any, Arguments], str]
"""How a result of these arguments is told to a model."""

READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)


async def dome_of(call: Call) -> Dome:
    """The application on behalf of whoever sent the call, which is opened if need be.

    Raises:
        DomeError: it cannot be opened.
    """
    return await call.request_context.lifespan_context.dome()


def define(
    perform: Perform,
    told: Told,
    *,
    title: str,
    annotations: ToolAnnotations,
    scopes: tuple[Scope, ...],
) -> Tool:
    """The tool that does what `perform` does, for callers who have all of the scopes.

    Its docstring is the description for the model; what it is annotated to return is the schema.
    """
    name = getattr(perform, "__name__", "")
    if not scopes:
        raise ValueError(f"the tool {name} names no scope")
    made = DomeTool.from_function(
        perform,
        title=title,
        description=" ".join((perform.__doc__ or "").split()),
        annotations=annotations,
        structured_output=True,
    )
    tool = cast("DomeTool", made)
    tool.scopes = scopes
    tool.told = told
    tool.parameters = lean_input(tool.parameters)
    tool.fn_metadata.output_schema = lean_output(tool.fn_metadata.output_schema or {})
    return tool


class DomeTool(Tool):
    """A tool that asks for scopes, takes no argument it does not know, and errs in plain words."""

    scopes: tuple[Scope, ...] = Field(default=tuple(sorted(EVERYTHING)), exclude=True)
    """What a caller needs; everything, until `define` says less."""
    told: Told = Field(default=lambda result, _: str(result), exclude=True)

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> Any:
        """What the tool does with these arguments, and its text, if the caller has the scopes.

        Raises:
            ToolError: with words for the model; what went wrong inside is logged, not told.
        """
        caller: Caller = context.request_context.lifespan_context
        try:
            caller.principal.require(*self.scopes)
        except InsufficientScope as error:
            raise ToolError(str(error)) from error
        accepted = self._accept(arguments)
        try:
            result = await self.fn(**accepted, call=context)
            reply = self._reply(self.told(result, accepted), result)
            return self.fn_metadata.convert_result(reply) if convert_result else reply
        except (MCPError, ToolError):
            raise
        except DomeError as error:
            raise ToolError(str(error)) from error
        except Exception as error:  # logged; the client gets a reference alone
            reference = log_unexpected(error)
            raise ToolError(f"Internal error, reference {reference}.") from error

    def _reply(self, text: str, result: Mapping[str, Any]) -> CallToolResult:
        """The text for the model to read, and of the result what the schema has, for programs."""
        properties: dict[str, Any] = (self.fn_metadata.output_schema or {})["properties"]
        structured = {name: value for name, value in result.items() if name in properties}
        return CallToolResult(
            content=[TextContent(type="text", text=text)], structured_content=structured
        )

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
