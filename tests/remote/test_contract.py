"""The REST API keeps what its OpenAPI document promises, for whatever schemathesis makes of it.

Each operation is called with the document's examples, with the edges of what it allows, and with
generated values, right and wrong; always the same ones, so that a failure can be repeated.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from dome_mcp.app import Dome, Door
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.access import SCOPES
from dome_mcp.remote.rest import problems
from dome_mcp.remote.rest.app import build_api, served_routes
from dome_mcp.remote.rest.openapi import describe, operations
from dome_mcp.settings import Settings
from tests.remote.rest.conftest import Admitting
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import settings_in

EXAMPLES = 40
"""Generated calls of each operation, besides the examples and the edges."""

PROMISES = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.allow_header_conformance,
]
"""Not among them: that whatever fits the schema is accepted, because a date that is none, or a note
that is not there, fits it too."""

OWNER = {"x-user": "me", "x-scopes": " ".join(SCOPES)}


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Dome]:
    """The application over an empty database in memory."""
    with TemporaryDirectory() as folder:
        async with SqliteDatabase.open(None) as database:
            ports = await make_ports(database, Path(folder), WordEmbedder())
            yield Dome.of_owner(replace(settings, home=Path(folder)), ports, holder="test")


def make_schema() -> schemathesis.BaseSchema:
    """The API's document, and the API itself, which is opened by the first call."""
    door = Door(settings_in(Path("unused"), companion="off"), opened)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(door.keep, lambda _: nullcontext())
            yield
            tasks.cancel_scope.cancel()

    api = build_api(door)
    document = describe(api, served_routes(), root="/api")
    for *_, operation in operations(document):
        operation.pop("security", None)  # the gate's business, and tested there
    made = schemathesis.openapi.from_dict(document)
    made.config.checks.missing_required_header.expected_statuses = ["428"]
    made.app = Starlette(
        routes=[Mount("/api", api)], lifespan=lifespan, middleware=[Middleware(Admitting, door)]
    )
    problems.install(made.app)
    return made


schema = make_schema()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_every_operation_keeps_what_the_document_promises(case: Case):
    case.call_and_validate(headers=OWNER, checks=PROMISES)
