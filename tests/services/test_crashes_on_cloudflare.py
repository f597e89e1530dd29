"""A write on Cloudflare that is cut off at any request loses nothing and doubles nothing."""

import pytest

from tests.services.clouds import CUTS, simulated_site
from tests.services.cut_off import check_every_request
from tests.services.cut_off_agenda import check_every_request_of_agenda
from tests.services.test_agenda_crashes import CALLS
from tests.services.writes import SCENARIOS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_write_cut_off_at_any_request_is_whole_or_not_there_and_can_be_repeated(
    name: str, cut: str
):
    await check_every_request(SCENARIOS[name], simulated_site, cut=CUTS[cut])


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", CALLS)
async def test_a_change_of_the_agenda_cut_off_at_any_request_is_made_once(name: str, cut: str):
    await check_every_request_of_agenda(name, simulated_site, cut=CUTS[cut])
