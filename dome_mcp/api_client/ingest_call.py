"""What ingest does, over the API: a file is read here, under this machine's own rules, and sent.

What takes the server long it does as a job, which is asked after until it is done. Whoever gives
up meanwhile stops the asking alone: what was accepted is stored all the same.
"""

from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import httpx

from dome_mcp.api_client.connection import Api, given, path_of
from dome_mcp.api_client.refusals import BACKEND, refusal_of
from dome_mcp.api_client.telling import tell
from dome_mcp.core.errors import BackendError, BackendUnavailable
from dome_mcp.settings import Settings
from dome_mcp.sources import files
from dome_mcp.tools._boundary import Arguments, Call
from dome_mcp.tools.changes import note_change
from dome_mcp.tools.ingest import LABELS, require_one_origin
from dome_mcp.tools.note_results import Stored

_LONGEST_SECONDS = 10.0
"""Between two questions about a job."""

_UNKNOWN_TYPE = "application/octet-stream"
"""The server looks at the bytes and the name, as it would at a file of its own."""

Report = Any
"""As `report_progress` of a call: how much of how much, and in words."""


async def ingest(api: Api, sent: Arguments, call: Call) -> Stored:
    """What became of it, once it is stored."""
    require_one_origin(text=sent["text"], path=sent["path"], url=sent["url"])
    await call.report_progress(0, 2, "Reading")
    labels = given(sent, *LABELS)
    if sent["path"]:
        settings = call.request_context.lifespan_context.door.settings
        response = await send_file(api, sent["path"], labels, settings=settings)
    else:
        body = {**given(sent, "text", "url"), **labels}
        response = await api.send("POST", "ingest", body=body)
    stored = await outcome(api, response, report=call.report_progress)
    await call.report_progress(2, 2, "Stored")
    if not stored["duplicate"]:
        tell(call, note_change(stored["note_id"]))
    return stored


async def send_file(
    api: Api, path: str, labels: dict[str, Any], *, settings: Settings
) -> httpx.Response:
    """The server's answer to a file of this machine, whose address is its source.

    Raises:
        DomeError: this machine's rules or the server refuse it.
    """
    read = partial(
        files.read_file,
        path,
        roots=settings.allowed_roots,
        max_bytes=settings.max_document_bytes,
        excluded=(settings.home,),
    )
    file = await anyio.to_thread.run_sync(read, abandon_on_cancel=True)
    fields = {"source": file.source_uri, **labels}
    form = {"file": (file.filename, file.data, _UNKNOWN_TYPE)}
    return await api.send("POST", "ingest", data=fields, files=form)


async def outcome(api: Api, response: httpx.Response, *, report: Report) -> Stored:
    """What an ingest stored, at once or, where it was accepted as a job, when that is done.

    Raises:
        DomeError: it cannot be stored, or the server cannot be asked any more.
    """
    if response.status_code != httpx.codes.ACCEPTED:
        stored: Stored = api.content_of(response)
        return stored
    job = api.content_of(response)
    path = path_of("ingest", job["job_id"])
    looks = 1
    while job["state"] not in ("done", "failed"):
        # Every step a little further, and never there before it is.
        await report(2 - 1 / looks, 2, "The server is reading it")
        await anyio.sleep(min(api.look_seconds * looks, _LONGEST_SECONDS))
        job = await _look(api, path)
        looks += 1
    if job["state"] == "failed":
        raise refusal_of(job["problem"], {})
    result: Stored = job["result"]
    return result


async def _look(api: Api, path: str) -> dict[str, Any]:
    try:
        job: dict[str, Any] = await api.get(path)
    except BackendError as error:
        raise BackendUnavailable(
            BACKEND,
            "ingest",
            error.message,
            "It was accepted, and is stored all the same: look for it with search a little later.",
        ) from error
    return job
