"""Search and status as the Worker serves them (see conftest.py)."""

from tests.remote.rest.test_search import *  # noqa: F403 - pytest collects the suite from here
