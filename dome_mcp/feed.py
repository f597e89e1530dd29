"""What changed, told to those who listen on behalf of the same user, within this process."""

from collections.abc import Callable
from dataclasses import dataclass

Listener = Callable[["Change"], None]
"""Called in the event loop; it must not block, nor raise."""


@dataclass(frozen=True, slots=True)
class Change:
    """Resources of one user that are not what they were.

    `is_listing`: there is a note more, or fewer, or one with another title.
    """

    uris: tuple[str, ...]
    is_listing: bool = False


class Feed:
    """Carries changes from whoever made them to the user's listeners. Nothing crosses users."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[object, Listener]] = {}

    def tell(self, user_id: str, change: Change) -> None:
        """Calls each listener of this user, in the order in which they came."""
        for listener in list(self._listeners.get(user_id, {}).values()):
            listener(change)

    def listen(self, user_id: str, listener: Listener) -> Callable[[], None]:
        """Has the listener called from now on; what is returned ends that, and may be repeated."""
        key = object()
        self._listeners.setdefault(user_id, {})[key] = listener

        def stop() -> None:
            listeners = self._listeners.get(user_id, {})
            listeners.pop(key, None)
            if not listeners:
                self._listeners.pop(user_id, None)

        return stop
