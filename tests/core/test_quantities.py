"""Numbers of a claim held against those of a note."""

import pytest

from dome_mcp.core.quantities import clauses_of, measured_in, misreads, numbers_of

LEASE = "The rent of 1,140 EUR is due on the 3rd of May 2026; the deposit is 2,280 EUR."


@pytest.mark.parametrize(
    ("claim", "note"),
    [
        ("The invoice was €238.5.", "The invoice came to 238.50 EUR."),
        ("Die Rechnung betrug 238,50 Euro.", "The invoice came to 238.50 EUR."),
        ("The notice period is 3 months.", "Die Kündigungsfrist beträgt drei Monate."),
        ("The notice period is three months.", "The notice period is 3 months."),
        ("It is on 12 June 2026 at 14:30.", "The appointment is on 12.06.2026 at 14:30."),
        ("It is on June 12, 2026.", "Der Termin ist am 12. Juni 2026."),
        ("It was in June 2026.", "It was on 12 June 2026."),
        ("The rent is 1140 EUR.", LEASE),
        ("The rent is 1,140 EUR and the deposit is 2,280 EUR.", LEASE),
        ("The pressure is 1.2 to 1.8 bar.", "Keep the pressure between 1.2 and 1.8 bar."),
        ("There are two suppliers.", "The suppliers are Meier and Otto."),
        ("The tiles cost 780 EUR.", "| Cabinets | 6,400 EUR |\n| Tiles | 780 EUR |"),
        ("The service cost 238 EUR.", "Brandt came on 4 May, and the bill was 238 EUR."),
    ],
)
def test_a_number_may_be_written_in_another_way(claim: str, note: str) -> None:
    assert not misreads(clauses_of(claim), clauses_of(note))


@pytest.mark.parametrize(
    ("claim", "note"),
    [
        ("The invoice came to 328.50 EUR.", "The invoice came to 238.50 EUR."),
        ("The invoice came to 238.50 bar.", "The invoice came to 238.50 EUR."),
        ("Take 20 g of it.", "Take 20 mg of it."),
        ("It takes three months.", "It takes three weeks."),
        ("It was on 17 March 2026.", "It was on 17 February 2026."),
        ("Es war am 12. Juni.", "Es war am 12. Mai."),
        (
            "The inspection is in May 2026.",
            "It came on 3 May 2026. The inspection is in June 2028.",
        ),
        ("The deposit is 1,140 EUR.", LEASE),
        ("The rent is 2,280 EUR and the deposit is 1,140 EUR.", LEASE),
        ("The tiles cost 6,400 EUR.", "| Cabinets | 6,400 EUR |\n| Tiles | 780 EUR |"),
    ],
)
def test_another_number_or_measure_or_the_number_of_something_else_is_misread(
    claim: str, note: str
) -> None:
    assert misreads(clauses_of(claim), clauses_of(note))


def test_the_date_of_a_note_counts_nothing() -> None:
    dated = clauses_of("2026-03-15", unmeasured="date")
    assert numbers_of(dated) == {"15.3", "15", "2026", "3/2026"}
    assert not misreads(clauses_of("It was on 15 March."), dated)
    assert misreads(clauses_of("It takes 3 weeks."), dated)


def test_what_counts_is_told_from_what_is_said_of_it() -> None:
    assert measured_in("Three weeks and 20 mg every day for €5") == {"three", "weeks", "mg", "€"}
