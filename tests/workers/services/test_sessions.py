"""The services that `tests/services/test_sessions.py` tests, on Cloudflare."""

from tests.services.test_sessions import *  # noqa: F403 - pytest collects the tests from here
