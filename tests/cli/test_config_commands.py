"""`config`: the settings as they are, and clients' files."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, write_tree


def test_every_setting_is_shown_with_its_origin_and_no_secret(cli: Cli) -> None:
    ran = cli(
        "config",
        "show",
        "--json",
        DOME_LLM_URL="http://127.0.0.1:1/v1",
        DOME_LLM_MODEL="m",
        DOME_LLM_API_KEY="hunter2",
    )
    settings = {each["name"]: each for each in ran.json["settings"]}
    assert settings["DOME_TIMEZONE"]["value"] == "Europe/Berlin"
    assert settings["DOME_TIMEZONE"]["origin"] == "environment"
    assert settings["DOME_LLM_API_KEY"]["value"] == "***"
    assert "hunter2" not in ran.out + ran.err


def test_settings_of_a_file_are_shown_as_such(cli: Cli) -> None:
    write_tree(cli.home, {"config.toml": 'log_level = "ERROR"\n'})
    assert "DOME_LOG_LEVEL\tERROR\tconfig.toml\n" in cli("config", "show").out


@pytest.mark.parametrize(
    ("client", "key"),
    [("claude-desktop", "mcpServers"), ("cursor", "mcpServers"), ("vscode", "servers")],
)
def test_a_clients_configuration_starts_this_python_on_this_home(
    cli: Cli, client: str, key: str
) -> None:
    ran = cli("config", client)
    assert ran.code == 0
    entry = json.loads(ran.out)[key]["dome"]
    assert (entry["command"], entry["args"]) == (sys.executable, ["-m", "dome_mcp"])
    assert entry["env"]["DOME_HOME"] == str(cli.home)
    assert "--write" in ran.err


def test_a_key_is_not_copied_into_a_clients_file(cli: Cli) -> None:
    ran = cli(
        "config",
        "cursor",
        DOME_LLM_URL="http://127.0.0.1:1/v1",
        DOME_LLM_MODEL="m",
        DOME_LLM_API_KEY="hunter2",
    )
    assert "DOME_LLM_MODEL" in ran.out
    assert "API_KEY" not in ran.out
    assert f"Put llm_api_key into {cli.home / 'config.toml'}" in ran.err


def test_no_secret_of_cloudflare_is_shown_or_copied(cli: Cli) -> None:
    account = {"CLOUDFLARE_ACCOUNT_ID": "0" * 32, "CLOUDFLARE_API_TOKEN": "hunter2-hunter2"}
    shown = cli("config", "show", DOME_EMBEDDINGS="cloudflare", **account)
    assert "CLOUDFLARE_API_TOKEN\t***\tenvironment\n" in shown.out
    copied = cli("config", "cursor", DOME_EMBEDDINGS="cloudflare", **account)
    env = json.loads(copied.out)["mcpServers"]["dome"]["env"]
    assert env["CLOUDFLARE_ACCOUNT_ID"] == "0" * 32
    assert "CLOUDFLARE_API_TOKEN" not in env
    assert f"Put cloudflare_api_token into {cli.home / 'config.toml'}" in copied.err
    assert "hunter2" not in shown.out + shown.err + copied.out + copied.err


def test_what_is_copied_into_a_clients_file_is_read_back(cli: Cli) -> None:
    ran = cli("config", "cursor", DOME_URL_TIMEOUT_SECONDS="7", DOME_MAX_DOCUMENT_MB="5")
    env = json.loads(ran.out)["mcpServers"]["dome"]["env"]
    assert env["DOME_URL_TIMEOUT_SECONDS"] == "7"
    assert cli("config", "show", **env).code == 0


def test_writing_keeps_what_the_file_had_and_a_copy_of_it(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / ".cursor" / "mcp.json"
    write_tree(tmp_path, {".cursor/mcp.json": '{"mcpServers": {"other": {"command": "x"}}}'})
    ran = cli("config", "cursor", "--write", "--project", str(tmp_path), "--json")
    assert (ran.code, ran.json["written"], ran.json["path"]) == (0, True, str(file))
    servers = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]
    assert servers["other"] == {"command": "x"}
    assert servers["dome"]["command"] == sys.executable
    assert json.loads(Path(ran.json["backup"]).read_text())["mcpServers"].keys() == {"other"}
    again = cli("config", "cursor", "--write", "--project", str(tmp_path), "--json")
    assert (again.code, again.json["written"]) == (0, False)


def test_a_file_that_cannot_be_changed_is_bad_input_and_stays(cli: Cli, tmp_path: Path) -> None:
    write_tree(tmp_path, {".cursor/mcp.json": '{"mcpServers": {} // mine\n}'})
    ran = cli("config", "cursor", "--write", "--project", str(tmp_path))
    assert ran.code == 2
    assert "// mine" in (tmp_path / ".cursor" / "mcp.json").read_text()


def test_claude_code_is_told_by_its_own_command(cli: Cli) -> None:
    ran = cli("config", "claude-code")
    assert ran.out.startswith("claude mcp add dome --scope user --env ")
    assert cli("config", "claude-code", "--json").json["command"] == ran.out.strip()
    refused = cli("config", "claude-code", "--write")
    assert refused.code == 2
    assert "claude mcp add dome" in refused.err


def test_claude_code_is_written_to_a_project(cli: Cli, tmp_path: Path) -> None:
    ran = cli("config", "claude-code", "--write", "--project", str(tmp_path))
    assert ran.code == 0
    assert "dome" in json.loads((tmp_path / ".mcp.json").read_text())["mcpServers"]
