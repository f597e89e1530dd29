"""The services that `tests/services/test_context.py` tests, on Cloudflare."""

from tests.services.test_context import *  # noqa: F403 - pytest collects the tests from here
