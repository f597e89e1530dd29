"""The database suite over a D1 of the account."""

from tests.conformance.database_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.live.marks import LIVE

pytestmark = LIVE
