"""The services that `tests/services/test_archive.py` tests, on Cloudflare."""

from tests.services.test_archive import *  # noqa: F403 - pytest collects the tests from here
