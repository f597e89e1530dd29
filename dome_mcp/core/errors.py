"""The errors DOME raises. Each message is safe to show to a model and says what to do instead.

DomeError
  InvalidInput           the caller sent something that cannot work as it is
    UnreadableDocument   the bytes are not a document we can take text from
  NotFound               no such note, task, reminder … for this user
  Conflict               somebody else changed it first
  Forbidden              outside what the settings or the token allow
  BackendError           a database, index, model or store behind a port
    BackendUnavailable   try again, later
    BackendRejected      it will not do this, however often it is asked
      InputTooLong       but it may of a shorter text
    QuotaExhausted       it will do this again at a known time
    BackendProtocolError it answered with something its contract does not allow
  DeliveryFailed         a channel refused a notice
  ConfigurationError     start-up: every bad setting at once
"""

from collections.abc import Sequence
from datetime import datetime


class DomeError(Exception):
    """Something a caller can act on: `message` says what happened, `hint` what to do instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(DomeError):
    """The caller's input cannot work; the hint says what to send instead."""


class UnreadableDocument(InvalidInput):
    """No text can be taken from these bytes.

    `reason` is one of `empty`, `too_large`, `encrypted`, `scanned`, `corrupt`, `binary`,
    `mislabelled`, `unsupported`.
    """

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


class NotFound(DomeError):
    """This user has no `kind` with this key."""

    def __init__(self, kind: str, key: str, hint: str = "") -> None:
        super().__init__(f"There is no {kind} {key!r}.", hint)
        self.kind = kind
        self.key = key


class Conflict(DomeError):
    """The thing changed since the caller read it; nothing was written."""


class Forbidden(DomeError):
    """The settings, or the caller's token, do not allow this."""


class BackendError(DomeError):
    """A backend behind a port failed during `operation`; `retryable` says whether it may pass."""

    retryable = False

    def __init__(self, backend: str, operation: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.backend = backend
        self.operation = operation


class BackendUnavailable(BackendError):
    """The backend did not answer, or is busy; `retry_after` is in seconds where it said so."""

    retryable = True

    def __init__(
        self,
        backend: str,
        operation: str,
        message: str,
        hint: str = "",
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(backend, operation, message, hint)
        self.retry_after = retry_after


class BackendRejected(BackendError):
    """The backend refused the request; the same request will be refused again."""


class InputTooLong(BackendRejected):
    """The text does not fit into the model; a shorter one may."""


class QuotaExhausted(BackendError):
    """An allowance is used up until `until` (an aware UTC datetime, None where unknown)."""

    def __init__(
        self,
        backend: str,
        operation: str,
        message: str,
        hint: str = "",
        *,
        until: datetime | None = None,
    ) -> None:
        super().__init__(backend, operation, message, hint)
        self.until = until


class BackendProtocolError(BackendError):
    """The backend's answer is not one its contract allows."""


class DeliveryFailed(DomeError):
    """A channel did not take a notice; `retryable` says whether it may take it later.

    `retry_after` is in seconds, where the channel named a time. The message is shown to the user
    and holds no secret of the channel's address.
    """

    def __init__(
        self, message: str, hint: str = "", *, retryable: bool, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.retryable = retryable
        self.retry_after = retry_after


class NotServed(DeliveryFailed):
    """This companion cannot reach the channel, whatever it takes; another one may.

    Nothing was tried, so it is no refusal. The message says which companion is missing.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class ConfigurationError(DomeError):
    """The settings cannot work; `problems` lists every one of them, not just the first."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("The configuration has problems: " + "; ".join(problems) + ".")
        self.problems = tuple(problems)
