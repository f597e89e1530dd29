"""The embedder outlives the worker threads that loaded it and that used it."""

import subprocess
import sys

_LOADED_AND_USED_IN_THREADS_THAT_END = """
import anyio
from pathlib import Path
from dome_mcp.backends.embedded.models import LazyEmbedder, describe

embedder = LazyEmbedder(describe(None, cache=Path()))

async def use(again):
    vector = await again.embed_query("Does it work?")
    print(len(vector))

for _ in range(3):  # Each loop ends its worker threads.
    anyio.run(use, embedder)
    anyio.run(use, LazyEmbedder(describe(None, cache=Path())))
"""


def test_a_model_works_on_when_the_thread_that_loaded_it_has_ended() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _LOADED_AND_USED_IN_THREADS_THAT_END],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stdout.split()) == (0, ["384"] * 6)
