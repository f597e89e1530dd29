"""A statement about somebody's rows cannot be written without saying whose.

Every public function of `dome_mcp.store` that gives statements is called with arguments made from
its annotations, for a user with a telling name. Each statement that names a table with a `user_id`
must then bind this name to that column; so must each part of a service's signature carry a user.
What is about all users stands in a list here, with its reason.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import pytest

import dome_mcp.services
import dome_mcp.store
from dome_mcp.backends.embedded.vectors import VECTOR_SCHEMA
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.store.schema import MIGRATIONS

USER = "the-user-this-is-for"

EVERYBODYS = {
    "archive.held_by_another": "an import asks whether an id is another user's; it tells no more",
    "audit.all_entries": "the operator reads the whole log",
    "audit.forget_entries_before": "what is too old is forgotten, whoever's it is",
    "audit.insert_entries": "the log is written in batches; each entry names its user",
    "clocks.users_due": "a cron asks whose alarm clocks have to be right",
    "deliveries.begin": "a companion sends everybody's notices, each by its user's channel",
    "deliveries.claim": "a companion sends everybody's notices",
    "deliveries.due": "a companion fires everybody's reminders",
    "deliveries.next_times": "a companion sleeps until the next one of all is due",
    "deliveries.record": "the rows take their user from the reminder, which was read as due",
    "deliveries.settle": "a companion sends everybody's notices, and holds this one by its fence",
    "embedding.embedded_otherwise": "another model makes everybody's vectors useless",
    "embedding.forget_vectors": "another model makes everybody's vectors useless",
    "embedding.users_with_pending": "the background loop asks for whom there is something to do",
    "figures.held_rows": "the operator's figures are of all users together",
    "figures.overall_counts": "the operator's figures are of all users together",
    "housekeeping.forget_digests_before": "what is too old is forgotten, whoever's it is",
    "idempotency.forget_requests_before": "what is too old is forgotten, whoever's it is",
    "integrity.check_words": "a check-up compares all rows",
    "integrity.chunks_by_key": "a check-up compares all rows",
    "integrity.dead_chunks": "a check-up compares all rows",
    "integrity.delete_all_words": "a repair makes the index of all anew",
    "integrity.delete_dead_chunks": "a repair removes what belongs to no note",
    "integrity.delete_words": "a repair removes what belongs to no chunk",
    "integrity.disagreeing_words": "a check-up compares all rows",
    "integrity.forget_chunk_vectors": "a repair has vectors made again that are lost",
    "integrity.index_rows": "a repair writes what was found missing",
    "integrity.long_notes": "a check-up compares all rows",
    "integrity.orphan_words": "a check-up compares all rows",
    "ingestion.job_waits": "a worker does everybody's jobs, each for its user",
    "ingestion.mark_ready": "a worker does everybody's jobs, each for its user",
    "ingestion.untold": "a worker does everybody's jobs, each for its user",
    "integrity.sampled_chunks": "a check-up compares all rows",
    "integrity.torn_notes": "a check-up compares all rows",
    "integrity.unindexed_chunks": "a check-up compares all rows",
    "moving_rows.sizes": "the operator moves all the users they name",
    "waiting.release_unserved": "a companion sends everybody's notices",
    "jobs.claim": "a worker does everybody's jobs, each for its user",
    "jobs.forget_finished": "what is too old is forgotten, whoever's it is",
    "notes.blob_keys": "a check-up compares all rows with all blobs",
    "reindexing.adopt_moved": "the operator moves everybody's vectors to another model",
    "reindexing.measure_unmoved": "the operator moves everybody's vectors to another model",
    "reindexing.forget_chunks": "another model makes everybody's vectors useless",
    "reindexing.mark_moved": "the operator moves everybody's vectors to another model",
    "reindexing.unmoved_chunks": "the operator moves everybody's vectors to another model",
    "sessions.forget_before": "what is too old is forgotten, whoever's it is",
    "tokens.all_tokens": "the operator lists the tokens",
    "tokens.revoke_token": "the operator revokes a token, whoever's it is",
    "tokens.token_by_id": "a token says who somebody is: nobody is known before",
    "tokens.use_token": "the token is the one that let the caller in",
    "uploads.forget_expired": "what is too old is forgotten, whoever's it is",
    "uploads.known_uploads": "a sweep asks which files on disk belong to somebody",
    "uploads.signed_upload": "a signed URL says whose it is: nobody is known before",
    "user_data.clean_words": "the index forgets what was deleted from it, whoever's it was",
    "vector_ledger.damage": "a check-up compares all rows",
    "vector_ledger.stage": "the rows belong to their chunks, whose ids the caller made",
    "vector_ledger.to_send": "one process carries everybody's vectors out",
    "vector_ledger.unstage_orphans": "a repair removes what belongs to no chunk",
    "users.everybody": "the operator lists the users",
    "users.user_by_identity": "an OAuth server says who somebody is: nobody is known before",
}

UNBOUND_SERVICES = {
    "moving_cost.cost_of_moving": "the operator moves all the users they name",
    "access.authenticate": "says who somebody is",
    "access.principal_for_identity": "says who somebody is",
    "access.revoke_tokens": "the operator revokes tokens, whoever's they are",
    "clocks.users_due_within": "a cron asks whose alarm clocks have to be right",
    "companions.beat": "of the companion, which serves all users",
    "companions.companion_state": "of the companion, which serves all users",
    "companions.end_beat": "of the companion, which serves all users",
    "companions.may_start": "of the companion, which serves all users",
    "companions.release_unserved": "a companion sends everybody's notices",
    "dispatch.attempt_delivery": "a companion sends everybody's notices",
    "dispatch.record_dead_letter": "a companion sends everybody's notices",
    "dispatch.tick": "a companion fires everybody's reminders",
    "quoting.quoted": "quotes passages that were read for the user",
    "checking.checked": "compares with passages that were read for the user",
    "rewording.quoted_without_orders": "quotes passages that were read for the user",
    "rewording.reworded": "words a quotation that was made for the user",
    "figures.overall_figures": "the operator's figures are of all users together",
    "housekeeping.keep_house": "what is too old is forgotten, whoever's it is",
    "housekeeping.last_kept": "of the database, whose old rows go together",
    "indexing.settle_staged": "one process carries everybody's vectors out",
    "indexing.users_with_pending": "the background loop asks for whom there is something to do",
    "ingestion.is_work_waiting": "a worker does everybody's jobs, each for its user",
    "ingestion.ready_jobs": "a worker does everybody's jobs, each for its user",
    "integrity.examine": "a check-up compares all rows",
    "jobs.claim_job": "a worker does everybody's jobs, each for its user",
    "reindexing.adopt_model": "another model makes everybody's vectors useless",
    "reindexing.index_facts": "of the database, whose vectors are all in one place",
    "reindexing.is_moved": "the operator moves everybody's vectors to another model",
    "reindexing.measure_move": "the operator moves everybody's vectors to another model",
    "reindexing.begin_move": "the operator moves everybody's vectors to another model",
    "reindexing.end_move": "the operator moves everybody's vectors to another model",
    "reindexing.finish_move": "the operator moves everybody's vectors to another model",
    "reindexing.move_step": "the operator moves everybody's vectors to another model",
    "repair.forget_every_vector": "the operator has all vectors made again",
    "repair.repair": "mends what a check-up of all rows found",
    "restoring.restore_index": "an index elsewhere holds everybody's vectors",
    "uploads.forget_expired": "what is too old is forgotten, whoever's it is",
    "uploads.signed_upload": "a signed URL says whose it is: nobody is known before",
    "uploads.signing_secret": "of the database, which signs for all users",
    "uploads.without_upload": "a sweep asks which files on disk belong to somebody",
    "users.list_users": "the operator lists the users",
}


def modules(package: ModuleType) -> dict[str, ModuleType]:
    names = [each.name for each in pkgutil.iter_modules(package.__path__) if not each.ispkg]
    return {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}


def public_functions(package: ModuleType) -> dict[str, Callable[..., Any]]:
    return {
        f"{name}.{function.__name__}": function
        for name, module in modules(package).items()
        for function in vars(module).values()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not function.__name__.startswith("_")
    }


def gives_statements(function: Callable[..., Any]) -> bool:
    hint = get_type_hints(function).get("return")
    return hint is Statement or Statement in get_args(hint)


BUILDERS = {
    name: function
    for name, function in public_functions(dome_mcp.store).items()
    if gives_statements(function)
}
SERVICES = {
    name: function
    for name, function in public_functions(dome_mcp.services).items()
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
}

_CREATED = re.compile(r"CREATE (?:VIRTUAL )?TABLE (?:IF NOT EXISTS )?(\w+)")


def tables_of_users() -> set[str]:
    """Every table with a `user_id`, and the full-text index, whose rows are chunks."""
    statements = [sql for _, group in MIGRATIONS for sql in group] + list(VECTOR_SCHEMA)
    created = {found[1]: sql for sql in statements if (found := _CREATED.search(sql))}
    return {name for name, sql in created.items() if "user_id TEXT" in sql} | {"chunks_fts"}


TABLES = tables_of_users()
_NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")
_BOUND = re.compile(r"\buser_id\s*=\s*\?(\d+)")
_ASSIGNED = re.compile(r"\bSET\s+user_id\s*=\s*\?\d+")
_INSERTED = re.compile(r"INSERT INTO \w+ \(([^)]*)\)\s*(?:VALUES\s*\(|SELECT\s)([^;]*)", re.DOTALL)


def names_a_users_table(sql: str) -> bool:
    return bool(TABLES & set(_NAMED.findall(sql)))


def is_bound(statement: Statement) -> bool:
    """Whether the statement reads or writes rows of the one user alone, as far as it says so."""
    conditions = _ASSIGNED.sub("", statement.sql)
    numbers = {int(number) for number in _BOUND.findall(conditions)} | inserted(statement.sql)
    return bool(numbers) and all(statement.params[number - 1] == USER for number in numbers)


def inserted(sql: str) -> set[int]:
    """The number of the parameter that an INSERT puts into `user_id`."""
    found = _INSERTED.search(sql)
    if found is None:
        return set()
    columns = [column.strip() for column in found[1].split(",")]
    values = [value.strip(" \n)") for value in found[2].split(",")]
    if "user_id" not in columns or len(values) < len(columns):
        return set()
    value = values[columns.index("user_id")]
    return {int(value[1:])} if value.startswith("?") else set()


SIMPLE: Mapping[Any, object] = {
    int: 1,
    float: 1.0,
    bool: True,
    bytes: b"",
    datetime: datetime(2026, 3, 1, tzinfo=UTC),
    timedelta: timedelta(seconds=1),
    ZoneInfo: ZoneInfo("UTC"),
}


def made(hint: Any, name: str = "") -> Any:
    """A value that the annotation allows; a text that is a user's id is the telling one."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is str or hint is Any:
        return USER if name == "user_id" else "reminders" if name == "table" else f"a {name}"
    if hint in SIMPLE:
        return SIMPLE[hint]
    if origin is Literal:
        return parts[0]
    if origin in (Union, UnionType):
        return made(next(part for part in parts if part is not NoneType), name)
    if is_dataclass(hint):
        return made_dataclass(hint)
    if origin is tuple and Ellipsis not in parts:
        return tuple(made(part, name) for part in parts)
    if origin in (dict, Mapping):
        return Cells()
    if origin in (frozenset, AbstractSet):
        return frozenset({made(parts[0], name)})
    if origin in (list, tuple, Sequence, Collection):
        return (made(parts[0], name),)
    raise AssertionError(f"no value for {hint}: add its kind here")


class Cells(dict[str, object]):
    """A row that has every column."""

    def __missing__(self, name: str) -> object:
        return 1


def made_dataclass(kind: Any) -> Any:
    hints = get_type_hints(kind)
    return kind(
        **{
            each.name: made(hints[each.name], each.name)
            for each in fields(kind)
            if each.name == "user_id" or (each.default, each.default_factory) == (MISSING, MISSING)
        }
    )


def statements_of(function: Callable[..., Any]) -> list[Statement]:
    hints = get_type_hints(function)
    positional: list[object] = []
    named: dict[str, object] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = made(hints[name], name)
        else:
            positional.append(made(hints[name], name))
    result = function(*positional, **named)
    return [result] if isinstance(result, Statement) else list(result)


@pytest.mark.parametrize("name", sorted(BUILDERS.keys() - EVERYBODYS.keys()))
def test_a_statement_about_a_users_rows_says_whose(name: str) -> None:
    statements = statements_of(BUILDERS[name])
    assert statements
    for statement in statements:
        assert not names_a_users_table(statement.sql) or is_bound(statement), statement


@pytest.mark.parametrize("name", sorted(EVERYBODYS))
def test_what_may_be_about_all_users_is_there_and_has_to_be(name: str) -> None:
    statements = statements_of(BUILDERS[name])
    assert any(names_a_users_table(each.sql) and not is_bound(each) for each in statements), (
        "take it off the list"
    )


def carries_a_user(hint: Any) -> bool:
    """Whether a value of this type says whose it is."""
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return "user_id" in hints or any(map(carries_a_user, hints.values()))
    return any(map(carries_a_user, get_args(hint)))


def says_whose(function: Callable[..., Any]) -> bool:
    hints = get_type_hints(function)
    parameters = inspect.signature(function).parameters
    return "user_id" in parameters or any(carries_a_user(hints[name]) for name in parameters)


def reaches_data(function: Callable[..., Any]) -> bool:
    hints = get_type_hints(function)
    return any(hints[name] in (Ports, *_PORTS) for name in inspect.signature(function).parameters)


_PORTS = (get_type_hints(Ports)["database"], get_type_hints(Ports)["blobs"])


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - UNBOUND_SERVICES.keys()))
def test_a_service_is_told_on_whose_behalf(name: str) -> None:
    assert says_whose(SERVICES[name]) or not reaches_data(SERVICES[name])


@pytest.mark.parametrize("name", sorted(UNBOUND_SERVICES))
def test_a_service_for_all_users_is_there_and_has_to_be(name: str) -> None:
    assert not says_whose(SERVICES[name]), "take it off the list"


def test_statements_are_made_where_these_tests_look() -> None:
    """Drivers have tables of their own; the rest names no table of a user."""
    package = Path(dome_mcp.store.__path__[0]).parent
    makers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\bStatement\(", path.read_text("utf-8"))
    }
    elsewhere = {name for name in makers if name.split("/")[0] not in {"store", "backends"}}
    assert elsewhere <= {"wiring.py", "remote/health.py", "resources/status.py"}


SNIPPETS = [
    ("SELECT * FROM notes WHERE note_id = ?1", ("n",), False),
    ("SELECT * FROM notes WHERE user_id = ?1", (USER,), True),
    ("SELECT * FROM notes WHERE user_id = ?1", ("somebody else",), False),
    ("SELECT * FROM notes n WHERE n.note_id = ?1 AND n.user_id = ?2", ("n", USER), True),
    ("SELECT * FROM notes WHERE user_id = ?1 OR user_id = ?2", (USER, "another"), False),
    ("UPDATE notes SET user_id = ?1 WHERE note_id = ?2", (USER, "n"), False),
    ("INSERT INTO notes (note_id, user_id) VALUES (?1, ?2)", ("n", USER), True),
    ("INSERT INTO notes (note_id, user_id) VALUES (?1, ?2)", (USER, "n"), False),
    ("INSERT INTO notes (note_id, user_id) SELECT ?1, o.user_id FROM notes o", ("n",), False),
]


@pytest.mark.parametrize(("sql", "params", "expected"), SNIPPETS)
def test_a_breach_is_told_from_what_is_allowed(
    sql: str, params: tuple[str, ...], expected: bool
) -> None:
    assert names_a_users_table(sql)
    assert is_bound(Statement(sql, params)) == expected
