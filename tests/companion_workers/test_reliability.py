"""The promises of the Workers on a small scale: benchmarks/worker_reminders.py tries more."""

import pytest

from benchmarks.worker_reminders import BRISK_FAULTS, Trial, run
from tests.companion_workers.cloud import Cloud

pytestmark = pytest.mark.anyio

REMINDERS = 30


async def test_ended_workers_and_a_failing_sink_lose_and_double_nothing(cloud: Cloud) -> None:
    trial = Trial(REMINDERS, aborts=1, faults=BRISK_FAULTS, abort_seconds=1.0)
    report = await run(cloud, trial)
    assert (report.firings, report.lost, report.duplicates, report.untrue) == (REMINDERS, 0, 0, 0)
    assert report.failed == report.failed_and_listed
    assert report.kills == 1
    assert set(report.faults) <= set(BRISK_FAULTS)
    assert report.faults
