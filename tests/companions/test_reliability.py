"""The promises of the reminder engine, on a small scale: benchmarks/reminders.py tries more.

Companions run as processes and are killed in the middle of whatever they do; a mail server and a
webhook take the notices, and refuse a third of them.
"""

from pathlib import Path

import pytest

from benchmarks.reminder_report import Report
from benchmarks.reminder_run import Trial, run

pytestmark = pytest.mark.anyio

REMINDERS = 120


def outcome(report: Report) -> dict[str, int]:
    return {
        "firings": report.firings,
        "lost": report.lost,
        "duplicates": report.duplicates,
        "untrue": report.untrue,
        "hidden failures": report.failed - report.failed_and_listed,
    }


KEPT = {
    "firings": REMINDERS,
    "lost": 0,
    "duplicates": 0,
    "untrue": 0,
    "hidden failures": 0,
}


async def test_killed_companions_and_failing_receivers_lose_and_double_nothing(
    tmp_path: Path,
) -> None:
    trial = Trial(
        REMINDERS,
        seconds=3.0,
        failing=1 / 3,
        kill_every_seconds=1.5,
        jumps=1,
        jump_seconds=1.0,
        timeout_seconds=1.0,
        give_up_after_seconds=120,
    )
    report = await run(tmp_path, trial)
    assert outcome(report) == KEPT
    assert report.kills > 0
    assert {"timeout", "reset", "reset after taking", "421"} <= set(report.faults)


async def test_what_no_receiver_ever_takes_is_listed_as_failed(tmp_path: Path) -> None:
    trial = Trial(
        REMINDERS, seconds=1.0, failing=1.0, timeout_seconds=0.5, policy={"max_attempts": 2}
    )
    report = await run(tmp_path, trial)
    assert outcome(report) == KEPT
    assert report.failed == report.failed_and_listed > 0
