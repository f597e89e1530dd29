"""Documents that DOME has no parser for are read by Cloudflare where the settings say so."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dome_mcp.app import Dome
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.markdown import CONVERTIBLE, MAX_BYTES, WorkersAiConverter
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import BackendUnavailable, QuotaExhausted, UnreadableDocument
from dome_mcp.core.model import Note
from dome_mcp.documents.foreign import FOREIGN_EXTENSIONS
from dome_mcp.documents.registry import SUPPORTED_EXTENSIONS
from dome_mcp.intake import ingest_file, ingest_path, ingest_url
from dome_mcp.services.blobs import original_of
from dome_mcp.services.notes import get_note
from tests.documents import builders
from tests.simulators.cloudflare import ai
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.sources.web_server import Page, WebServer

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
SCAN = builders.pdf(["", ""], has_picture=True)
VECTORS_ONLY = builders.pdf([""])
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'
ZIP = builders.archive({"mimetype": "application/x-anything", "content.xml": "<x/>"})
CAT = "A grey cat sleeps on a red sofa. A clock on the wall shows ten past nine."


@dataclass(frozen=True, slots=True)
class Cloud:
    """A DOME that may have documents converted, and who converts them."""

    dome: Dome
    account: SimulatedAccount
    simulator: ai.WorkersAiSimulator
    folder: Path

    async def take_in(self, name: str, data: bytes, labels: Labels | None = None) -> Note:
        path = self.folder / name
        path.write_bytes(data)
        ingested = await ingest_path(self.dome, str(path), labels or Labels())
        return await get_note(ingested.note.note_id, self.dome.ports, user_id=self.dome.user_id)


@pytest.fixture
async def cloud(dome: Dome, tmp_path: Path) -> AsyncIterator[Cloud]:
    account = SimulatedAccount()
    simulator = ai.WorkersAiSimulator(convert=lambda _: CAT)
    account.register("ai", simulator)
    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=at_once
    ) as api:
        converting = replace(dome, converter=WorkersAiConverter(api))
        yield Cloud(converting, account, simulator, tmp_path)


async def at_once(seconds: float) -> None:
    """Waits for nothing between two tries."""


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cat.png", PNG),
        ("cat.jpeg", b"\xff\xd8\xff\xe0" + bytes(64)),
        ("cat.webp", b"RIFF\x40\x00\x00\x00WEBP" + bytes(64)),
        ("cat.gif", b"GIF89a" + bytes(64)),
        ("cat.bmp", b"BM" + bytes(64)),
        ("cat.svg", SVG),
        ("cat.pdf", SCAN),
        ("cat.pdf", VECTORS_ONLY),
        ("cat.odt", ZIP),
        ("cat.ods", ZIP),
        ("cat.numbers", ZIP),
        ("cat.xls", builders.ole("Workbook")),
        ("cat.et", builders.ole("Workbook")),
        ("cat.xlsb", builders.archive({"xl/workbook.bin": b"\x01", "xl/theme/theme1.xml": "<x/>"})),
    ],
)
async def test_what_only_cloudflare_reads_is_a_note_with_its_original(
    cloud: Cloud, name: str, data: bytes
) -> None:
    note = await cloud.take_in(name, data)
    assert note.text == CAT
    assert note.title == "cat"
    assert note.source == (cloud.folder / name).as_uri()
    assert note.content_type in CONVERTIBLE.values()
    assert await original_of(note, cloud.dome.ports.blobs) == data
    (call,) = cloud.account.calls
    assert note.content_type.encode() in call.content


async def test_what_is_in_a_file_and_not_its_name_says_what_it_is_sent_as(cloud: Cloud) -> None:
    note = await cloud.take_in("cat.pdf", PNG)
    assert note.content_type == "image/png"
    assert b'filename="cat.png"' in cloud.account.calls[0].content


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("tides.md", b"# Tides\n\nHigh water at noon."),
        ("tides.pdf", builders.pdf(["High water at noon."])),
        ("tides.csv", b"port,time\nHull,noon\n"),
        ("tides.xls", b"<html><body>High water at noon.</body></html>"),
    ],
)
async def test_what_dome_reads_itself_never_leaves_the_machine(
    cloud: Cloud, name: str, data: bytes
) -> None:
    note = await cloud.take_in(name, data)
    assert "noon" in (note.text or "")
    assert cloud.account.calls == []


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("locked.pdf", builders.encrypted_pdf("secret"), "encrypted"),
        ("locked.xls", builders.ole("EncryptedPackage"), "encrypted"),
        ("broken.pdf", b"%PDF-1.7 and nothing more", "corrupt"),
        ("empty.png", b"", "empty"),
        ("song.mp3", b"ID3" + bytes(64), "unsupported"),
        ("letter.doc", builders.ole("WordDocument"), "unsupported"),
    ],
)
async def test_what_nobody_could_read_is_refused_without_being_sent(
    cloud: Cloud, name: str, data: bytes, reason: str
) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        await cloud.take_in(name, data)
    assert caught.value.reason == reason
    assert "DOME_CONVERT" not in caught.value.hint
    assert cloud.account.calls == []


@pytest.mark.parametrize(
    ("name", "data"), [("cat.png", PNG), ("scan.pdf", SCAN), ("budget.ods", ZIP)]
)
async def test_without_the_setting_nothing_is_sent_and_the_refusal_names_it(
    dome: Dome, tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadableDocument) as caught:
        await ingest_path(dome, str(tmp_path / name), Labels())
    assert "DOME_CONVERT=cloudflare" in caught.value.hint


async def test_a_document_with_headings_of_its_own_names_itself(cloud: Cloud) -> None:
    cloud.simulator.convert = lambda _: "# Rental agreement\n\nThe rent is due on the first."
    note = await cloud.take_in("scan_0017.odt", ZIP)
    assert note.title == "Rental agreement"


async def test_the_name_that_cloudflare_puts_over_a_text_is_no_title(cloud: Cloud) -> None:
    cloud.simulator.convert = lambda _: (
        "# lease.odt\n\n## Contents\n\nThe rent is due on the first."
    )
    assert (await cloud.take_in("lease.odt", ZIP)).title == "lease"
    assert (await cloud.take_in("lease.odt", ZIP + b" ", Labels(title="Rent"))).title == "Rent"


async def test_the_same_picture_again_is_the_same_note_and_is_not_sent_twice(cloud: Cloud) -> None:
    first = await cloud.take_in("cat.png", PNG)
    assert await cloud.take_in("copy of cat.png", PNG) == first
    assert len(cloud.account.calls) == 1


async def test_a_picture_on_a_page_is_read_like_one_in_a_file(
    cloud: Cloud, server: WebServer
) -> None:
    server.pages["/cat"] = Page(PNG, headers={"Content-Type": "image/png"})
    ingested = await ingest_url(cloud.dome, server.url("/cat"), Labels())
    assert (ingested.note.title, ingested.note.source) == ("cat", server.url("/cat"))


async def test_a_picture_on_a_page_is_refused_with_the_name_of_the_setting(
    dome: Dome, server: WebServer
) -> None:
    server.pages["/cat"] = Page(PNG, headers={"Content-Type": "image/png"})
    with pytest.raises(UnreadableDocument) as caught:
        await ingest_url(dome, server.url("/cat"), Labels())
    assert "DOME_CONVERT=cloudflare" in caught.value.hint


async def test_a_picture_that_was_uploaded_keeps_its_name_for_a_source(cloud: Cloud) -> None:
    waiting = cloud.folder / "spooled"
    waiting.write_bytes(PNG)
    ingested = await ingest_file(
        cloud.dome, waiting, Labels(), filename="cat.png", declared_type="image/png"
    )
    assert (ingested.note.source, ingested.note.title) == ("cat.png", "cat")


async def test_whoever_waits_is_told_before_a_document_is_sent(cloud: Cloud) -> None:
    sent_before: list[int] = []

    async def tell() -> None:
        sent_before.append(len(cloud.account.calls))

    (cloud.folder / "cat.png").write_bytes(PNG)
    (cloud.folder / "cat.md").write_text(CAT)
    for name in ("cat.md", "cat.png"):
        path = str(cloud.folder / name)
        await ingest_path(cloud.dome, path, Labels(), on_conversion=tell)
    assert sent_before == [0]


async def test_an_outage_and_a_used_up_day_are_no_fault_of_the_document(cloud: Cloud) -> None:
    cloud.account.fail_next("POST /ai/tomarkdown", 503, times=3)
    with pytest.raises(BackendUnavailable):
        await cloud.take_in("cat.png", PNG)
    cloud.account.fail_next("POST /ai/tomarkdown", 429, ai.DAILY_ALLOWANCE_USED_TOO)
    with pytest.raises(QuotaExhausted) as caught:
        await cloud.take_in("cat.png", PNG)
    assert caught.value.until is not None
    assert (await cloud.take_in("cat.png", PNG)).text == CAT


@pytest.mark.parametrize(("converted", "reason"), [(None, "corrupt"), (" \n", "empty")])
async def test_a_document_that_cloudflare_cannot_read_is_refused_and_nothing_is_stored(
    cloud: Cloud, converted: str | None, reason: str
) -> None:
    cloud.simulator.convert = lambda _: converted
    with pytest.raises(UnreadableDocument) as caught:
        await cloud.take_in("cat.png", PNG)
    assert caught.value.reason == reason
    assert await cloud.dome.ports.blobs.keys("") == []


async def test_a_document_too_large_to_convert_is_refused_without_being_sent(cloud: Cloud) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        await cloud.take_in("cat.png", PNG + bytes(MAX_BYTES))
    assert caught.value.reason == "too_large"
    assert cloud.account.calls == []


def test_the_foreign_formats_are_those_that_cloudflare_takes_and_dome_does_not() -> None:
    assert CONVERTIBLE.keys() - SUPPORTED_EXTENSIONS == FOREIGN_EXTENSIONS
