"""A companion whose clock can be set forward from outside, as a process of its own.

    python -m benchmarks.reminder_companion HOME OFFSET_FILE OPTIONS

It is the companion that users run, with another clock: the machine's, plus as many seconds as
OFFSET_FILE says. OPTIONS is JSON: `timeout_seconds` of a notifier, and `policy`, the fields of
DeliveryPolicy to change.
"""

import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio

from dome_mcp import settings as settings_module
from dome_mcp.backends.embedded.notify.registry import NotifyOptions, notifiers
from dome_mcp.companion_wiring import open_agenda
from dome_mcp.notifying import checked_transport, public_addresses
from worker_companions.local import log_to_stderr
from worker_companions.loops import Companion


async def run(home: Path, offset_file: Path, options: dict[str, Any]) -> None:
    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(offset_file.read_text()))

    settings = settings_module.load({}, overrides={"home": str(home), "log_level": "ERROR"})
    log_to_stderr(settings)
    served = notifiers(
        NotifyOptions(
            home=home,
            clock=clock,
            connect=checked_transport,
            look_up=public_addresses,
            platform=sys.platform,
            variables={},
            timeout_seconds=options["timeout_seconds"],
        )
    )
    async with open_agenda(settings) as opened:
        policy = replace(opened.policy, **options["policy"])
        agenda = replace(opened, notifiers=served, policy=policy)
        await Companion(agenda, clock, pid=os.getpid()).run()


if __name__ == "__main__":
    anyio.run(run, Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
