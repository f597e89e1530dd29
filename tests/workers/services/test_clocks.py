"""The services that `tests/services/test_clocks.py` tests, on Cloudflare."""

from tests.services.test_clocks import *  # noqa: F403 - pytest collects the tests from here
