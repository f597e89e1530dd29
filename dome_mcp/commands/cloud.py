"""`dome-mcp cloud init`: everything that DOME needs on Cloudflare, made once and found again.

It says first what it will do. Whatever cuts it off, the same command goes on from there: what is
there by its name is adopted, and the settings are written last.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.embedding_models import EmbeddingModel, embedding_model
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import (
    Kind,
    Resource,
    Wanted,
    create,
    index_metadata,
    tables,
)
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES
from dome_mcp.cloudflare_settings import WORKERS_AI_PREFIX
from dome_mcp.cloudflare_wiring import DEFAULT_EMBEDDING_MODEL
from dome_mcp.commands.cloud_account import (
    SETTING,
    Inventory,
    inventory,
    local_settings,
    name_of,
    open_account,
    require_ours,
    with_searched_index,
)
from dome_mcp.commands.cloud_plan import (
    CALLED,
    HOLDS,
    KINDS,
    PERMISSIONS,
    WORKERS_AI,
    arithmetic,
)
from dome_mcp.commands.config_file import set_values
from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import FAILED, Invocation
from dome_mcp.core.errors import Conflict, InvalidInput
from dome_mcp.settings import CONFIG_FILE, DATABASE_FILE, Settings
from dome_mcp.store import meta
from dome_mcp.store.schema import MIGRATIONS, migrate

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,48}[a-z0-9]")
_MIGRATIONS_TABLE = "d1_migrations"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be made (None: it is there) and adopted, in the order it is done."""

    wanted: tuple[Wanted, ...]
    inventory: Inventory
    model: EmbeddingModel

    @property
    def missing(self) -> list[Wanted]:
        return [each for each in self.wanted if self.inventory.found.get(each.kind) is None]


async def init(invocation: Invocation) -> int:
    """Says what it will make and adopt, asks, makes it, and writes the settings; 1 if told no.

    Raises:
        InvalidInput: the name or the model cannot be one, or there is nobody to ask.
        Conflict: what has the name is not DOME's, or does not fit the model.
    """
    arguments, output = invocation.arguments, invocation.output
    settings = local_settings(invocation)
    model = chosen_model(arguments.model, settings)
    kinds = KINDS if arguments.gateway else KINDS[:-1]
    within = arguments.jurisdiction or settings.cloudflare.r2_jurisdiction
    wanted = _wanted(
        _checked_name(name_of(invocation, settings)),
        kinds,
        model,
        location=arguments.location,
        jurisdiction=within,
    )
    async with open_account(settings) as api:
        names: dict[Kind, str] = {each.kind: each.name for each in wanted}
        found = await with_searched_index(api, await inventory(api, names, jurisdiction=within))
        plan = _Plan(tuple(wanted), found, model)
        _show(plan, output)
        await _check(api, plan, settings)
        if not arguments.yes and not _is_confirmed(output):
            output.remark("Nothing was made.")
            return FAILED
        made = await _carry_out(api, plan, output)
    has_local_data = (settings.home / DATABASE_FILE).exists()
    _configure(settings, made, switches=not has_local_data)
    _report(plan, made, settings, output, has_local_data=has_local_data)
    return 0


def chosen_model(named: str | None, settings: Settings) -> EmbeddingModel:
    """The model of Workers AI that was named, or is in the settings, or the default.

    Raises:
        ConfigurationError: DOME does not know how to ask it.
    """
    configured = settings.embedding_model or ""
    fallback = configured if configured.startswith(WORKERS_AI_PREFIX) else DEFAULT_EMBEDDING_MODEL
    return embedding_model(named or fallback)


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} cannot be the name of an R2 bucket.",
            "Send 3 to 50 small letters, digits and hyphens, such as dome.",
        )
    return name


def _wanted(
    name: str,
    kinds: Sequence[Kind],
    model: EmbeddingModel,
    *,
    location: str | None,
    jurisdiction: str | None,
) -> list[Wanted]:
    return [
        Wanted(
            kind,
            name,
            dimensions=model.dimensions if kind == "index" else 0,
            location=location,
            jurisdiction=jurisdiction,
        )
        for kind in kinds
    ]


def _show(plan: _Plan, output: Output) -> None:
    output.line("DOME will use in your Cloudflare account:", "bold")
    output.table(
        ("what", "name", "it will", "for"),
        [(CALLED[e.kind], e.name, _step(e, plan), HOLDS[e.kind]) for e in plan.wanted],
    )
    model = plan.model
    output.line(f"Texts are embedded by {model.name}, {model.dimensions} dimensions.")
    needed = ", ".join((*(PERMISSIONS[each.kind] for each in plan.wanted), WORKERS_AI))
    output.line(f"The token needs: {needed}.")
    if within := plan.wanted[0].jurisdiction:
        output.line(
            f"Database, bucket and queue are kept in the jurisdiction {within!r}, for good; "
            "vectors are not, for Vectorize knows none."
        )
    output.line()
    output.line("What the Free plan has, and what more costs (Workers Paid, $5 a month):", "bold")
    output.table(("service", "free", "beyond that"), arithmetic(model.dimensions))


def _step(wanted: Wanted, plan: _Plan) -> str:
    if wanted.kind in plan.inventory.refused:
        return "(the token may not look)"
    return "be made" if plan.inventory.found.get(wanted.kind) is None else "be adopted"


async def _check(api: CloudflareApi, plan: _Plan, settings: Settings) -> None:
    """Sees to it that what has the names may be used, before anything is made."""
    for error in plan.inventory.refused.values():
        raise error
    for wanted in plan.wanted:
        found = plan.inventory.found.get(wanted.kind)
        is_moved_to = found is not None and found.name != wanted.name
        if not is_moved_to:
            require_ours(wanted.kind, found, settings)
        _require_jurisdiction(wanted, found)
    database, index = (plan.inventory.found.get(kind) for kind in ("database", "index"))
    if database is not None:
        there = await tables(api, database)
        if there and _MIGRATIONS_TABLE not in there:
            raise Conflict(
                f"The D1 database {database.name!r} holds something else than DOME.",
                "Send another --name.",
            )
    needed = plan.model.dimensions
    if index is not None and index.shape != (needed, "cosine"):
        dimensions, metric = index.shape
        raise Conflict(
            f"The Vectorize index {index.name!r} has {dimensions} dimensions ({metric}); "
            f"{plan.model.name} needs {needed} (cosine).",
            "Send another --name, or the --model it was made for.",
        )


def _require_jurisdiction(wanted: Wanted, found: Resource | None) -> None:
    """A database or queue that is there stays where it is, which has to be where it is wanted."""
    if found is None or found.kind not in ("database", "queue"):
        return
    if wanted.jurisdiction and found.jurisdiction != wanted.jurisdiction:
        raise Conflict(
            f"The {CALLED[found.kind]} {found.name!r} is not in the jurisdiction "
            f"{wanted.jurisdiction!r}, and cannot be moved there.",
            "Send another --name.",
        )


def _is_confirmed(output: Output) -> bool:
    answer = output.confirms("Make and adopt these?")
    if answer is None:
        raise InvalidInput("There is nobody to ask whether to go on.", "Add --yes to go on.")
    return answer


async def _carry_out(api: CloudflareApi, plan: _Plan, output: Output) -> dict[Kind, Resource]:
    made: dict[Kind, Resource] = {}
    with output.progress() as show:
        for done, each in enumerate(plan.wanted):
            show(f"making the {CALLED[each.kind]}", done, len(plan.wanted))
            made[each.kind] = plan.inventory.found.get(each.kind) or await create(api, each)
            if each.kind == "database":
                database = D1Database(api, made["database"].key)
                await migrate(database)
                # So that no setting has to name the model, and nobody can name another by mistake.
                await database.query(meta.set_fact_once(meta.EMBEDDING_NAME, plan.model.name))
            elif each.kind == "index":
                # Before the first vector: a metadata index knows nothing of older ones.
                await index_metadata(api, made["index"], METADATA_INDEXES)
    return made


def _configure(settings: Settings, made: Mapping[Kind, Resource], *, switches: bool) -> None:
    cloud = settings.cloudflare
    values = {SETTING[kind]: resource.key for kind, resource in made.items()}
    # The first index, where vectors were moved to another: the database knows that one.
    values["vectorize_index"] = cloud.vectorize_index or values["vectorize_index"]
    if cloud.cloudflare_account_id is not None:
        values["cloudflare_account_id"] = cloud.cloudflare_account_id
    if within := made["bucket"].jurisdiction:
        values["r2_jurisdiction"] = within
    if switches:
        values["backend"] = "cloudflare"
    set_values(settings.home / CONFIG_FILE, values)


def _report(
    plan: _Plan,
    made: Mapping[Kind, Resource],
    settings: Settings,
    output: Output,
    *,
    has_local_data: bool,
) -> None:
    new = {each.kind for each in plan.missing}
    output.value(
        {
            "resources": [
                {"kind": kind, "name": each.name, "key": each.key, "made": kind in new}
                for kind, each in made.items()
            ],
            "model": plan.model.name,
            "migrations": [name for name, _ in MIGRATIONS],
            "config": str(settings.home / CONFIG_FILE),
            "switched": not has_local_data,
        }
    )
    output.line(f"{len(new)} made, {len(made) - len(new)} adopted.", "green")
    output.line(f"Their names are in {settings.home / CONFIG_FILE}; the token is not.")
    output.line("Keep CLOUDFLARE_API_TOKEN in the environment of whatever starts DOME.")
    if has_local_data:
        output.line("Next: stop DOME everywhere, then run `dome-mcp push --switch`.", "bold")
    else:
        output.line("Next: `dome-mcp doctor`, then use DOME as before.", "bold")
