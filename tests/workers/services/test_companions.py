"""The services that `tests/services/test_companions.py` tests, on Cloudflare."""

from tests.services.test_companions import *  # noqa: F403 - pytest collects the tests from here
