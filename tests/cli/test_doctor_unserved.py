"""`doctor` names the notices that wait for a companion which does not run."""

import time

import apsw

from dome_mcp.core.awaiting import AWAITING
from tests.cli.conftest import Cli


def test_notices_that_nobody_who_runs_can_send_are_told_of(cli: Cli) -> None:
    cli("doctor")
    now = round(time.time() * 1000)
    connection = apsw.Connection(str(cli.home / "dome.db"))
    connection.execute("INSERT INTO heartbeats VALUES ('dome-cron', ?, '{}')", (now,))
    connection.execute(
        "INSERT INTO deliveries (delivery_key, reminder_id, user_id, due_at_ms, channel, state, "
        "not_before_ms, created_at_ms, last_error) "
        "VALUES ('k', 'r', 'me', 0, 'mail', 'PENDING', ?, 0, ?)",
        (now + 60_000, f"{AWAITING}that reaches the mail server."),
    )
    connection.close()
    ran = cli("doctor")
    assert ran.code == 0
    said = "to be sent by the channel mail: 1. Waits for a companion that reaches the mail server."
    assert f"warning  companion: {said}" in ran.out
