"""Uploads: a signed URL for one file, which then needs no token."""

import re
import secrets
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.requests import ClientDisconnect
from typing_extensions import TypedDict

from dome_mcp.app import Dome, Door
from dome_mcp.core.errors import Conflict, InvalidInput
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.timestamps import from_ms, local_iso, to_ms
from dome_mcp.core.uploads import (
    URL_LIFETIME,
    ReceivedFile,
    Upload,
    clean_filename,
    require_signature,
    sign_upload,
    too_large,
    unsigned,
)
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.receiving import also_fails, broken_off, declared_length
from dome_mcp.remote.rest.repeating import DomeRoute, nonce_of
from dome_mcp.remote.rest.shapes import Sent, address
from dome_mcp.remote.spool import Incoming, Spool
from dome_mcp.services import uploads

router = APIRouter(prefix="/uploads", route_class=DomeRoute, tags=["uploads"])

_EXPIRES = re.compile(r"[0-9]{1,11}")
_SECRET_BYTES = 32


class NewUpload(Sent):
    """A file that is to come."""

    filename: Annotated[str, Field(min_length=1, max_length=1000, examples=["report.pdf"])]
    content_type: Annotated[str, Field(max_length=200, examples=["application/pdf"])] = ""
    bytes: Annotated[
        int | None, Field(strict=True, ge=1, description="Its size, where it is known.")
    ] = None


class AnnouncedUpload(TypedDict):
    """Where and until when to send the file."""

    upload_id: str
    url: str
    method: Literal["PUT"]
    expires_at: str
    max_bytes: int


class ReceivedUpload(TypedDict):
    """What has come: enough to tell whether it is what was sent."""

    upload_id: str
    bytes: int
    sha256: str


@router.post("", status_code=201)
async def announce_upload(
    request: Request, dome: Annotated[Dome, needs("notes:write")], body: NewUpload
) -> AnnouncedUpload:
    """Announces a file and gives the URL that takes it.

    The URL takes one file by PUT within the hour, and needs no token: whoever has it can send the
    file. Then `POST /api/ingest` with the upload_id makes a note of it, within a day.
    """
    limit = dome.settings.max_document_bytes
    if body.bytes is not None and body.bytes > limit:
        raise too_large(limit)
    await uploads.require_room(dome.ports.database, user_id=dome.user_id)
    now = dome.now()
    upload = await uploads.announce(
        Upload(
            upload_id=sortable_id(now, dome.user_id, "upload", nonce_of(request)),
            user_id=dome.user_id,
            filename=clean_filename(body.filename),
            content_type=body.content_type or None,
            size_bytes=body.bytes,
            max_bytes=body.bytes or limit,
            state="open",
            created_at=now,
            expires_at=now + URL_LIFETIME,
        ),
        dome.ports.database,
    )
    expires = to_ms(upload.created_at + URL_LIFETIME) // 1000
    expires_at = from_ms(expires * 1000)
    signature = sign_upload(await _secret(dome), upload, expires_at=expires_at)
    query = urlencode({"expires": expires, "signature": signature})
    return {
        "upload_id": upload.upload_id,
        "url": f"{_origin(request, dome)}{address(request, 'uploads', upload.upload_id)}?{query}",
        "method": "PUT",
        "expires_at": local_iso(expires_at, dome.zone),
        "max_bytes": upload.max_bytes,
    }


@router.put(
    "/{upload_id}",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        },
        "responses": also_fails(400, 409, 413, 507),
    },
)
async def receive_upload(
    request: Request, upload_id: str, expires: str = "", signature: str = ""
) -> ReceivedUpload:
    """Takes the file that the signed URL is for.

    The body is the file. The same file again changes nothing, so a PUT that broke off can be
    repeated; another file is refused.
    """
    door: Door = request.app.state.door
    dome = await door.dome()
    upload = await uploads.signed_upload(upload_id, dome.ports.database)
    if not _EXPIRES.fullmatch(expires):
        raise unsigned()
    require_signature(
        await _secret(dome),
        upload,
        signature,
        expires_at=from_ms(int(expires) * 1000),
        now=dome.now(),
    )
    if declared_length(request) > upload.max_bytes:
        raise too_large(upload.max_bytes)
    await uploads.require_room(dome.ports.database, user_id=upload.user_id)
    async with Spool.of(dome.settings).receiving(upload.max_bytes) as incoming:
        await _receive(request, incoming)
        _require_announced(upload, incoming)
        await _complete(dome, upload, incoming)
        return {
            "upload_id": upload.upload_id,
            "bytes": incoming.size_bytes,
            "sha256": incoming.sha256,
        }


async def _receive(request: Request, incoming: Incoming) -> None:
    try:
        async for piece in request.stream():
            await incoming.write(piece)
    except ClientDisconnect as error:
        raise broken_off() from error
    await incoming.flush()


def _require_announced(upload: Upload, incoming: Incoming) -> None:
    size = incoming.size_bytes
    if not size:
        raise InvalidInput("The file is empty.", "Send its bytes as the body of the request.")
    if upload.state == "open" and upload.size_bytes not in (None, size):
        raise InvalidInput(
            f"The file has {size:,} bytes; {upload.size_bytes:,} were announced.",
            "Send the whole file, or announce it anew.",
        )


async def _complete(dome: Dome, upload: Upload, incoming: Incoming) -> None:
    """Makes the file last before its row says that it is here."""
    if upload.state != "open":
        # A job may be reading the file, or be done with it: only compare.
        if upload.sha256 != incoming.sha256:
            raise uploads.other_file()
        return
    file = ReceivedFile(
        *(upload.upload_id, incoming.sha256, incoming.size_bytes),
        *(upload.filename, upload.content_type),
    )
    await incoming.keep_as(file.name)
    try:
        await uploads.complete(
            upload,
            dome.ports.database,
            sha256=file.sha256,
            size_bytes=file.size_bytes,
            now=dome.now(),
        )
    except Conflict:
        await Spool.of(dome.settings).remove(file.name)
        raise


async def _secret(dome: Dome) -> bytes:
    return await uploads.signing_secret(dome.ports.database, fresh=secrets.token_hex(_SECRET_BYTES))


def _origin(request: Request, dome: Dome) -> str:
    """The scheme and host that clients reach this server by."""
    if dome.settings.public_url is not None:
        return dome.settings.public_url.rstrip("/")
    return f"{request.url.scheme}://{request.url.netloc}"
