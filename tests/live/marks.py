"""The marks of every module of live tests."""

import pytest

LIVE = [pytest.mark.live, pytest.mark.anyio, pytest.mark.usefixtures("budget")]
