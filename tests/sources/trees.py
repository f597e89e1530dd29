"""Files for tests to find, and marks for what not every system has."""

import os
from pathlib import Path

import pytest

needs_posix = pytest.mark.skipif(os.name != "posix", reason="pipes and modes of POSIX")


def grow(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
