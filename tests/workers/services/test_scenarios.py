"""The services that `tests/services/test_scenarios.py` tests, on Cloudflare."""

from tests.services.test_scenarios import *  # noqa: F403 - pytest collects the tests from here
