"""The lag that `tests/services/test_lag_on_cloudflare.py` tests, on the local Cloudflare."""

from tests.services.test_lag_on_cloudflare import *  # noqa: F403 - pytest collects the tests from here
