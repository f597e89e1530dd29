"""What became of each thing that a command took in, and how that is told."""

from dataclasses import dataclass, field
from typing import Literal

from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, described
from dome_mcp.core.errors import DomeError
from dome_mcp.core.model import IndexState, Ingested

Outcome = Literal["stored", "updated", "unchanged"]


@dataclass(slots=True)
class Tally:
    """Counts, and what went wrong by source; one source that fails stops no other."""

    stored: int = 0
    updated: int = 0
    unchanged: int = 0
    tasks: int = 0
    reminders: int = 0
    """These two come back from an export only; the counts above are of notes."""
    notes: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    failures: list[tuple[str, DomeError]] = field(default_factory=list[tuple[str, DomeError]])
    skipped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """What was passed over on purpose, and why."""

    def add(self, source: str, ingested: Ingested) -> None:
        if ingested.duplicate:
            outcome: Outcome = "unchanged"
        else:
            outcome = "updated" if ingested.updated else "stored"
        self.count(source, ingested.note.note_id, outcome)

    def count(self, source: str, note_id: str, outcome: Outcome) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)
        self.notes.append({"source": source, "note_id": note_id, "outcome": outcome})

    def fail(self, source: str, error: DomeError) -> None:
        self.failures.append((source, error))

    def skip(self, source: str, reason: str) -> None:
        self.skipped.append((source, reason))


def report(tally: Tally, index: IndexState, output: Output) -> int:
    """Prints the tally and returns the exit code: 1 where something failed."""
    output.value(
        {
            "stored": tally.stored,
            "updated": tally.updated,
            "unchanged": tally.unchanged,
            "tasks": tally.tasks,
            "reminders": tally.reminders,
            "failed": [{"source": source, **described(error)} for source, error in tally.failures],
            "skipped": [{"source": source, "reason": reason} for source, reason in tally.skipped],
            "notes": tally.notes,
            "pending_chunks": index.pending_chunks,
            "index_state": index.note or "ready",
        }
    )
    parts = [f"{tally.stored} stored", f"{tally.updated} updated", f"{tally.unchanged} unchanged"]
    if tally.tasks or tally.reminders:
        parts.append(f"{tally.tasks} tasks, {tally.reminders} reminders")
    if tally.failures:
        parts.append(f"{len(tally.failures)} failed")
    output.line(", ".join(parts) + ".")
    if index.note:
        output.line(index.note, "yellow")
    for source, reason in tally.skipped:
        output.line(f"skipped  {source}: {reason}", "yellow")
    for source, error in tally.failures:
        output.line(f"failed   {source}: {error}", "red")
    return FAILED if tally.failures else 0
