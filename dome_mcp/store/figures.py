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


_HELD = """
SELECT
  (SELECT count(*) FROM notes) AS notes, (SELECT count(*) FROM chunks) AS chunks,
  (SELECT count(*) FROM tasks) AS tasks, (SELECT count(*) FROM reminders) AS reminders,
  (SELECT count(*) FROM deliveries) AS deliveries,
  (SELECT count(*) FROM vector_ledger WHERE is_settled = 0) AS unsettled_vectors"""


def held_rows() -> Statement:
    """One row: how many rows the largest tables hold, and how many vectors are on their way.

    It reads them all, which a person may ask for, and nothing that asks by itself.
    """
    return Statement(_HELD)


def overall_counts() -> Statement:
    """One row: how much there is, and how much waits, over all users."""
    return Statement(_OVERALL)
