"""Counts over all users, for whoever runs the server. No statement here reads what anybody wrote.

They are asked for every few seconds, so each counts by an index or over rows that are soon gone.
"""

from dome_mcp.core.ports import Statement

_OVERALL = """
SELECT
  (SELECT count(*) FROM notes WHERE deleted_at_ms IS NULL) AS notes,
  (SELECT count(*) FROM chunks WHERE embedded_with IS NULL) AS chunks_pending,
  (SELECT count(*) FROM reminders WHERE due_at_ms IS NOT NULL) AS reminders_upcoming,
  (SELECT count(*) FROM deliveries WHERE state = 'PENDING')
  + (SELECT count(*) FROM deliveries WHERE state = 'SENDING') AS deliveries_waiting,
  (SELECT count(*) FROM deliveries WHERE state = 'FAILED') AS deliveries_failed,
  (SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')) AS jobs_open"""


def overall_counts() -> Statement:
    """One row: how much there is, and how much waits, over all users."""
    return Statement(_OVERALL)
