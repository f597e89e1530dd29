"""Which route took a request, as logs, figures and the audit log name it."""

from starlette.routing import Mount
from starlette.types import Scope


def route_template(scope: Scope) -> str | None:
    """The path of the route that took a request, parameters by name; None where none did."""
    route = scope.get("route")
    prefix = str(scope.get("root_path", ""))
    if route is None or isinstance(route, Mount):
        return prefix or None
    return prefix + str(getattr(route, "path", ""))
