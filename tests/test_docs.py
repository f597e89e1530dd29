"""What the documents say against what there is: settings, tools, commands, paths, quotations."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client

from dome_mcp.cli import build_parser
from dome_mcp.cloudflare_settings import CLOUDFLARE_NAMES, UNPREFIXED
from dome_mcp.http_settings import HTTP_NAMES
from dome_mcp.settings import NAMES
from tests.serving import Serving, served

__all__ = ["served"]

ROOT = Path(__file__).parents[1]
SKIPPED = frozenset({"build", "dist", "node_modules", "venv"})
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLOUDFLARE = (ROOT / "docs" / "cloudflare.md").read_text(encoding="utf-8")
REMOTE = (ROOT / "docs" / "remote.md").read_text(encoding="utf-8")


def files(*suffixes: str) -> list[Path]:
    """The project's files with these suffixes; hidden folders and what tools make left out."""
    found = (path for path in ROOT.rglob("*") if path.suffix in suffixes and path.is_file())
    return sorted(path for path in found if not _is_made(path.relative_to(ROOT)))


def _is_made(path: Path) -> bool:
    return any(part.startswith(".") or part in SKIPPED for part in path.parts)


DOCUMENTS = files(".md")
BESIDE_EXAMPLES = [path for path in DOCUMENTS if "examples" not in path.parts]


def names_of(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def rows(text: str, header: str) -> Iterator[list[str]]:
    """The cells of each row of the table whose header line starts so."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(header):
            next(lines)
            break
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def in_code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def prose_of(text: str) -> str:
    """The text without its blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def settings_in(text: str) -> list[str]:
    return [name for row in rows(text, "| setting |") for name in in_code(row[0])]


def test_the_settings_tables_name_exactly_the_settings_there_are() -> None:
    elsewhere = {*HTTP_NAMES, *CLOUDFLARE_NAMES}
    of_cloudflare = [
        name.upper() if name in UNPREFIXED else f"DOME_{name.upper()}" for name in CLOUDFLARE_NAMES
    ]
    others = [f"DOME_{name.upper()}" for name in NAMES if name not in elsewhere]
    assert sorted(settings_in(README)) == sorted(others)
    assert sorted(settings_in(REMOTE)) == sorted(f"DOME_{name.upper()}" for name in HTTP_NAMES)
    assert sorted(settings_in(CLOUDFLARE)) == sorted(of_cloudflare)


@pytest.mark.anyio
async def test_the_tools_table_names_exactly_the_tools_there_are(served: Serving) -> None:
    documented = [name for row in rows(README, "| tool |") for name in in_code(row[0])]
    async with Client(served.server) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        templates = (await client.list_resource_templates()).resource_templates
        prompts = [prompt.name for prompt in (await client.list_prompts()).prompts]
        resources = [resource.uri for resource in (await client.list_resources()).resources]
    assert sorted(documented) == sorted(tools)
    for name in [*(template.uri_template for template in templates), *resources, *prompts]:
        assert f"`{name}`" in README


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    groups = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return next((dict(group.choices) for group in groups), {})


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each `dome-mcp …` that stands in code, as far as they may name a command."""
    shell = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    for code in [*shell, *in_code(prose_of(text))]:
        for found in re.finditer(r"(?:^|/)dome-mcp((?: [a-z-]+)*)", code, re.M):
            yield found[1].split()


@pytest.mark.parametrize("name", names_of(BESIDE_EXAMPLES))
def test_every_command_that_is_shown_exists(name: str) -> None:
    for words in commands_in((ROOT / name).read_text(encoding="utf-8")):
        known = subcommands(build_parser())
        while known and words and not words[0].startswith("-"):
            word = words.pop(0)
            assert word in known, f"{name}: dome-mcp … {word}"
            known = subcommands(known[word])


def test_every_command_there_is_stands_in_the_readme() -> None:
    shown = {words[0] for words in commands_in(README) if words}
    assert shown >= set(subcommands(build_parser()))


def test_the_two_commands_a_newcomer_runs_are_marked() -> None:
    for name in ("try", "test"):
        marked = re.findall(rf"^<!-- run: {name} -->\n```sh\n(.+)\n```$", README, re.M)
        assert len(marked) == 1
        assert marked[0].startswith("python3 -m venv .venv && ")


@pytest.mark.parametrize("name", names_of(BESIDE_EXAMPLES))
def test_every_path_that_is_named_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    prose = prose_of(text)
    here = (ROOT / name).parent
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", prose)]
    for link in links:
        assert "://" in link or not link or (here / link).exists(), f"{name}: {link}"
    tops = "|".join(re.escape(path.name) for path in ROOT.iterdir() if path.is_dir())
    for path in re.findall(rf"`((?:{tops})/[\w./-]*)`", prose):
        assert (ROOT / path).exists(), f"{name}: {path}"


@pytest.mark.parametrize("name", names_of(BESIDE_EXAMPLES))
def test_every_module_that_is_to_be_run_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for module in re.findall(
        r"python -m ((?:benchmarks|model_build|worker_companions)\.\w+)", text
    ):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), f"{name}: {module}"


def test_every_benchmark_stands_in_their_readme() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "benchmarks").glob("*.py"):
        # What takes options is for users; the rest are parts of these.
        is_for_users = "argparse" in path.read_text(encoding="utf-8") or path.stem == "startup"
        assert not is_for_users or f"`python -m benchmarks.{path.stem}" in text, path.stem


def test_messages_that_are_explained_are_really_said() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    source = " ".join(path.read_text(encoding="utf-8") for path in files(".py") if is_ours(path))
    quoted = [row[0] for row in rows(operations, "| what you see |") if row[0].startswith('"')]
    assert quoted
    for message in quoted:
        words = message.strip('"').removeprefix("N ").removesuffix(" …")
        assert words.lower() in source.lower(), message


def is_ours(path: Path) -> bool:
    return path.is_relative_to(ROOT / "dome_mcp")


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", changelog, re.M)
    assert headings[0] == "Unreleased"
    assert len(headings) == len(set(headings))


def test_every_word_of_the_glossary_is_explained_once() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = [term for row in rows(glossary, "| word |") for term in re.split(r",\s*", row[0])]
    assert len(terms) > 10
    assert len(terms) == len(set(terms))


FOREIGN = re.compile(
    # A folder of one machine, or where one machine gets its packages from.
    r"(?<![\w.~/:-])/(?:work|tmp|root)/\w|\bpypi[.]org|\bpython[h]osted|\bregistry[.]npm|--index-url"
)


def test_no_file_names_the_machine_it_was_written_on() -> None:
    here = Path(__file__)
    texts = files(".py", ".md", ".toml", ".json", ".jsonl", ".jsonc", ".yml", ".csv", ".html")
    for path in (path for path in texts if path != here):
        found = FOREIGN.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.relative_to(ROOT)}: {found[0] if found else ''}"


@pytest.mark.parametrize(
    "text",
    [
        "see /{}/main".format("work"),
        "in /{}/x".format("tmp"),
        "https://pypi.{}/simple".format("org"),
    ],
)
def test_what_names_a_machine_is_recognised(text: str) -> None:
    assert FOREIGN.search(text)
