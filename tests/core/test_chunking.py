"""Chunks fit the model, lie where their section lies, and change only where the text does."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dome_mcp.core.chunking import estimate_pieces, split
from dome_mcp.core.model import Chunk, Section

WORDS = [
    *("water", "boiler", "pressure", "valve", "check", "the", "a", "of", "for", "every"),
    *("spring", "Wartung", "größer", "2026", "1.5"),
]
TEXTS = st.text(alphabet=st.sampled_from("ab cé1。.\n\n #-天가\u0301\u3000"), max_size=400)


def prose(seed: int, *, sentences: int) -> str:
    choice = random.Random(seed)  # noqa: S311 - reproducible text, not a secret
    made = (
        " ".join(choice.choices(WORDS, k=choice.randint(4, 14))).capitalize() + "."
        for _ in range(sentences)
    )
    return " ".join(made)


def with_sections(*parts: tuple[str, int | None, str | None]) -> tuple[str, list[Section]]:
    text, sections = "", []
    for body, page, heading in parts:
        text += "\n\n" if text else ""
        sections.append(Section(len(text), len(text) + len(body), page, heading))
        text += body
    return text, sections


def assert_sound(chunks: Sequence[Chunk], text: str) -> None:
    position = 0
    for number, chunk in enumerate(chunks):
        assert chunk.ordinal == number
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.text == chunk.text.strip() != ""
        assert not text[position : chunk.start].strip()
        position = chunk.end
    assert not text[position:].strip()


@given(TEXTS, st.integers(1, 40))
def test_chunks_hold_every_character_once_and_in_order(text: str, max_pieces: int) -> None:
    assert_sound(split(text, max_pieces=max_pieces), text)


@given(
    st.lists(st.tuples(TEXTS, st.integers(1, 2), st.sampled_from([None, "A", "A > B", "C"]))),
    st.integers(1, 40),
)
def test_chunks_of_any_sections_hold_every_character_and_one_page(
    parts: list[tuple[str, int | None, str | None]], max_pieces: int
) -> None:
    text, sections = with_sections(*parts)
    chunks = split(text, sections, max_pieces=max_pieces)
    assert_sound(chunks, text)
    for chunk in chunks:
        pages = {
            section.page
            for section in sections
            if text[max(section.start, chunk.start) : min(section.end, chunk.end)].strip()
        }
        assert pages == {chunk.page}


@given(st.text(alphabet="abc é1.,\n", max_size=600), st.integers(5, 60))
def test_no_chunk_exceeds_the_budget(text: str, max_pieces: int) -> None:
    assert all(estimate_pieces(c.text) <= max_pieces for c in split(text, max_pieces=max_pieces))


def test_a_short_text_is_one_chunk_and_a_blank_one_is_none() -> None:
    assert split("  The key is under the pot.\n") == [Chunk(0, 2, 27, "The key is under the pot.")]
    assert split(" \n\t") == []


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    chunks = split(prose(1, sentences=120))
    assert len(chunks) > 3
    assert all(chunk.text.endswith(".") for chunk in chunks)


def test_paragraphs_are_packed_whole() -> None:
    paragraphs = [prose(seed, sentences=5) for seed in range(30)]
    packed = [chunk.text.split("\n\n") for chunk in split("\n\n".join(paragraphs))]
    assert [paragraph for chunk in packed for paragraph in chunk] == paragraphs
    assert max(map(len, packed)) > 1


def test_a_paragraph_too_long_for_a_chunk_begins_one() -> None:
    before, long = prose(1, sentences=6), prose(2, sentences=60)
    assert split(f"{before}\n\n{long}")[0].text == before


def test_a_short_line_goes_with_the_long_paragraph_below_it() -> None:
    assert split(f"Boiler:\n\n{prose(2, sentences=60)}")[0].text.startswith("Boiler:\n\n")


def test_code_is_cut_between_lines() -> None:
    code = "\n".join(
        f"    total_{n} = compute(alpha={n}, beta={'alpha + ' * (n % 5)}total_{n}) + correction"
        for n in range(99)
    )
    assert all(chunk.text.startswith("total_") for chunk in split(code))


@pytest.mark.parametrize("text", ["x" * 100_000, "天" * 5_000, "." * 5_000, "กา" * 3_000])
def test_a_line_without_spaces_is_cut_to_the_budget(text: str) -> None:
    chunks = split(text)
    assert_sound(chunks, text)
    assert all(estimate_pieces(chunk.text) <= 200 for chunk in chunks)


def test_an_accent_is_not_parted_from_its_letter() -> None:
    text = "x\u0301\u0302" * 300
    assert all(chunk.text.startswith("x") for chunk in split(text, max_pieces=10))


def test_the_last_chunk_is_not_a_crumb() -> None:
    for sentences in range(20, 60):
        sizes = [estimate_pieces(c.text) for c in split(prose(3, sentences=sentences))]
        assert min(sizes) > 40


def test_a_crumb_behind_a_large_paragraph_takes_sentences_from_it() -> None:
    text = f"{prose(4, sentences=15)}\n\nThe key is under the pot."
    assert 200 < estimate_pieces(text) < 215
    sizes = [estimate_pieces(chunk.text) for chunk in split(text)]
    assert len(sizes) == 2
    assert min(sizes) > 80


def test_a_new_page_begins_a_new_chunk_however_short() -> None:
    text, sections = with_sections(("one", 1, None), ("two", 2, None))
    assert [(c.text, c.page) for c in split(text, sections)] == [("one", 1), ("two", 2)]


def test_a_section_of_some_size_has_chunks_of_its_own() -> None:
    body = f"{prose(1, sentences=3)}\n{prose(2, sentences=3)}"
    text, sections = with_sections((body, None, "Shed > A"), (body, None, "Shed > B"))
    assert 40 < estimate_pieces(body) < 100
    assert [chunk.heading for chunk in split(text, sections)] == ["Shed > A", "Shed > B"]


def test_tiny_sections_join_under_the_heading_they_share() -> None:
    text, sections = with_sections(
        ("# Shed\nintro", None, "Shed"),
        ("## Key\npot", None, "Shed > Key"),
        ("## Code\n4711", None, "Shed > Code"),
        ("# Car\nred\nfast", None, "Car"),
    )
    assert [(c.heading, "4711" in c.text) for c in split(text, sections)] == [
        ("Shed", True),
        ("Car", False),
    ]


def test_a_heading_without_text_goes_with_what_follows_it() -> None:
    text, sections = with_sections(
        ("# Shed", None, "Shed"), (f"## Key\n{prose(1, sentences=9)}", None, "Shed > Key")
    )
    assert [chunk.heading for chunk in split(text, sections)] == ["Shed > Key"]


def test_a_small_section_of_one_line_keeps_the_location_it_shares() -> None:
    intro = "The shed behind the house holds the tools, the paint, the old boiler and its spares."
    text, sections = with_sections((intro, None, "Shed"), ("## Key\npot", None, "Shed > Key"))
    assert [chunk.heading for chunk in split(text, sections)] == ["Shed"]


def test_text_between_sections_has_no_location() -> None:
    text = f"{prose(1, sentences=9)}\n\nfound\nhere"
    chunks = split(text, [Section(text.index("found"), len(text), 3, "Map")])
    assert [(c.page, c.heading) for c in chunks] == [(None, None), (3, "Map")]


def test_editing_one_paragraph_of_a_long_text_changes_few_chunks() -> None:
    paragraphs = [prose(seed, sentences=1 + seed % 9) for seed in range(300)]
    before = {chunk.text for chunk in split("\n\n".join(paragraphs))}
    changed: list[int] = []
    for place in range(0, 300, 10):
        edited = [*paragraphs]
        edited[place] = prose(1000 + place, sentences=5)
        after = split("\n\n".join(edited))
        changed.append(sum(chunk.text not in before for chunk in after))
    assert len(before) > 100
    assert sum(changed) / len(changed) < 4
    assert max(changed) < 15


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("the key is under the pot.", 7),
        ("refrigerator", 3),
        ("2026-03-01", 6),
        ("今日は晴れ", 5),
        ("привет", 6),
        ("가나", 4),
        ("", 0),
    ],
)
def test_pieces_are_counted_as_a_word_piece_tokenizer_would(text: str, pieces: int) -> None:
    assert estimate_pieces(text) == pieces
