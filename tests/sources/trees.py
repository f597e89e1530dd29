"""Files for tests to find, and marks for what not every system has."""

import os
from pathlib import Path

import pytest

needs_posix = pytest.mark.skipif(os.name != "posix", reason="pipes and modes of POSIX")
needs_modes = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may read whatever the mode says"
)


def grow(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
