"""The services that `tests/services/test_actions.py` tests, on Cloudflare."""

from tests.services.test_actions import *  # noqa: F403 - pytest collects the tests from here
