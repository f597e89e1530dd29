"""The services that `tests/services/test_agenda_archive.py` tests, on Cloudflare."""

from tests.services.test_agenda_archive import *  # noqa: F403 - pytest collects the tests from here
