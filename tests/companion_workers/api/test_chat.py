"""Chat as the Worker serves them (see conftest.py)."""

from tests.remote.rest.test_chat import *  # noqa: F403 - pytest collects the suite from here
