"""Between the SDK and us: the errors a client sees, and what a server has to know of resources."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, Resource, ResourceTemplate

from dome_mcp.app import Caller
from dome_mcp.core.access import EVERYTHING, InsufficientScope, Scope
from dome_mcp.core.errors import DomeError, Forbidden, InvalidInput, NotFound
from dome_mcp.unexpected import log_unexpected

FORBIDDEN = -32003
"""The caller may not. The protocol has no code for it; -32000 to -32019 are free for servers."""

LIMIT_REACHED = -32004
"""The caller has too much of it already."""


@dataclass(frozen=True, slots=True)
class ResourcePage:
    """Some of the resources, and the cursor of the next page where there is one."""

    resources: Sequence[Resource]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """What a URI stands for: its template, the id in it, and the scopes that it takes to read it.

    Of a URI that is not ours nothing is known, and it takes every scope.
    """

    template: str = ""
    key: str = ""
    scopes: tuple[Scope, ...] = tuple(sorted(EVERYTHING))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Resources that come and go while the server runs, and differ by who asks."""

    templates: Callable[[Caller], Sequence[ResourceTemplate]]
    page: Callable[[Caller, str | None], Awaitable[ResourcePage]]
    """The page that a cursor names, the first one without."""
    read: Callable[[Caller, str], Awaitable[ReadResourceContents | None]]
    """What is behind a URI; None where the URI is not of this catalogue."""
    locate: Callable[[str], Address]


@contextmanager
def protocol_errors() -> Iterator[None]:
    """Turns whatever is raised inside into the protocol error that the client shall see."""
    try:
        yield
    except MCPError:
        raise
    except InsufficientScope as error:
        raise MCPError(FORBIDDEN, str(error), {"scopes": list(error.scopes)}) from error
    except Forbidden as error:
        raise MCPError(FORBIDDEN, str(error)) from error
    except (NotFound, InvalidInput) as error:
        raise MCPError(INVALID_PARAMS, str(error)) from error
    except DomeError as error:
        raise MCPError(INTERNAL_ERROR, str(error)) from error
    except Exception as error:  # logged; the client gets a reference alone
        reference = log_unexpected(error)
        raise MCPError(INTERNAL_ERROR, f"Internal error, reference {reference}.") from error
