"""A form with one file in it, read as it arrives: the file goes to disk, the fields stay small."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException

from dome_mcp.core.errors import InvalidInput

FILE_FIELD = "file"
MAX_FIELDS = 100
MAX_FIELD_BYTES = 65_536
"""Of all fields together; the text of a note is no field."""


@dataclass(slots=True)
class Form:
    """The fields by name, in order; `filename` is None where no file was sent."""

    fields: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    filename: str | None = None
    content_type: str | None = None


class Incoming(Protocol):
    """Where a file goes as it comes; `sha256` and `size_bytes` are of what was written so far."""

    size_bytes: int

    @property
    def sha256(self) -> str: ...

    async def write(self, data: bytes) -> None:
        """Adds to the file.

        Raises:
            DomeError: it becomes too large, or there is no room for it.
        """
        ...

    async def flush(self) -> None:
        """Returns when all that was written has been taken."""
        ...


async def read_form(stream: AsyncIterator[bytes], content_type: str, incoming: Incoming) -> Form:
    """Reads a multipart body to its end, its file into `incoming`.

    Raises:
        HTTPException: 400, it is no such body, or not all of one.
        InvalidInput: two files, or fields that are too many or too long.
        DomeError: the file cannot be taken (see `Incoming.write`).
    """
    reader = _Reader(_boundary(content_type))
    async for piece in stream:
        reader.feed(piece)
        for data in reader.taken():
            await incoming.write(data)
    if not reader.is_complete:
        raise HTTPException(400, "The form is not whole: its last boundary is missing.")
    return reader.form


def _boundary(content_type: str) -> bytes:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise HTTPException(400, "The Content-Type names no boundary.")
    return boundary


class _Reader:
    """What the parser calls, and what it gathered. Callbacks cannot wait, so pieces are queued."""

    def __init__(self, boundary: bytes) -> None:
        self.form = Form()
        self.is_complete = False
        self._pieces: list[bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._header_name = b""
        self._header_value = b""
        self._field: str | None = None
        self._value = bytearray()
        self._field_bytes = 0
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise HTTPException(400, "The boundary of the form is too long.") from error

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise HTTPException(400, "The body is not a multipart form.") from error

    def taken(self) -> list[bytes]:
        """What came of the file since the last call."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def _on_part_begin(self) -> None:
        self._headers = {}
        self._field = None
        self._value = bytearray()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name")
        if name is None:
            raise HTTPException(400, "A part of the form has no name.")
        if b"filename" not in options:
            self._field = name.decode("utf-8", "replace")
            return
        if self.form.filename is not None:
            raise InvalidInput("There are two files in the form.", "Send one file at a time.")
        if name != FILE_FIELD.encode():
            raise InvalidInput("The file's field is not named `file`.", "Send it as `file`.")
        self.form.filename = options[b"filename"].decode("utf-8", "replace")
        declared = self._headers.get(b"content-type")
        self.form.content_type = declared.decode("latin-1") if declared else None

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._pieces.append(data[start:end])
            return
        self._field_bytes += end - start
        if self._field_bytes > MAX_FIELD_BYTES:
            raise InvalidInput(
                f"The fields of the form have over {MAX_FIELD_BYTES:,} bytes.",
                "Send a text as JSON, or as a file.",
            )
        self._value += data[start:end]

    def _on_part_end(self) -> None:
        if self._field is None:
            return
        if len(self.form.fields) >= MAX_FIELDS:
            raise InvalidInput("The form has too many fields.", f"Send at most {MAX_FIELDS}.")
        self.form.fields.append((self._field, self._value.decode("utf-8", "replace")))

    def _on_end(self) -> None:
        self.is_complete = True
