"""The services that `tests/services/test_access.py` tests, on Cloudflare."""

from tests.services.test_access import *  # noqa: F403 - pytest collects the tests from here
