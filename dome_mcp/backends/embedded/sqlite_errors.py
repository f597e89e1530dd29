"""What SQLite, apsw and the system raise, as our errors."""

from collections.abc import Generator
from contextlib import contextmanager

import apsw

from dome_mcp.core.errors import BackendError, BackendRejected, BackendUnavailable, QuotaExhausted

BACKEND = "sqlite"
BAD_PATH = "Set DOME_HOME to a folder on a local disk that you may write to."
_DAMAGED = "The database file is damaged, or is no database."
_NO_SPACE = "The disk is full; nothing was written."
_FREE_SPACE = "Free some disk space, then try again."
_NO_SPACE_RESULTS = (apsw.SQLITE_IOERR_SHMSIZE,)  # elsewhere SQLite itself says SQLITE_FULL


@contextmanager
def translated(operation: str) -> Generator[None]:
    """Raises our error for what SQLite, apsw and the system say."""
    try:
        yield
    except apsw.ExecTraceAbort:
        raise
    except apsw.Error as exc:
        raise _translation(exc, operation) from exc
    except (UnicodeEncodeError, OverflowError) as exc:
        raise BackendRejected(
            BACKEND, operation, "A value cannot be stored: broken text, or too large a number."
        ) from exc
    except OSError as exc:
        raise BackendRejected(
            BACKEND, operation, f"The database cannot be created: {exc.strerror}.", BAD_PATH
        ) from exc


def _translation(exc: apsw.Error, operation: str) -> BackendError:
    """Leaves SQLite's own words out except where they name columns only: they may quote a note."""
    match exc:
        case apsw.BusyError() | apsw.LockedError() | apsw.ProtocolError():
            return BackendUnavailable(
                BACKEND,
                operation,
                "Other processes keep the database busy.",
                "Try again in a few seconds.",
            )
        case apsw.FullError():
            return QuotaExhausted(BACKEND, operation, _NO_SPACE, _FREE_SPACE)
        case apsw.IOError() if getattr(exc, "extendedresult", 0) in _NO_SPACE_RESULTS:
            return QuotaExhausted(BACKEND, operation, _NO_SPACE, _FREE_SPACE)
        case apsw.IOError() | apsw.NoMemError():
            return BackendUnavailable(
                BACKEND, operation, "The disk or the memory failed.", "Run `dome-mcp doctor`."
            )
        case apsw.CorruptError() | apsw.NotADBError():
            return BackendRejected(BACKEND, operation, _DAMAGED, "Run `dome-mcp doctor --repair`.")
        case apsw.CantOpenError() | apsw.ReadOnlyError() | apsw.PermissionsError():
            return BackendRejected(
                BACKEND, operation, "The database file cannot be opened for writing.", BAD_PATH
            )
        case apsw.ConstraintError():
            return BackendRejected(BACKEND, operation, f"{exc}.")
        case _:
            name = type(exc).__name__
            return BackendRejected(BACKEND, operation, f"SQLite refused the statement: {name}.")
