"""Fixtures every test may use, and how pytest-xdist runs the tests in several processes."""

import pytest
from xdist import is_xdist_worker
from xdist.remote import Producer

from tests.distribution import SharesOfTests, is_worth_sharing, place_of


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """None: as many processes as the machine has processors."""
    return None if is_worth_sharing(config.args, config.option.markexpr) else 0


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SharesOfTests:
    return SharesOfTests(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    if is_xdist_worker(session):
        items.sort(key=lambda item: place_of(item.nodeid))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
