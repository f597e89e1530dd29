"""How the tests are shared among the processes of pytest-xdist.

A module goes to one process as a whole, so that its fixtures are made once, and so does a folder
whose tests share what takes long to start. What takes longest is given out first: at the end only
short modules are left, and no process waits long for another.
"""

from collections.abc import Sequence
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/companion_workers/", "tests/remote/page/", "tests/language_model/")
"""Folders that share Python Workers, which start in half a minute, a browser, or a chat model."""
LONG = (*TOGETHER, "tests/live/test_the_suite_itself.py", "tests/remote/test_serving.py")
"""What takes more than half a minute and cannot be divided."""


def share_of(nodeid: str) -> str:
    """What a test is run together with: its folder or its module."""
    folder = next((each for each in TOGETHER if nodeid.startswith(each)), None)
    return folder or nodeid.partition("::")[0]


def place_of(nodeid: str) -> int:
    """Where in the order a test belongs; the smallest comes first."""
    places = (place for place, start in enumerate(LONG) if nodeid.startswith(start))
    return next(places, len(LONG))


def is_worth_sharing(arguments: Sequence[str], marks: str) -> bool:
    """Whether more than one process is to run what pytest was asked for.

    They take seconds to start, so a few modules are run at once; and the live tests share one
    account, with the budget of its token.
    """
    return "live" not in marks.split() and any(Path(each).is_dir() for each in arguments)


class SharesOfTests(LoadScopeScheduling):
    """Gives the shares to whichever process has none left, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)
