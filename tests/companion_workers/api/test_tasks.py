"""Tasks as the Worker serves them (see conftest.py)."""

import pytest

from tests.companion_workers.api.conftest import WorkerApi
from tests.remote.rest.test_tasks import *  # noqa: F403 - pytest collects the suite from here


@pytest.fixture
def api(worker_api: WorkerApi) -> WorkerApi:
    return worker_api


# Of a clock that stands at a Monday in March, and of listeners in this process.
del test_a_new_task_is_at_its_location_and_says_when_it_is_due_and_reminds  # noqa: F821 - from there
del test_times_without_an_offset_are_in_the_callers_own_zone  # noqa: F821 - from there
del test_the_listing_takes_every_filter_and_goes_on_by_cursor  # noqa: F821 - from there
del test_completing_stops_the_reminders_and_moves_a_repeating_task  # noqa: F821 - from there
del test_a_repeated_request_adds_one_task  # noqa: F821 - from there
del test_a_write_tells_the_users_listeners_and_nobody_elses  # noqa: F821 - from there
