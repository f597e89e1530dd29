"""llama.cpp with a small model, as a process from start to end."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.child_process import end, first_answer
from tests.language_model.packages import MODEL_FILE, installed

NAME = "SmolLM2-135M-Instruct"
CONTEXT_TOKENS = 2048
"""What the model reads and writes together here. It was trained for 8192, but of a longer prompt it
repeats the rules; so told, DOME gives it little to read (services/rewording.py)."""

_SERVING = Path(__file__).with_name("serving.py")
_START_SECONDS = 60
_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class RunningModel:
    """A server of OpenAI's interface, and what it takes to ask it."""

    url: str
    process: subprocess.Popen[str]
    model: str = NAME
    context_tokens: int = CONTEXT_TOKENS
    api_key: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """DOME's settings for it."""
        settings = {
            "DOME_LLM_URL": self.url,
            "DOME_LLM_MODEL": self.model,
            "DOME_LLM_CONTEXT_TOKENS": str(self.context_tokens),
        }
        return settings if self.api_key is None else {**settings, "DOME_LLM_API_KEY": self.api_key}


@contextmanager
def running_model(
    *, port: int = 0, context_tokens: int = CONTEXT_TOKENS, api_key: str | None = None
) -> Iterator[RunningModel]:
    """Serves the model until the block ends, or this process does; port 0 is any that is free."""
    folder = installed()
    settings = {
        "name": NAME,
        "model_path": str(folder / MODEL_FILE),
        "port": port,
        "api_keys": [api_key] if api_key else [],
        "context_tokens": context_tokens,
    }
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    process = subprocess.Popen(
        [sys.executable, str(_SERVING)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which ends that one
    )
    with process:
        try:
            address = first_answer(process, settings, seconds=_START_SECONDS)
            yield RunningModel(f"{address}/v1", process, NAME, context_tokens, api_key)
        finally:
            end(process, seconds=_STOP_SECONDS)
