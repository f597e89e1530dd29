"""E-mail messages: the headers people read, the body, and the attachments that hold text."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.core.model import Document
from dome_mcp.documents import registry
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.dates import parse_date
from dome_mcp.documents.encoding import decode
from dome_mcp.documents.markup import parse_tree, tree_parts
from dome_mcp.documents.refusals import damaged

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_MAX_ATTACHMENTS = 50


def parse(data: bytes, source: Source) -> Document:
    message = message_from_bytes(data, policy=policy.default)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise damaged(source.filename)
    return assemble(
        _parts(message),
        source,
        title=_header(message, "Subject"),
        created_at=parse_date(_header(message, "Date")),
        title_from=(),
    )


def _parts(message: EmailMessage) -> Iterator[Part]:
    attachments = list(message.iter_attachments()) if message.is_multipart() else []
    names = [name for part in attachments if (name := _name(part))]
    headers = [f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))]
    if names:
        headers.append(f"Attachments: {', '.join(names)}")
    yield Part("\n".join(headers))
    yield from _body(message)
    for attachment in attachments[:_MAX_ATTACHMENTS]:
        yield from _attachment(attachment)


def _body(message: EmailMessage) -> Iterator[Part]:
    body = message.get_body(preferencelist=("plain", "html"))
    if body is None:
        return
    text = _text(body)
    if body.get_content_subtype() != "html":
        yield Part(text)
    elif (root := parse_tree(text)) is not None:
        # The headings of a newsletter are decoration: its subject is the title.
        yield Part("\n\n".join(part.text for part in tree_parts(root)))


def _attachment(part: MIMEPart) -> Iterator[Part]:
    """The text of an attachment under its name; nothing where it holds none we can read."""
    name = _name(part)
    data = part.get_payload(decode=True)
    if not name or not isinstance(data, bytes):
        return
    try:
        document = registry.parse(data, filename=name, content_type=part.get_content_type())
    except UnreadableDocument:
        return
    yield Part(f"Attachment {name}:\n\n{document.text}", heading=f"Attachment {name}")


def _header(message: EmailMessage, name: str) -> str:
    """The decoded header; empty where it is missing or the parser stumbles over it."""
    try:
        return " ".join(str(message.get(name, "")).split())
    except (IndexError, AttributeError, ValueError, LookupError):
        return ""


def _name(part: MIMEPart) -> str:
    return " ".join((part.get_filename() or "").split())


def _text(part: MIMEPart) -> str:
    data = part.get_payload(decode=True)
    raw = data if isinstance(data, bytes) else b""
    return decode(raw, filename="message", charset=part.get_content_charset()) if raw else ""
