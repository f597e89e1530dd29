"""The services that `tests/services/test_channels.py` tests, on Cloudflare."""

from tests.services.test_channels import *  # noqa: F403 - pytest collects the tests from here
