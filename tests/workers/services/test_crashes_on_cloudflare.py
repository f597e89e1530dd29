"""Some of the writes that `tests/services/test_crashes_on_cloudflare.py` cuts off, cut off here.

There each request is cut off in every way; here are those where what is real differs most from what
is simulated: a transaction of D1, an object of R2 and a mutation that are done and not answered.
"""

import pytest

from tests.services.clouds import CUTS, NewSite
from tests.services.cut_off import check_every_request
from tests.services.cut_off_agenda import check_every_request_of_agenda
from tests.services.test_agenda_crashes import CALLS
from tests.services.writes import SCENARIOS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("cut", ["the process dies", "no answer comes from then on"])
@pytest.mark.parametrize("name", ["refresh a file", "delete a note with vectors"])
async def test_a_write_cut_off_is_whole_or_not_there_and_can_be_repeated(
    new_site: NewSite, name: str, cut: str
) -> None:
    await check_every_request(SCENARIOS[name], new_site, cut=CUTS[cut], step=2)


@pytest.mark.parametrize("cut", ["the process dies", "one answer is lost"])
@pytest.mark.parametrize("name", CALLS)
async def test_a_change_of_the_agenda_cut_off_is_made_once(
    new_site: NewSite, name: str, cut: str
) -> None:
    await check_every_request_of_agenda(name, new_site, cut=CUTS[cut])
