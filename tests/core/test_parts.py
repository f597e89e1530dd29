"""Into which questions a question is parted, and what stays together."""

import pytest

from dome_mcp.core.parts import MOST_PARTS, parts_of


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "How thick is the worktop and who does the wiring?",
            ["How thick is the worktop", "who does the wiring?"],
        ),
        (
            "When does the course start, and what does it cost?",
            ["When does the course start", "what does it cost?"],
        ),
        (
            "Wann beginnt der Kurs und was kostet er?",
            ["Wann beginnt der Kurs", "was kostet er?"],
        ),
        (
            "Who does the wiring, when is the water off, and what does the oven cost?",
            ["Who does the wiring", "when is the water off", "what does the oven cost?"],
        ),
        (
            "What is the booking number? And when does the ferry leave?",
            ["What is the booking number?", "when does the ferry leave?"],
        ),
        ("Who does the wiring, and when?", ["Who does the wiring", "when?"]),
        (
            "What is the rent in Lisbon and in Porto?",
            ["What is the rent in Lisbon?", "What is the rent in Porto?"],
        ),
        (
            "Compare the rent in Lisbon and in Porto",
            ["the rent in Lisbon", "the rent in Porto"],
        ),
        ("Compare the rent in Lisbon and Porto.", ["the rent in Lisbon", "the rent in Porto"]),
        ("Vergleiche den Ofen mit dem Herd.", ["den Ofen", "dem Herd"]),
        ("What is the difference between Hansen and Nordtop?", ["Hansen", "Nordtop"]),
    ],
)
def test_a_compound_question_is_parted(question: str, parts: list[str]) -> None:
    assert parts_of(question) == parts


@pytest.mark.parametrize(
    "question",
    [
        "How thick is the worktop?",
        "How much salt and pepper goes in?",
        "What are the terms and conditions?",
        "Which album is by Simon and Garfunkel?",
        "When and where is the party?",
        "Do you know when and where the party is?",
        "Who is the man, who fixed the roof?",
        "I have a boiler. Who serviced it?",
        "What did Maria do between March and May?",
        "What is the difference between the old and the new contract?",
        "What is it good for in baking and in roasting?",
        f"{'What is said here? ' * 40}",
    ],
)
def test_what_belongs_together_stays_together(question: str) -> None:
    assert parts_of(question) == [question]


def test_the_last_of_too_many_parts_has_all_that_follows() -> None:
    parts = parts_of("Who paints? Who cooks? Who cleans? Who pays?")
    assert parts == ["Who paints?", "Who cooks?", "Who cleans? Who pays?"]
    assert len(parts) == MOST_PARTS
