"""Small documents, made here byte by byte or by the formats' own libraries."""

import io
import zipfile
from collections.abc import Mapping, Sequence

from openpyxl import Workbook
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches
from pypdf import PdfReader, PdfWriter

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_CORE = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
    'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:dcterms="http://purl.org/dc/terms/">'
    "<dc:title>{title}</dc:title><dcterms:created>{created}</dcterms:created>"
    "</cp:coreProperties>"
)
_TO_UNICODE = """/CIDInit /ProcSet findresource begin begincmap
1 begincodespacerange <00> <FF> endcodespacerange
1 beginbfchar <61> <{letters}> endbfchar
endcmap end end"""


def archive(members: Mapping[str, str | bytes]) -> bytes:
    """A zip archive; the first member is stored, the others are compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for number, (name, content) in enumerate(members.items()):
            target.writestr(name, content, zipfile.ZIP_DEFLATED if number else zipfile.ZIP_STORED)
    return file.getvalue()


def pdf(
    pages: Sequence[str],
    *,
    info: str = "",
    bookmarks: Sequence[tuple[str, int]] = (),
    to_unicode: str | None = None,
    has_picture: bool = False,
) -> bytes:
    """A PDF with a line of text per line; `bookmarks` are names with page indexes."""
    objects: list[bytes] = [b"", b"", b"", f"<< {info} >>".encode("latin-1"), b""]
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding"
    if to_unicode:
        objects.append(_stream(to_unicode.encode()))
        font += b" /ToUnicode 6 0 R"
    objects[2] = font + b" >>"
    resources = "<< /Font << /F1 3 0 R >> >>"
    if has_picture:
        objects.append(
            _stream(
                b"\x80",
                b"/Type /XObject /Subtype /Image /Width 1 /Height 1 "
                b"/ColorSpace /DeviceGray /BitsPerComponent 8",
            )
        )
        resources = f"<< /XObject << /P {len(objects)} 0 R >> >>"
    kids: list[int] = []
    for text in pages:
        drawn = "q 400 0 0 400 50 50 cm /P Do Q" if has_picture else _drawn(text)
        objects.append(_stream(drawn.encode("cp1252")))
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources {resources} "
            f"/Contents {len(objects)} 0 R >>".encode()
        )
        kids.append(len(objects))
    listed = " ".join(f"{kid} 0 R" for kid in kids)
    objects[1] = f"<< /Type /Pages /Kids [{listed}] /Count {len(kids)} >>".encode()
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R /Outlines 5 0 R >>"
    first = len(objects) + 1
    for number, (name, page) in enumerate(bookmarks):
        following = f"/Next {first + number + 1} 0 R " if number + 1 < len(bookmarks) else ""
        objects.append(
            f"<< /Title ({name}) /Parent 5 0 R {following}/Dest [{kids[page]} 0 R /Fit] >>".encode()
        )
    objects[4] = (
        f"<< /Type /Outlines /First {first} 0 R /Last {len(objects)} 0 R "
        f"/Count {len(bookmarks)} >>".encode()
        if bookmarks
        else b"<< /Type /Outlines /Count 0 >>"
    )
    return _file(objects)


def ligature_pdf(letters: str) -> bytes:
    """A page with one glyph that stands for all these letters."""
    return pdf(["a"], to_unicode=_TO_UNICODE.format(letters=letters.encode("utf-16-be").hex()))


def encrypted_pdf(password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(["The code is 4711."]))))
    writer.encrypt(password, algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def docx(body: str, *, title: str = "", created: str = "") -> bytes:
    """A Word document with this XML in its body."""
    return archive(
        {
            "[Content_Types].xml": "<Types xmlns="
            '"http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="xml" ContentType="application/xml"/></Types>',
            "_rels/.rels": "<Relationships xmlns="
            '"http://schemas.openxmlformats.org/package/2006/relationships">'
            '<Relationship Id="r1" Target="word/document.xml" Type="http://schemas.openxmlformats'
            '.org/officeDocument/2006/relationships/officeDocument"/></Relationships>',
            "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body>'
            "</w:document>",
            "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">'
            + "".join(
                f'<w:style w:type="paragraph" w:styleId="{key}"><w:name w:val="{name}"/></w:style>'
                for key, name in (("H1", "heading 1"), ("H2", "heading 2"), ("T", "Title"))
            )
            + "</w:styles>",
            "word/_rels/document.xml.rels": "<Relationships xmlns="
            '"http://schemas.openxmlformats.org/package/2006/relationships">'
            '<Relationship Id="r1" Target="styles.xml" Type="http://schemas.openxmlformats'
            '.org/officeDocument/2006/relationships/styles"/></Relationships>',
            "docProps/core.xml": _CORE.format(title=title, created=created),
        }
    )


def word_paragraph(text: str, *, style: str = "") -> str:
    """A paragraph in one of the styles `T` (title), `H1` or `H2`."""
    style = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{style}<w:r><w:t>{text}</w:t></w:r></w:p>"


def word_table(rows: Sequence[Sequence[str]]) -> str:
    return (
        "<w:tbl>"
        + "".join(
            "<w:tr>" + "".join(f"<w:tc>{word_paragraph(c)}</w:tc>" for c in row) + "</w:tr>"
            for row in rows
        )
        + "</w:tbl>"
    )


def drawing_pptx() -> bytes:
    """One slide without a title: a text in a group, and a chart with its own title."""
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    group = slide.shapes.add_group_shape()
    box = group.shapes.add_textbox(Inches(1), Inches(1), Inches(2), Inches(1))
    box.text_frame.text = "Inside the group"
    data = CategoryChartData()
    data.categories = ["May", "June"]
    data.add_series("Rain mm", (42, None))
    data.add_series("Sun h", (180.5, 230))
    place = (Inches(1), Inches(1), Inches(4), Inches(3))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.LINE, *place, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Weather"
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def pptx(slides: Sequence[tuple[str, str, str]], *, table: Sequence[Sequence[str]] = ()) -> bytes:
    """Slides of title, body and notes; the table stands on the last one."""
    presentation = Presentation()
    for title, body, notes in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    if table:
        shape = slide.shapes.add_table(
            len(table), len(table[0]), Inches(1), Inches(1), Inches(4), Inches(1)
        )
        for r, row in enumerate(table):
            for c, cell in enumerate(row):
                shape.table.cell(r, c).text = cell
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    workbook = Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def sheet_xlsx(rows: str, *, size: str) -> bytes:
    """A workbook with this XML as the rows of its sheet, which claims this size."""
    name = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(io.BytesIO(xlsx({"Data": [["x"]]}))) as source:
        members = {member: source.read(member) for member in source.namelist()}
    members[name] = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f'<dimension ref="{size}"/><sheetData>{rows}</sheetData></worksheet>'
    ).encode()
    return archive(members)


def epub(chapters: Sequence[str], *, encryption: str = "") -> bytes:
    names = [f"ch{number}.xhtml" for number in range(len(chapters))]
    items = "".join(f'<item id="{name}" href="text/{name}"/>' for name in names)
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    members = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
        'container"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>The Bees</dc:title>'
        f"<dc:date>2021-05-04</dc:date></metadata><manifest>{items}</manifest>"
        f"<spine>{spine}</spine></package>",
    }
    for name, chapter in zip(names, chapters, strict=True):
        members[f"OPS/text/{name}"] = f"<html><body>{chapter}</body></html>"
    if encryption:
        members["META-INF/encryption.xml"] = (
            '<encryption xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
            f'<enc:CipherData><enc:CipherReference URI="{encryption}"/></enc:CipherData>'
            "</enc:EncryptedData></encryption>"
        )
    return archive(members)


def ole(stream: str) -> bytes:
    """The beginning of an OLE container, with a stream's name in its directory."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + stream.encode("utf-16-le")


def _drawn(text: str) -> str:
    lines = (
        line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        for line in text.split("\n")
    )
    return "BT /F1 12 Tf 14 TL 50 780 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"


def _stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def _file(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets: list[int] = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer << /Size %d /Root 1 0 R /Info 4 0 R >>\n" % (len(objects) + 1)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)
