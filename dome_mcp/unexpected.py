"""Errors that nobody foresaw: logged, and told by a reference alone."""

import logging
import secrets
import traceback

_log = logging.getLogger(__name__)


def log_unexpected(error: Exception) -> str:
    """Logs where an error came from and returns the reference it is logged under.

    Its message may hold a user's text, so that is logged at level DEBUG only.
    """
    reference = secrets.token_hex(4)
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("internal error %s: %s\n%s", reference, type(error).__name__, frames)
    _log.debug("internal error %s says: %s", reference, error)
    return reference
