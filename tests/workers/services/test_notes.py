"""The services that `tests/services/test_notes.py` tests, on Cloudflare."""

from tests.services.test_notes import *  # noqa: F403 - pytest collects the tests from here
from tests.services.test_notes import test_deleted_is_deleted_everywhere

del test_deleted_is_deleted_everywhere  # looks into the embedded index; see test_deletion.py
