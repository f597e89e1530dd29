"""What some arguments demand of the caller besides the scopes of the tool or route they go to."""

from collections.abc import Sequence

from dome_mcp.core.access import Principal
from dome_mcp.core.channels import DESKTOP
from dome_mcp.core.errors import Forbidden


def demand_for_notes(principal: Principal, note_ids: Sequence[str] | None) -> None:
    """Linking a note tells whether there is one, so it takes the scope to read notes.

    Raises:
        InsufficientScope: notes are named, and the caller may not read any.
    """
    if note_ids:
        principal.require("notes:read")


def demand_for_channels(principal: Principal, names: Sequence[str]) -> None:
    """The desktop belongs to the machine, whichever user it is to show something to.

    Raises:
        InsufficientScope: the desktop is named, and the caller has nothing to do with the machine.
    """
    if any(name.strip().lower() == DESKTOP for name in names):
        principal.require("admin")


def demand_for_path(principal: Principal) -> None:
    """A path names a file of the machine that the server runs on.

    Raises:
        Forbidden: the caller has nothing to do with that machine.
    """
    if not principal.may("admin"):
        raise Forbidden(
            "path names a file of the server's machine, and this token lacks the scope admin.",
            "Send the text of the file as text.",
        )
