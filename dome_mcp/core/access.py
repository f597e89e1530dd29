"""Who may do what: scopes, the principal that a call is made for, and the one check of both.

Nothing here knows how a principal proved who it is; the shells do (a token, an OAuth server, or
the operating system for whoever starts the program on their own data).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo

from dome_mcp.core.errors import Forbidden, InvalidInput

Scope = Literal["notes:read", "notes:write", "tasks:read", "tasks:write", "admin"]
"""`tasks` are tasks, reminders and channels. `admin` is what touches the machine: its files, its
desktop, its figures; it includes no other scope."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
EVERYTHING: frozenset[Scope] = frozenset(SCOPES)


class InsufficientScope(Forbidden):
    """The caller is known, but their token lacks `scopes`; nothing was read or written."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self.scopes = tuple(sorted(scopes))
        super().__init__(
            f"This token lacks the scope {', '.join(self.scopes)}.",
            "Use a token that has it; `dome-mcp token create --scope` makes one.",
        )


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf a call is made, and what it may do.

    `credential` names the token or the OAuth client in the audit log and tells the sessions and
    limits of two tokens of one user apart; it is no secret. `zone` is the user's own time zone,
    None for the one of the settings.
    """

    user_id: str
    scopes: frozenset[Scope]
    credential: str
    zone: ZoneInfo | None = None

    def require(self, *scopes: Scope) -> None:
        """Does nothing where the principal has all of the scopes.

        Raises:
            InsufficientScope: it lacks some.
        """
        if missing := set(scopes) - self.scopes:
            raise InsufficientScope(missing)

    def may(self, *scopes: Scope) -> bool:
        """Whether the principal has all of the scopes."""
        return self.scopes.issuperset(scopes)


NOBODY = Principal("", frozenset(), credential="nobody")
"""Who has not said who they are: may do nothing, and owns nothing."""


def owner(user_id: str) -> Principal:
    """Whoever runs the program on their own data folder: they may do everything."""
    return Principal(user_id, EVERYTHING, credential="local")


def parse_scopes(text: str) -> frozenset[Scope]:
    """The scopes in a list separated by commas or spaces.

    Raises:
        InvalidInput: there is none in it, or one that does not exist.
    """
    names = text.replace(",", " ").split()
    if unknown := sorted(set(names) - EVERYTHING):
        raise InvalidInput(
            f"There is no scope {', '.join(unknown)}.", f"There are: {', '.join(SCOPES)}."
        )
    if not names:
        raise InvalidInput("No scope is named.", f"Name some of: {', '.join(SCOPES)}.")
    return frozenset(cast("list[Scope]", names))


def known_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Those of the names that are scopes of ours; other services' scopes mean nothing here."""
    return frozenset(scope for scope in SCOPES if scope in set(names))
