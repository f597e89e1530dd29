"""The text that is stored: normalised, with offsets and a title that hold for it."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dome_mcp.documents.assembly import Part, Source, assemble, normalize
from dome_mcp.documents.dates import parse_date
from dome_mcp.documents.encoding import decode
from dome_mcp.documents.registry import SUPPORTED_EXTENSIONS, parse

SOURCE = Source("notes.txt", "text/plain")


def test_text_is_normalised_for_storage_and_search() -> None:
    messy = "\ufeffe\u0301t\u00ade\r\nb \x00\ud800\x0c\n\n\n\nc\rd  \n"
    assert normalize(messy) == "éte\nb\n\nc\nd"


def test_verbatim_text_keeps_blank_lines_and_indentation() -> None:
    assert normalize("\n\n  a\n\n\n\n  b \n\n", is_verbatim=True) == "  a\n\n\n\n  b"


def test_blank_lines_in_fenced_code_are_kept() -> None:
    assert (
        normalize("a\n\n\n\nb\n```\nc\n\n\n\nd\n```\n\n\n\ne")
        == "a\n\nb\n```\nc\n\n\n\nd\n```\n\ne"
    )


@given(st.lists(st.tuples(st.text(), st.integers(1, 3), st.sampled_from([None, "A", "B"]))))
def test_sections_hold_exactly_the_text_of_their_parts(
    parts: list[tuple[str, int, str | None]],
) -> None:
    document = assemble([Part(*part) for part in parts], SOURCE)
    given_texts = [normalize(text) for text, _, _ in parts if normalize(text)]
    assert document.text == "\n\n".join(given_texts)
    joined = "\n\n".join(document.text[s.start : s.end] for s in document.sections)
    assert joined == document.text
    assert all(
        (one.page, one.heading) != (two.page, two.heading)
        for one, two in zip(document.sections, document.sections[1:], strict=False)
    )


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@pytest.mark.parametrize(
    ("given_title", "text", "title"),
    [
        ("Roof plan", "x", "Roof plan"),
        ("  Roof\n plan ", "x", "Roof plan"),
        ("Microsoft Word - roof.doc", "Roof repair\nx", "Roof repair"),
        ("untitled", "Roof repair\nx", "Roof repair"),
        ("roof_final.docx", "Roof repair\nx", "Roof repair"),
        (None, "This sentence is running text. It goes on.", "notes"),
        (None, "word " * 40, "notes"),
        (None, "Contents\n1 Roof", "notes"),
        (None, "-----", "notes"),
    ],
)
def test_the_title_is_the_first_that_says_something(
    given_title: str | None, text: str, title: str
) -> None:
    assert assemble([Part(text)], SOURCE, title=given_title).title == title


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("D:20240309103000+01'00'", datetime(2024, 3, 9, 9, 30, tzinfo=UTC)),
        ("D:20240309", datetime(2024, 3, 9)),
        ("D:20240309103000Z", datetime(2024, 3, 9, 10, 30, tzinfo=UTC)),
        ("2024-03-09T10:30:00Z", datetime(2024, 3, 9, 10, 30, tzinfo=UTC)),
        ("2024-03-09", datetime(2024, 3, 9)),
        ("Sat, 09 Mar 2024 10:30:00 -0500", datetime(2024, 3, 9, 15, 30, tzinfo=UTC)),
        ("2015", datetime(2015, 1, 1)),
        ("1851-10-18", None),
        ("9999-12-31T23:59:59-10:00", None),
        ("9999-12-31T23:59:59Z", None),
        ("9999-12-31", None),
        ("D:20241399", None),
        ("last Tuesday", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_in_metadata_are_utc_or_without_an_offset_naive(
    text: str | None, instant: datetime | None
) -> None:
    assert parse_date(text) == instant


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Grüße aus Köln", "utf-8-sig"),
        ("Grüße aus Köln", "utf-16"),
        ("Grüße aus Köln", "utf-16-be"),
        ("Grüße aus Köln, für 5 €", "cp1252"),
        ("café au lait, général, déjà vu", "latin-1"),
        ("Zażółć gęślą jaźń", "cp1250"),
        ("Москва столица России", "cp1251"),
        ("日本語のテキスト、こんにちは世界", "cp932"),
        ("日本語のテキスト、こんにちは世界", "euc_jp"),
        ("今天天气很好我们去公园", "gb18030"),
        ("안녕하세요 오늘 날씨가 좋습니다", "cp949"),
    ],
)
def test_text_is_read_in_the_encoding_it_was_written_in(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), filename="a.txt") == text


def test_a_declared_encoding_is_used_where_the_bytes_are_not_utf_8() -> None:
    data = "ţară".encode("iso-8859-2")
    assert (
        parse(data, filename="a.txt", content_type="text/plain; charset=ISO-8859-2").text == "ţară"
    )


@pytest.mark.parametrize(
    ("text", "encoding", "declared"),
    [
        ("“It’s 5 €”", "cp1252", "iso-8859-1"),
        ("“It’s 5 €”", "cp1252", "us-ascii"),
        ("①日本語", "cp932", "shift_jis"),
        ("ţară", "iso-8859-2", "ISO-8859-2"),
        ("café au lait, général, déjà vu", "latin-1", "undefined"),
        ("café au lait, général, déjà vu", "latin-1", "no-such-charset"),
    ],
)
def test_a_declared_encoding_means_what_the_web_means_by_it(
    text: str, encoding: str, declared: str
) -> None:
    assert decode(text.encode(encoding), filename="a.txt", charset=declared) == text


def test_supported_extensions_are_lower_case_and_hold_no_picture() -> None:
    assert {".pdf", ".docx", ".md", ".eml", ".ipynb", ".py"} <= SUPPORTED_EXTENSIONS
    assert ".png" not in SUPPORTED_EXTENSIONS
    assert all(name == name.lower() and name.startswith(".") for name in SUPPORTED_EXTENSIONS)


def test_no_parser_is_imported_before_its_first_document() -> None:
    parsers = ("pypdfium2", "trafilatura", "mammoth", "pptx", "openpyxl", "lxml")
    program = (
        "import sys, dome_mcp.documents.registry\n"
        f"print([name for name in {parsers} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert run.stdout.strip() == b"[]"
