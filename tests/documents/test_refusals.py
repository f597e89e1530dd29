"""Bytes without text are refused with a reason and a hint, never with a parser's own error."""

import pytest

from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.documents.registry import parse
from tests.documents import builders

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def refusal(data: bytes, filename: str, **options: int) -> UnreadableDocument:
    with pytest.raises(UnreadableDocument) as caught:
        parse(data, filename=filename, **options)
    assert caught.value.hint
    assert repr(filename) in caught.value.message
    return caught.value


def with_declared_size(archive: bytes, size: int) -> bytes:
    """The archive, its last member said to unpack to this many bytes."""
    data = bytearray(archive)
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = size.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "filename", "reason"),
    [
        (b"", "a.txt", "empty"),
        (b" \n\t ", "a.md", "empty"),
        (b"<html><body> </body></html>", "a.html", "empty"),
        (builders.docx(""), "a.docx", "empty"),
        (builders.pdf(["", ""]), "a.pdf", "empty"),
        (builders.pdf(["", ""], has_picture=True), "a.pdf", "scanned"),
        (builders.encrypted_pdf("secret"), "a.pdf", "encrypted"),
        (builders.ole("EncryptedPackage"), "a.docx", "encrypted"),
        (
            builders.epub(["<p>Locked</p>"], encryption="OPS/text/ch0.xhtml"),
            "a.epub",
            "encrypted",
        ),
        (b"%PDF-1.7 and nothing more", "a.pdf", "corrupt"),
        (builders.docx("<w:p>")[:-60], "a.docx", "corrupt"),
        (builders.archive({"word/document.xml": "<unclosed"}), "a.docx", "corrupt"),
        (builders.archive({"xl/workbook.xml": "no xml"}), "a.xlsx", "corrupt"),
        (builders.archive({"ppt/presentation.xml": "no xml"}), "a.pptx", "corrupt"),
        (builders.archive({"mimetype": "application/epub+zip"}), "a.epub", "corrupt"),
        (b"\x00\xff\xfe\x01" * 40, "a.pdf", "corrupt"),
        (b"[" * 100_000, "a.ipynb", "corrupt"),
        (b'{"cells": 1}', "a.ipynb", "corrupt"),
        (b"no header lines", "a.eml", "corrupt"),
        (b"\x00\x01\x02\x03" * 50, "a.txt", "binary"),
        (bytes(range(256)) * 8, "data", "binary"),
        (PNG, "a.pdf", "mislabelled"),
        (builders.archive({"a.txt": "x"}), "a.xlsx", "mislabelled"),
        (b"only text", "a.pdf", "mislabelled"),
        (PNG, "a.png", "unsupported"),
        (b"\xff\xd8\xff\xe0" + bytes(9), "photo", "unsupported"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a.webp", "unsupported"),
        (bytes(3) + b"\x18ftypheic" + bytes(9), "a.heic", "unsupported"),
        (builders.ole("__properties_version1.0"), "a.msg", "unsupported"),
        (builders.ole("WordDocument"), "a.doc", "unsupported"),
        (builders.ole("Workbook"), "a.xls", "unsupported"),
        (builders.archive({"a.txt": "x"}), "a.zip", "unsupported"),
        (b"{\\rtf1 hello}", "a.rtf", "unsupported"),
    ],
)
def test_unreadable_bytes_are_refused_for_the_right_reason(
    data: bytes, filename: str, reason: str
) -> None:
    assert refusal(data, filename).reason == reason


@pytest.mark.parametrize(
    ("stream", "instead"),
    [("__properties_version1.0", ".eml"), ("WordDocument", ".docx"), ("Workbook", ".xlsx")],
)
def test_a_refused_format_names_the_one_to_send(stream: str, instead: str) -> None:
    assert instead in refusal(builders.ole(stream), "a.bin").hint


def test_a_mislabelled_file_is_told_what_it_really_is() -> None:
    assert "PNG image" in refusal(PNG, "report.pdf").message


def test_a_scan_is_told_that_it_needs_text_recognition() -> None:
    assert "OCR" in refusal(builders.pdf([""], has_picture=True), "scan.pdf").hint


def test_a_document_above_the_limit_is_refused_before_it_is_parsed() -> None:
    assert refusal(b"%PDF-" + b"x" * 100, "a.pdf", max_bytes=50).reason == "too_large"


def test_an_archive_that_unpacks_beyond_measure_is_refused() -> None:
    bomb = with_declared_size(builders.archive({"mimetype": "", "word/a.xml": "<a/>"}), 500_000_000)
    assert len(bomb) < 500
    assert refusal(bomb, "a.docx").reason == "too_large"


def test_a_sheet_with_more_cells_than_fit_in_memory_is_refused() -> None:
    rows = '<row><c r="XFD1"><v>1</v></c></row>' * 310
    error = refusal(builders.sheet_xlsx(rows, size="A1:XFD310"), "a.xlsx")
    assert error.reason == "too_large"


def test_an_archive_that_lies_about_its_size_does_not_unpack_to_more() -> None:
    data = bytearray(
        builders.archive({"mimetype": "", "word/document.xml": b"<a>" + b" " * 99_999})
    )
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    assert refusal(bytes(data), "a.docx").reason == "corrupt"


def test_an_archive_with_a_password_is_refused_as_encrypted() -> None:
    data = bytearray(builders.docx(builders.word_paragraph("secret")))
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 0x1
    assert refusal(bytes(data), "a.docx").reason == "encrypted"


@pytest.mark.parametrize(
    ("data", "filename", "content_type"),
    [
        (builders.pdf(["Real text"]), "a.docx", "application/pdf"),
        (builders.pdf(["Real text"]), "download", "application/pdf"),
        (b"<!DOCTYPE html><html><body><p>Real text</p></body></html>", "a.pdf", "text/html"),
    ],
)
def test_a_supported_format_under_a_wrong_name_is_read_as_what_it_is(
    data: bytes, filename: str, content_type: str
) -> None:
    document = parse(data, filename=filename)
    assert document.text == "Real text"
    assert document.content_type == content_type


def test_a_text_of_comments_is_told_from_a_web_page_without_going_back() -> None:
    comments = b"<!-- a --><!---->" * 40
    assert parse(comments + b"x", filename="a").content_type == "text/plain"
    assert parse(comments + b"<html><body>x</body></html>", filename="a").text == "x"
