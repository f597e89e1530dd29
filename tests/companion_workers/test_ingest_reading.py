"""What the ingest Worker makes of messages and of files, before anything is stored."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.core.access import owner
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import InvalidInput, UnreadableDocument
from dome_mcp.core.identifiers import content_hash
from dome_mcp.core.jobs import IngestRequest
from dome_mcp.core.model import Document, Original
from dome_mcp.core.uploads import ReceivedFile
from worker_companions.ingest.messages import Dropped, Wake, read_message, wake_message
from worker_companions.ingest.places import waiting_key
from worker_companions.ingest.reading import read

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVENT = {
    "action": "PutObject",
    "object": {"key": "inbox/ada/My report (1).pdf", "size": 65536, "eTag": "e"},
    "eventTime": "2026-11-23T19:36:44.379Z",
}


class Conversion:
    """Says of each document under which name it came."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def __call__(self, data: bytes, *, filename: str) -> str:
        self.names.append(filename)
        return f"# {filename}\n\nOf {len(data)} bytes."


@pytest.fixture
def converting() -> Conversion:
    return Conversion()


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return FileBlobs(tmp_path)


async def read_file(
    data: bytes, filename: str, blobs: FileBlobs, converting: Conversion
) -> tuple[Document, Original | None]:
    file = ReceivedFile("u1", content_hash(data), len(data), filename, None)
    await blobs.put(waiting_key(file), data)
    request = IngestRequest(owner("ada"), Labels(), NOW, file=file)
    return await read(request, blobs, converting)


@pytest.mark.parametrize(
    ("data", "filename", "title", "text"),
    [
        (b"# Plums\n\nRipe.", "a.md", "Plums", "# Plums\n\nRipe."),
        (b"Ripe\n\n\n\nplums.", "ripe.txt", "Ripe", "Ripe\n\nplums."),
        (b"a = 1\n\n\n\nb = 2", "a.py", "a", "a = 1\n\n\n\nb = 2"),
        ("Grüße".encode("utf-16"), "hello.txt", "Grüße", "Grüße"),
    ],
)
async def test_text_is_read_without_being_sent_anywhere(
    data: bytes, filename: str, title: str, text: str, blobs: FileBlobs, converting: Conversion
) -> None:
    document, original = await read_file(data, filename, blobs, converting)
    assert (document.title, document.text) == (title, text)
    assert original == Original(data, filename)
    assert not converting.names


@pytest.mark.parametrize(
    ("data", "filename", "sent_as"),
    [
        (b"%PDF-1.7 pages", "Plan.pdf", "Plan.pdf"),
        (b"%PDF-1.7 pages", "Plan", "Plan.pdf"),
        (b"<!doctype html><p>x", "page.htm", "page.html"),
        (b"a,b\n1,2", "table.csv", "table.csv"),
        (b"\xff\xd8\xff picture", "photo.jpeg", "photo.jpg"),
    ],
)
async def test_the_rest_is_converted_under_the_name_of_the_format_it_is_in(
    data: bytes, filename: str, sent_as: str, blobs: FileBlobs, converting: Conversion
) -> None:
    document, _ = await read_file(data, filename, blobs, converting)
    assert converting.names == [sent_as]
    assert document.title == Path(sent_as).stem
    assert document.text.endswith(f"Of {len(data)} bytes.")


@pytest.mark.parametrize(
    ("data", "filename", "reason"),
    [
        (b"  ", "a.txt", "empty"),
        (b"\xfc\xdf\x00", "a.txt", "binary"),
        (b"From: a@b\n\nHello", "a.eml", "unsupported"),
        (b"\x7fELF", "program", "unsupported"),
    ],
)
async def test_what_nobody_can_read_here_is_refused_with_its_reason(
    data: bytes, filename: str, reason: str, blobs: FileBlobs, converting: Conversion
) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        await read_file(data, filename, blobs, converting)
    assert refused.value.reason == reason
    assert not converting.names


async def test_a_web_page_is_left_to_a_computer(blobs: FileBlobs, converting: Conversion) -> None:
    request = IngestRequest(owner("ada"), Labels(), NOW, url="https://example.org/")
    with pytest.raises(InvalidInput, match="no web pages"):
        await read(request, blobs, converting)


def test_word_of_a_file_in_an_inbox_says_whose_it_is() -> None:
    dropped = read_message(EVENT)
    assert isinstance(dropped, Dropped)
    assert (dropped.user_id, dropped.filename) == ("ada", "My report (1).pdf")
    assert dropped.at == datetime(2026, 11, 23, 19, 36, 44, 379000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("action", "key"),
    [
        ("DeleteObject", "inbox/ada/a.pdf"),
        ("PutObject", "users/ada/a.pdf"),
        ("PutObject", "inbox/a.pdf"),
        ("PutObject", "inbox/ada/"),
        ("PutObject", "inbox/../a.pdf/x"),
    ],
)
def test_word_of_other_files_is_none_of_ours(action: str, key: str) -> None:
    said = read_message({**EVENT, "action": action, "object": {**EVENT["object"], "key": key}})
    assert said is None


def test_a_wake_comes_back_as_it_was_said() -> None:
    assert read_message(wake_message("j1", "ada")) == Wake("j1", "ada")
    assert read_message(wake_message()) == Wake()


@pytest.mark.parametrize("body", ["", "[]", "7", "{}", None, {"action": "PutObject"}])
def test_a_message_that_is_none_is_none(body: object) -> None:
    assert read_message(body) is None
