"""Sessions as the Worker serves them (see conftest.py)."""

from tests.remote.rest.test_sessions import *  # noqa: F403 - pytest collects the suite from here
