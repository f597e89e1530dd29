"""`python -m tests.language_model`: a small language model on this machine, for DOME to ask.

    python -m tests.language_model [--port N] [--context TOKENS]

On standard output it says what to export; it runs until Ctrl-C.
"""

import argparse
import shlex
import sys
from contextlib import suppress

from tests.language_model.running import CONTEXT_TOKENS, running_model


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.language_model")
    parser.add_argument("--port", type=int, default=0, help="where it is served; else any is taken")
    parser.add_argument("--context", type=int, default=CONTEXT_TOKENS, help="tokens (%(default)s)")
    arguments = parser.parse_args()
    with (
        suppress(KeyboardInterrupt),
        running_model(port=arguments.port, context_tokens=arguments.context) as running,
    ):
        assigned = (f"{key}={shlex.quote(value)}" for key, value in running.environment.items())
        print("export", *assigned, flush=True)
        print("Ctrl-C ends it.", file=sys.stderr)
        running.process.wait()


if __name__ == "__main__":
    main()
