"""Writes the example documents that are not plain text: a PDF, a DOCX, an XLSX and a PPTX.

The same files come out byte for byte every time.
"""

import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

from openpyxl import Workbook
from pptx import Presentation

FOLDER = Path(__file__).parent / "documents"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)

MANUAL = (
    (
        "1 Getting to know your heat pump",
        """The Norvia HP-8 takes heat from the outside air and gives it to the water of
your heating. It has a rated output of 8 kW and works down to an outside
temperature of -22 °C. Below -15 °C the electric auxiliary heater helps; this is
normal and shown by the letter H on the display.

Your unit consists of the outdoor unit with the fan, the indoor unit with the
pump and the control panel, and the buffer tank of 200 litres.

Keep the outdoor unit free. Leaves, snow and garden furniture must stay at least
50 cm away from the fan. Never pour hot water over an iced fan: the unit defrosts
itself about once an hour in frost, which takes up to eight minutes.""",
    ),
    (
        "2 Care and maintenance",
        """Every month: look at the pressure gauge on the indoor unit. With the heating
cold it should show 1.5 bar. Below 1.0 bar refill with tap water through the
blue valve; above 2.5 bar call the service.

Every three months: clean the dirt filter. Close both valves beside it, unscrew
the cap with the grey key, rinse the mesh under running water and put it back.

Every year: have the unit serviced by a Norvia partner, best in spring. Without
a yearly service the warranty ends after two years; with it, the warranty is
seven years on the compressor and five years on all other parts.

The battery of the control panel (type CR2032) lasts about four years. Settings
are kept for 30 minutes while you change it.""",
    ),
    (
        "3 When something is wrong",
        """E04: too little flow. Clean the dirt filter and open all radiator valves. The
message disappears by itself after ten minutes.

E12: the outdoor sensor is not connected. The unit goes on at a fixed flow
temperature of 45 °C. Call the service.

E21: high pressure. Switch the unit off, wait five minutes and switch it on
again. If E21 comes back within a day, call the service.

No display: check fuse F3 in the distribution box (16 A, slow).

The service hotline is +49 800 555 0199, every day from 7:00 to 21:00. Have the
serial number ready; it stands on the right side of the indoor unit and begins
with NV8.""",
    ),
)
MANUAL_TITLE = "Norvia HP-8 heat pump: owner's manual"

PROTOCOL = (
    ("h1", "Annual meeting of the homeowners, 14 Harbour Lane"),
    ("p", "Date: 12 May 2026, 19:00 to 21:10, in the community room."),
    ("p", "Present: 9 of 11 owners. Chair: Ruth Adeyemi. Minutes: Tom Okafor."),
    ("h2", "1. Accounts of 2025"),
    (
        "p",
        "The administrator presented the accounts. Income was 41,040 euros, spending 38,612 "
        "euros. The reserve stands at 67,300 euros. The accounts were approved with 9 votes.",
    ),
    ("h2", "2. Roof"),
    (
        "p",
        "Two offers were discussed: Hansen Roofing for 54,900 euros and Nordtop for 61,250 euros. "
        "The meeting chose Hansen Roofing with 7 votes to 2. Work begins in April 2027 and takes "
        "five weeks. The scaffolding closes the bicycle room for that time.",
    ),
    ("h2", "3. Monthly fee"),
    (
        "p",
        "To fill the reserve again, the monthly fee rises from 285 to 310 euros on 1 June 2026. "
        "Agreed with 8 votes, 1 abstention.",
    ),
    ("h2", "4. Bicycle room"),
    (
        "p",
        "Bicycles without a name tag are removed on 30 June 2026. Mara Lindqvist hands out the "
        "tags and keeps the second key.",
    ),
    ("h2", "5. Next meeting"),
    ("p", "Tuesday, 11 May 2027, 19:00. Motions must reach the chair by 20 April 2027."),
)

GARDEN = {
    "Planting": [
        ["Plant", "Bed", "Sown on", "Planted out", "Spacing cm"],
        ["Tomato 'Matina'", "Greenhouse", datetime(2026, 3, 8), datetime(2026, 5, 16), 60],
        ["Kohlrabi 'Lanro'", "A", datetime(2026, 3, 15), datetime(2026, 4, 25), 25],
        ["Runner bean 'Preisgewinner'", "B", datetime(2026, 5, 17), None, 50],
        ["Leek 'Bulgaarse Reuzen'", "A", datetime(2026, 2, 22), datetime(2026, 6, 6), 15],
        ["Pumpkin 'Hokkaido'", "Compost", datetime(2026, 4, 20), datetime(2026, 5, 23), 120],
    ],
    "Harvest": [
        ["Crop", "First harvest", "Total kg in 2025"],
        ["Tomato", datetime(2025, 7, 12), 31.4],
        ["Kohlrabi", datetime(2025, 6, 3), 8.2],
        ["Runner bean", datetime(2025, 7, 29), 12.9],
        ["Pumpkin", datetime(2025, 9, 20), 17.5],
    ],
}

SLIDES = (
    (
        "Two weeks on Gotland",
        "18 July to 2 August 2026\nMara and Tom, by car and ferry",
        "Show this to Tom's parents when they come in June.",
    ),
    (
        "Where we stay",
        "18 to 25 July: cabin in Fårösund, 640 euros, key box code 3917\n"
        "25 July to 2 August: guest house Vitklint in Visby, 98 euros a night with breakfast",
        "The cabin has no bed linen; bring our own.",
    ),
    (
        "What we do not want to miss",
        "Langhammars sea stacks at sunset\nThe medieval week does not fit: it begins on 2 August\n"
        "Saffron pancake at Café Sylvi\nBicycle tour to Tofta beach, 20 km",
        "Bicycles are rented at the harbour, 12 euros a day.",
    ),
)


def main() -> None:
    for name, data in (
        ("heat-pump-manual.pdf", manual_pdf()),
        ("homeowners-meeting.docx", protocol_docx()),
        ("garden.xlsx", garden_xlsx()),
        ("gotland-trip.pptx", trip_pptx()),
    ):
        (FOLDER / name).write_bytes(data)
        print(f"{name}: {len(data):,} bytes")


def manual_pdf() -> bytes:
    """One page a chapter, with bookmarks, written object by object."""
    pages = 5
    first_bookmark = pages + 2 * len(MANUAL)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Outlines 5 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>"
        % (len(MANUAL), b" ".join(b"%d 0 R" % (pages + 2 * n + 1) for n in range(len(MANUAL)))),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        f"<< /Title ({MANUAL_TITLE}) /CreationDate (D:20240918090000+02'00') >>".encode(),
        b"<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>"
        % (first_bookmark + 1, first_bookmark + len(MANUAL), len(MANUAL)),
    ]
    for number, (heading, text) in enumerate(MANUAL):
        content = _page_content(heading, text, MANUAL_TITLE if number == 0 else "")
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % (pages + 2 * number + 2)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    for number, (heading, _) in enumerate(MANUAL):
        following = number + 1 < len(MANUAL)
        link = f"/Next {first_bookmark + number + 2} 0 R " if following else ""
        objects.append(
            f"<< /Title ({heading}) /Parent 5 0 R {link}"
            f"/Dest [{pages + 2 * number + 1} 0 R /Fit] >>".encode()
        )
    return _pdf_file(objects)


def _page_content(heading: str, text: str, title: str) -> bytes:
    drawn = [f"BT /F1 18 Tf 60 780 Td ({title}) Tj ET"] if title else []
    drawn.append(f"BT /F1 14 Tf 60 740 Td ({heading}) Tj ET")
    lines = (line.replace("(", r"\(").replace(")", r"\)") for line in text.split("\n"))
    drawn.append("BT /F1 11 Tf 15 TL 60 710 Td")
    drawn += [f"({line}) Tj T*" for line in lines]
    return "\n".join([*drawn, "ET"]).encode("cp1252")


def _pdf_file(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets: list[int] = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R /Info 4 0 R >>\n" % (len(objects) + 1)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % table)


def protocol_docx() -> bytes:
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    types = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    styles = {"h1": "Heading1", "h2": "Heading2", "p": "Normal"}
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{styles[kind]}"/></w:pPr>'
        f"<w:r><w:t>{escape(text)}</w:t></w:r></w:p>"
        for kind, text in PROTOCOL
    )
    names = {"Normal": "Normal", "Heading1": "heading 1", "Heading2": "heading 2"}
    sizes = {"Normal": 22, "Heading1": 36, "Heading2": 26}
    defined = "".join(
        f'<w:style w:type="paragraph" w:styleId="{style}"><w:name w:val="{name}"/>'
        f'<w:rPr><w:sz w:val="{sizes[style]}"/></w:rPr></w:style>'
        for style, name in names.items()
    )
    members = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        f'PartName="/word/document.xml" ContentType="{types}.document.main+xml"/><Override '
        f'PartName="/word/styles.xml" ContentType="{types}.styles+xml"/><Override PartName='
        '"/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.'
        'core-properties+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="word/document.xml"/><Relationship Id="r2" '
        f'Type="{package}/relationships/metadata/core-properties" Target="docProps/core.xml"/>'
        "</Relationships>",
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>',
        "word/styles.xml": f'<w:styles xmlns:w="{word}">{defined}</w:styles>',
        "docProps/core.xml": _core_xml("Minutes of the homeowners' meeting 2026", "2026-05-13"),
    }
    return _zip((name, _xml(text)) for name, text in members.items())


def garden_xlsx() -> bytes:
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in GARDEN.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    workbook.save(file)
    return _repacked(file.getvalue(), title="Garden 2026", created="2026-01-18")


def trip_pptx() -> bytes:
    presentation = Presentation()
    for title, body, notes in SLIDES:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
        slide.notes_slide.notes_text_frame.text = notes
    file = io.BytesIO()
    presentation.save(file)
    return _repacked(file.getvalue(), title="Two weeks on Gotland", created="2026-05-24")


def _repacked(data: bytes, *, title: str, created: str) -> bytes:
    """The archive with our properties, and without the times of this run."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["docProps/core.xml"] = _xml(_core_xml(title, created))
    return _zip(members.items())


def _core_xml(title: str, created: str) -> str:
    when = f'xsi:type="dcterms:W3CDTF">{created}T09:00:00Z'
    return (
        '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
        'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape(title)}</dc:title><dcterms:created {when}</dcterms:created>"
        f"<dcterms:modified {when}</dcterms:modified></cp:coreProperties>"
    )


def _xml(text: str) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + text.encode()


def _zip(members: Iterable[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


if __name__ == "__main__":
    main()
