"""The model that the tests of a session share."""

from collections.abc import Iterator

import pytest

from tests.language_model.running import RunningModel, running_model


@pytest.fixture(scope="session")
def language_model() -> Iterator[RunningModel]:
    with running_model() as running:
        yield running
