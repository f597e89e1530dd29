"""Every format gives its text, where it stood, its title and its date."""

import json
from datetime import UTC, datetime

import pytest

from dome_mcp.core.model import Document
from dome_mcp.documents.registry import parse
from tests.documents import builders


def places(document: Document) -> list[tuple[int | None, str | None, str]]:
    """Page, heading and text of each section."""
    return [(s.page, s.heading, document.text[s.start : s.end]) for s in document.sections]


def test_a_pdf_keeps_its_page_numbers_title_and_date() -> None:
    data = builders.pdf(
        ["Boiler manual\nKeep it dry.", "", "Set the pressure to 1.5 bar."],
        info="/Title (Boiler B200) /CreationDate (D:20240309103000+01'00')",
    )
    document = parse(data, filename="manual.pdf")
    assert places(document) == [
        (1, None, "Boiler manual\nKeep it dry."),
        (3, None, "Set the pressure to 1.5 bar."),
    ]
    assert document.title == "Boiler B200"
    assert document.created_at == datetime(2024, 3, 9, 9, 30, tzinfo=UTC)
    assert document.content_type == "application/pdf"


def test_a_pdf_is_cut_where_its_bookmarks_stand() -> None:
    data = builders.pdf(
        ["Preface\nHello.", "still the preface\n2 Safety\nUnplug it first."],
        bookmarks=[("Preface", 0), ("Safety", 1)],
    )
    assert places(parse(data, filename="manual.pdf")) == [
        (1, "Preface", "Preface\nHello."),
        (2, "Preface", "still the preface"),
        (2, "Safety", "2 Safety\nUnplug it first."),
    ]


def test_a_word_that_a_pdf_broke_at_the_line_end_is_whole_again() -> None:
    data = builders.pdf(
        ["The water connec-\ntion is on the left side\nof the Bosch-\nSiemens unit."]
    )
    text = parse(data, filename="a.pdf").text
    assert "water connection is" in text
    assert "Bosch-Siemens unit" in text


def test_right_to_left_letters_of_a_pdf_read_in_spoken_order() -> None:
    assert parse(builders.ligature_pdf("שלום"), filename="a.pdf").text == "שלום"


def test_a_pdf_without_a_title_is_named_after_its_first_line() -> None:
    data = builders.pdf(["Garden plan\nCarrots."], info="/Title (Microsoft Word - plan.doc)")
    assert parse(data, filename="a.pdf").title == "Garden plan"


def test_a_word_document_keeps_headings_lists_tables_and_properties() -> None:
    body = (
        builders.word_paragraph("Meeting", style="H1")
        + builders.word_paragraph("Ann opened it.")
        + builders.word_paragraph("Decisions", style="H2")
        + builders.word_table([["What", "Cost"], ["Roof", "1200"]])
    )
    data = builders.docx(body, title="Protocol of May", created="2026-05-02T08:00:00Z")
    document = parse(data, filename="protocol.docx")
    assert places(document) == [
        (None, "Meeting", "# Meeting\n\nAnn opened it."),
        (None, "Meeting > Decisions", "## Decisions\n\nWhat: Roof; Cost: 1200"),
    ]
    assert document.title == "Protocol of May"
    assert document.created_at == datetime(2026, 5, 2, 8, tzinfo=UTC)


def test_the_title_style_of_a_word_document_is_a_heading() -> None:
    data = builders.docx(builders.word_paragraph("Lease", style="T") + builders.word_paragraph("x"))
    assert places(parse(data, filename="a.docx")) == [(None, "Lease", "# Lease\n\nx")]


def test_groups_and_charts_on_a_slide_are_text() -> None:
    assert parse(builders.drawing_pptx(), filename="a.pptx").text == (
        "Inside the group\n\nWeather\n"
        "Category: May; Rain mm: 42; Sun h: 180.5\nCategory: June; Sun h: 230"
    )


def test_a_presentation_has_its_slides_as_pages_with_notes_and_tables() -> None:
    data = builders.pptx(
        [("Plan", "Buy seeds", "Ask Tom first"), ("Budget", "See below", "")],
        table=[["Item", "Euro"], ["Seeds", "14"]],
    )
    document = parse(data, filename="talk.pptx")
    assert places(document) == [
        (1, "Plan", "Plan\n\nBuy seeds\n\nNotes: Ask Tom first"),
        (2, "Budget", "Budget\n\nSee below\n\nItem: Seeds; Euro: 14"),
    ]


def test_a_workbook_has_its_sheets_as_pages_and_names_its_columns_in_every_row() -> None:
    data = builders.xlsx(
        {
            "Costs": [
                ["Renovation 2026"],
                ["Item", "Paid on", "Euro"],
                ["Paint", datetime(2026, 3, 1), 45.5],
                ["Tape", datetime(2026, 3, 2, 14, 30), 3],
            ],
            "Empty": [],
            "People": [["Name", "Town"], ["Ann", "Bonn"]],
        }
    )
    assert places(parse(data, filename="costs.xlsx")) == [
        (
            1,
            "Costs",
            "Renovation 2026\nItem: Paint; Paid on: 2026-03-01; Euro: 45.5\n"
            "Item: Tape; Paid on: 2026-03-02 14:30; Euro: 3",
        ),
        (3, "People", "Name | Town\nAnn | Bonn"),
    ]


def test_a_workbook_that_was_never_calculated_gives_its_formulas() -> None:
    data = builders.xlsx({"Sum": [["=A2+A3"]]})
    assert parse(data, filename="sum.xlsx").text == "=A2+A3"


def test_a_sheet_that_claims_the_wrong_size_is_read_whole() -> None:
    cells = '<c r="A1"><v>1</v></c><c r="B1"><v>2</v></c>'
    data = builders.sheet_xlsx(f'<row r="1">{cells}</row>', size="A1:A1")
    assert parse(data, filename="a.xlsx").text == "1 | 2"


def test_an_e_book_gives_its_chapters_in_reading_order() -> None:
    data = builders.epub(["<h1>Hive</h1><p>Six walls.</p>", "<h1>Honey</h1><p>Keeps long.</p>"])
    document = parse(data, filename="bees.epub")
    assert places(document) == [
        (None, "Hive", "# Hive\n\nSix walls."),
        (None, "Honey", "# Honey\n\nKeeps long."),
    ]
    assert document.title == "The Bees"
    assert document.created_at == datetime(2021, 5, 4)


def test_an_e_mail_gives_headers_body_and_the_text_of_its_attachments() -> None:
    data = (
        b"From: Ann <ann@example.org>\r\nTo: tom@example.org\r\n"
        b"Subject: =?utf-8?q?Schl=C3=BCssel?=\r\nDate: Mon, 2 Mar 2026 10:00:00 +0100\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>It is under<br>the pot.</p>\r\n"
        b'--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename="k.csv"\r\n'
        b"\r\nKey,Door\r\n1,Shed\r\n"
        b"--b\r\nContent-Type: image/png\r\n"
        b'Content-Disposition: attachment; filename="pot.png"\r\n\r\n\x89PNG\r\n\x1a\n0\r\n'
        b"--b--\r\n"
    )
    document = parse(data, filename="mail.eml")
    assert document.text == (
        "From: Ann <ann@example.org>\nTo: tom@example.org\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n"
        "Subject: Schlüssel\nAttachments: k.csv, pot.png\n\nIt is under\nthe pot.\n\n"
        "Attachment k.csv:\n\nKey: 1; Door: Shed"
    )
    assert document.title == "Schlüssel"
    assert document.created_at == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_an_e_mail_with_broken_headers_is_still_read() -> None:
    data = b"Date: nonsense\nTo: \xff\xfe<\nSubject: Keys\n\nUnder the pot.\n"
    document = parse(data, filename="mail.eml")
    assert document.title == "Keys"
    assert "Under the pot." in document.text


def test_a_notebook_gives_text_code_and_printed_output() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Rain\n", "Monthly."]},
        {
            "cell_type": "code",
            "source": "print(sum(mm))",
            "outputs": [
                {"output_type": "stream", "text": ["812\n"]},
                {"output_type": "display_data", "data": {"image/png": "AAAA"}},
                {"output_type": "error", "ename": "KeyError", "evalue": "'May'"},
            ],
        },
    ]
    document = parse(json.dumps({"cells": cells}).encode(), filename="rain.ipynb")
    assert places(document) == [
        (
            None,
            "Rain",
            "# Rain\nMonthly.\n\n```python\nprint(sum(mm))\n```\n\n812\n\nKeyError: 'May'",
        )
    ]
    assert document.title == "Rain"


def test_a_flood_of_notebook_output_is_cut() -> None:
    output = {"output_type": "stream", "text": "tick " * 100_000}
    cells = [{"cell_type": "code", "source": "run()", "outputs": [output]}]
    text = parse(json.dumps({"cells": cells}).encode(), filename="a.ipynb").text
    assert text.startswith("```python\nrun()\n```\n\ntick tick")
    assert len(text) < 25_000


def test_json_is_indented_and_keeps_its_letters() -> None:
    data = '{"straße":["\\u00fc",1]}'.encode()
    assert parse(data, filename="a.json").text == '{\n  "straße": [\n    "ü",\n    1\n  ]\n}'


@pytest.mark.parametrize("data", [b"[" * 100_000, b"{broken", b'{"a": 1} trailing'])
def test_json_that_cannot_be_followed_is_kept_as_it_is(data: bytes) -> None:
    assert parse(data, filename="a.json").text == data.decode()


def test_source_code_keeps_its_blank_lines_and_indentation() -> None:
    code = "def f():\n    return 1\n\n\n\nx = f()"
    document = parse(code.encode(), filename="tool.py")
    assert document.text == code
    assert document.title == "tool"


def test_a_table_of_semicolons_in_shift_jis_is_read_by_its_columns() -> None:
    data = "名前;年齢\n佐藤太郎;30\n三木英子;25\n".encode("cp932")
    assert (
        parse(data, filename="people.csv").text
        == "名前: 佐藤太郎; 年齢: 30\n名前: 三木英子; 年齢: 25"
    )


def test_a_table_of_tabs_may_hold_commas() -> None:
    data = b"Name\tNote\nAnn, Bob\tone, two, three\n"
    assert parse(data, filename="a.tsv").text == "Name | Note\nAnn, Bob | one, two, three"


def test_a_table_with_quoted_marks_and_line_breaks_keeps_a_row_on_one_line() -> None:
    data = b'Name,Note\n"Smith, Ann","two\nlines"\n'
    assert parse(data, filename="a.csv").text == "Name | Note\nSmith, Ann | two lines"


def test_a_table_with_an_open_quotation_mark_is_kept_as_it_is() -> None:
    data = b'a,b\n"' + b"x" * 200_000
    assert parse(data, filename="a.csv").text == data.decode()
