"""The services that `tests/services/test_dispatch_attempts.py` tests, on Cloudflare."""

from tests.services.test_dispatch_attempts import *  # noqa: F403 - pytest collects the tests from here
