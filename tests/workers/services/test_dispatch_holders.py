"""The services that `tests/services/test_dispatch_holders.py` tests, on Cloudflare."""

from tests.services.test_dispatch_holders import *  # noqa: F403 - pytest collects the tests from here
