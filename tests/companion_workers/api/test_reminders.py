"""Reminders as the Worker serves them (see conftest.py)."""

import pytest

from tests.companion_workers.api.conftest import WorkerApi
from tests.remote.rest.test_reminders import *  # noqa: F403 - pytest collects the suite from here


@pytest.fixture
def api(worker_api: WorkerApi) -> WorkerApi:
    return worker_api


# Of a clock that stands at a Monday in March.
del test_a_new_reminder_echoes_its_local_time_zone_and_next_fires  # noqa: F821 - from there
del test_every_action_does_what_it_says  # noqa: F821 - from there
del test_a_repeated_move_moves_once_also_where_the_first_answer_was_lost  # noqa: F821 - from there
