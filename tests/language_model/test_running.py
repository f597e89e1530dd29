"""The server that the other tests ask ends when it should."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


def test_a_server_whose_parent_was_killed_ends_too() -> None:
    command = [sys.executable, "-m", "tests.language_model"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith("export DOME_LLM_URL=http://127.0.0.1:")
        parent.kill()
        # The server has the other pipe too: it ends when neither of them runs.
        parent.communicate(timeout=PATIENCE_SECONDS)
