"""`python -m tests.workers.local_cloudflare`: a Cloudflare account on this machine, to try DOME on.

    python -m tests.workers.local_cloudflare [--folder DIR] [--port N]

On standard output it says what to export so that README's section on Cloudflare can be followed
against it; it runs until Ctrl-C. Without a folder everything is gone then.
"""

import argparse
import shlex
import signal
import sys
import tempfile
import threading
from pathlib import Path

from tests.workers.local_cloudflare.embedder_server import embedder_server
from tests.workers.local_cloudflare.running import local_cloudflare


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.workers.local_cloudflare")
    parser.add_argument(
        "--folder", type=Path, help="where its data is kept; else it is thrown away"
    )
    parser.add_argument("--port", type=int, default=0, help="where it listens; else on a free port")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as thrown_away:
        folder = (arguments.folder or Path(thrown_away)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        run(folder, arguments.port)


def run(folder: Path, port: int) -> None:
    """Runs it until a signal, its settings on standard output."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with (
        embedder_server() as embedder,
        local_cloudflare(folder, embedder=embedder, port=port) as running,
    ):
        print(f"A Cloudflare account, kept in {folder}. Ctrl-C ends it.", file=sys.stderr)
        for name, value in running.settings.items():
            print(f"export {name}={shlex.quote(value)}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
