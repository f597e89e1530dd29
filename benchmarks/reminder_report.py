"""What came of a run of the reminder engine: what the rows say, beside what arrived."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmarks.reminder_sinks import Receiver
from dome_mcp.core.ports import Database, Ports, Statement
from dome_mcp.services.reminders import ReminderQuery, list_reminders

USER = "me"

_COUNTS = """
SELECT
  (SELECT count(*) FROM reminders WHERE due_at_ms IS NOT NULL) AS waiting,
  (SELECT count(*) FROM firings) AS firings,
  (SELECT count(*) FROM deliveries WHERE state IN ('PENDING', 'SENDING')) AS under_way,
  (SELECT count(*) FROM deliveries WHERE state = 'DELIVERED') AS delivered,
  (SELECT count(*) FROM deliveries WHERE state = 'FAILED') AS failed"""
_STATES = """
SELECT r.text, d.state FROM deliveries d JOIN reminders r ON r.reminder_id = d.reminder_id"""


@dataclass
class Report:
    """What came of it. Lateness is by the machine's clock, so it says nothing after a jump."""

    reminders: int
    taken: int = 0
    lost: int = 0
    duplicates: int = 0
    repeats: int = 0
    failed: int = 0
    failed_and_listed: int = 0
    untrue: int = 0
    """Deliveries called delivered that no sink took."""
    firings: int = 0
    kills: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    lateness: list[float] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """Whether every promise held."""
        is_visible = self.failed == self.failed_and_listed
        is_whole = self.firings == self.reminders
        return is_visible and is_whole and not (self.lost or self.duplicates or self.untrue)

    def late_ms(self, share: float) -> float:
        """The lateness that `share` of the notices stayed under, in milliseconds."""
        ordered = sorted(self.lateness)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def tally(ports: Ports, receiver: Receiver, reminders: int) -> Report:
    """What the rows say, beside what arrived."""
    counts = await count(ports.database)
    rows = await ports.database.query(Statement(_STATES))
    states = {int(str(row["text"])[-6:]): str(row["state"]) for row in rows}
    taken = set(receiver.keys)
    failed = {number for number, state in states.items() if state == "FAILED"}
    listed = await _listed_as_failed(ports)
    return Report(
        reminders=reminders,
        taken=len(taken),
        lost=len(set(range(reminders)) - taken - (failed & listed)),
        duplicates=receiver.duplicates,
        repeats=receiver.repeats,
        failed=len(failed),
        failed_and_listed=len(failed & listed),
        untrue=sum(state == "DELIVERED" and n not in taken for n, state in states.items()),
        firings=counts["firings"],
        faults=dict(receiver.faults),
    )


async def count(database: Database) -> dict[str, int]:
    """How many reminders wait, and firings and deliveries in each state there are."""
    (row,) = await database.query(Statement(_COUNTS))
    return {name: int(str(value)) for name, value in row.items()}


async def _listed_as_failed(ports: Ports) -> set[int]:
    """The numbers of the reminders that `list_reminders` calls failed."""
    found: set[int] = set()
    cursor: str | None = None
    while True:
        page = await list_reminders(
            ReminderQuery("failed"),
            ports,
            user_id=USER,
            now=datetime.now(UTC),
            limit=200,
            cursor=cursor,
        )
        found |= {int(view.reminder.text[-6:]) for view in page.reminders}
        cursor = page.next_cursor
        if cursor is None:
            return found
