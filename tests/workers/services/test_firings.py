"""The services that `tests/services/test_firings.py` tests, on Cloudflare."""

from tests.services.test_firings import *  # noqa: F403 - pytest collects the tests from here
