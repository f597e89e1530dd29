"""Whether one sentence denies what the other says."""

import pytest

from dome_mcp.core.negation import Stance

DOGS = "The landlord does not allow dogs in the flat."


def contradict(one: str, other: str) -> bool:
    stances = Stance.of(one), Stance.of(other)
    found = {stances[0].contradicts(stances[1]), stances[1].contradicts(stances[0])}
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dogs are allowed.", DOGS),
        ("Hunde sind in der Wohnung erlaubt.", "Hunde sind in der Wohnung nicht erlaubt."),
        ("The boiler was not serviced by Brandt.", "The boiler was serviced by Brandt."),
        ("Smoking is permitted.", "Smoking is forbidden."),
        ("Es gibt einen Aufzug.", "Es gibt keinen Aufzug."),
        ("The flat comes with furniture.", "The flat comes without furniture."),
    ],
)
def test_to_say_what_the_other_denies_is_a_contradiction(one: str, other: str) -> None:
    assert contradict(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dogs are not allowed.", DOGS),
        ("The landlord forbids dogs.", DOGS),
        ("The heating was serviced.", "The heating was not replaced but serviced."),
        ("Die Heizung wurde gewartet.", "Die Heizung wurde nicht erneuert, sondern gewartet."),
        ("It costs 5 EUR and it is red.", "It is not only red but cheap: it costs 5 EUR."),
        ("The tap drips.", "Nobody called."),
        ("It is in room 5.", "It is in room no. 5."),
    ],
)
def test_what_is_not_denied_is_not_contradicted(one: str, other: str) -> None:
    assert not contradict(one, other)
