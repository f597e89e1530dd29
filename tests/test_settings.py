"""Settings from the command line, the environment and config.toml."""

import os
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.errors import ConfigurationError
from dome_mcp.settings import NAMES, Secret, Settings, describe, load, variable


def settings_of(home: Path, **variables: str) -> Settings:
    return load({"DOME_HOME": str(home), "TZ": "Asia/Tokyo", **variables})


def problems_of(home: Path, **variables: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        settings_of(home, **variables)
    return caught.value.problems


def write_config(home: Path, text: str) -> None:
    (home / "config.toml").write_text(text, encoding="utf-8")


def test_nothing_set_gives_the_defaults() -> None:
    settings = load({"TZ": "Asia/Tokyo"})
    assert settings == Settings(
        home=settings.home, timezone=ZoneInfo("Asia/Tokyo"), allowed_roots=(Path.home(),)
    )
    assert settings.home.name == "dome"
    assert settings.embedding_model is None
    assert settings.user == "me"
    assert settings.max_document_bytes == 100_000_000


def test_every_setting_is_read_from_the_environment(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        DOME_BACKEND="embedded",
        DOME_EMBEDDING_MODEL="off",
        DOME_RERANKER="BAAI/bge-reranker-base",
        DOME_LLM_URL="http://localhost:11434/v1/",
        DOME_LLM_MODEL="qwen",
        DOME_LLM_API_KEY="sk-1",
        DOME_LLM_CONTEXT_TOKENS="4096",
        DOME_TIMEZONE="Europe/Berlin",
        DOME_USER="ann@example.org",
        DOME_ALLOWED_ROOTS=os.pathsep.join([str(tmp_path), "~", ""]),
        DOME_ALLOW_PRIVATE_URLS="Yes",
        DOME_MAX_DOCUMENT_MB="5",
        DOME_URL_TIMEOUT_SECONDS="7",
        DOME_LOG_LEVEL="debug",
        DOME_COMPANION="off",
        DOME_PUBLIC_URL="https://dome.example.org/me/",
    )
    assert settings == Settings(
        home=tmp_path,
        timezone=ZoneInfo("Europe/Berlin"),
        embedding_model="off",
        reranker="BAAI/bge-reranker-base",
        llm_url="http://localhost:11434/v1",
        llm_model="qwen",
        llm_api_key=Secret("sk-1"),
        llm_context_tokens=4096,
        user="ann@example.org",
        allowed_roots=(tmp_path, Path.home()),
        allow_private_urls=True,
        max_document_bytes=5_000_000,
        url_timeout_seconds=7.0,
        log_level="DEBUG",
        companion="off",
        public_url="https://dome.example.org/me",
    )


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path,
) -> None:
    write_config(tmp_path, 'user = "file"\nlog_level = "ERROR"\ncompanion = "off"\n')
    settings = load(
        {"DOME_HOME": str(tmp_path), "DOME_USER": "env", "DOME_LOG_LEVEL": "DEBUG"},
        overrides={"user": "line"},
    )
    assert (settings.user, settings.log_level, settings.companion) == ("line", "DEBUG", "off")
    origins = {name: origin for name, _, origin in describe(settings)}
    assert origins["DOME_USER"] == "command line"
    assert origins["DOME_LOG_LEVEL"] == "environment"
    assert origins["DOME_COMPANION"] == "config.toml"
    assert origins["DOME_BACKEND"] == "default"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    write_config(tmp_path, 'user = "file"')
    assert settings_of(tmp_path, DOME_USER=" ").user == "file"


def test_the_file_has_tomls_own_types(tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_config(
        tmp_path,
        f"allow_private_urls = true\nmax_document_mb = 7\n"
        f"allowed_roots = ['{tmp_path}', '{other}']\n",
    )
    settings = settings_of(tmp_path)
    assert settings.allow_private_urls is True
    assert settings.max_document_bytes == 7_000_000
    assert settings.allowed_roots == (tmp_path, other)


def test_an_unknown_key_in_the_file_names_the_close_one(tmp_path: Path) -> None:
    write_config(tmp_path, 'timezon = "Europe/Berlin"')
    assert problems_of(tmp_path) == (
        "config.toml: there is no setting 'timezon'; did you mean timezone?",
    )


def test_the_file_cannot_move_the_folder_it_lies_in(tmp_path: Path) -> None:
    write_config(tmp_path, 'home = "/elsewhere"')
    assert problems_of(tmp_path) == ("config.toml: there is no setting 'home'",)


@pytest.mark.parametrize("text", ["user = ", "user = 'a'\nuser = 'b'"])
def test_a_file_that_is_not_toml_is_a_problem(text: str, tmp_path: Path) -> None:
    write_config(tmp_path, text)
    (problem,) = problems_of(tmp_path)
    assert problem.startswith(f"{tmp_path / 'config.toml'} cannot be read: ")


@pytest.mark.parametrize("value", ["1.5", "{a = 1}", "[1]", "2026-01-01"])
def test_a_value_of_a_type_no_setting_has_is_a_problem(value: str, tmp_path: Path) -> None:
    write_config(tmp_path, f"user = {value}")
    (problem,) = problems_of(tmp_path)
    assert "user must be" in problem


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("DOME_BACKEND", "postgres", "not one of embedded, cloudflare"),
        ("DOME_LLM_CONTEXT_TOKENS", "12", "from 512 to"),
        ("DOME_TIMEZONE", "Europe/Berln", "Europe/Berlin"),
        ("DOME_USER", "a b", "letters, digits"),
        ("DOME_USER", "x" * 65, "1 to 64"),
        ("DOME_ALLOWED_ROOTS", "papers", "not a whole path"),
        ("DOME_ALLOWED_ROOTS", "~nobody-by-this-name/x", "without a home folder"),
        ("DOME_ALLOW_PRIVATE_URLS", "maybe", "not true or false"),
        ("DOME_MAX_DOCUMENT_MB", "1e3", "whole number"),
        ("DOME_MAX_DOCUMENT_MB", "0", "from 1 to"),
        ("DOME_URL_TIMEOUT_SECONDS", "-1", "whole number"),
        ("DOME_LOG_LEVEL", "loud", "DEBUG, INFO"),
        ("DOME_COMPANION", "on", "auto, off"),
    ],
)
def test_a_wrong_value_is_a_problem_that_says_what_is_right(
    variable: str, value: str, reason: str, tmp_path: Path
) -> None:
    (problem,) = problems_of(tmp_path, **{variable: value})
    assert problem.startswith(f"{variable} (environment): ")
    assert reason in problem


def test_a_relative_data_folder_is_a_problem() -> None:
    with pytest.raises(ConfigurationError, match=r"DOME_HOME .*not a whole path"):
        load({"DOME_HOME": "data"})


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("localhost:11434", "not an http or https URL"),
        ("ftp://models", "not an http or https URL"),
        ("https://me:sk-secret@models/v1", "DOME_LLM_API_KEY"),
    ],
)
def test_a_wrong_model_url_is_a_problem_without_its_password(
    url: str, reason: str, tmp_path: Path
) -> None:
    (problem,) = problems_of(tmp_path, DOME_LLM_URL=url, DOME_LLM_MODEL="m")
    assert reason in problem
    assert "sk-secret" not in problem


@pytest.mark.parametrize("variable", ["DOME_LLM_URL", "DOME_LLM_MODEL"])
def test_a_model_needs_its_url_and_a_url_its_model(variable: str, tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, **{variable: "http://localhost"})
    assert "go together" in problem


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    write_config(tmp_path, "colour = 1\nmax_document_mb = 'many'")
    problems = problems_of(tmp_path, DOME_USER="a b", DOME_TIMEZONE="Mars", DOME_COMPANION="x")
    assert len(problems) == 5


def test_a_secret_never_shows(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, DOME_LLM_API_KEY="sk-secret")
    assert settings.llm_api_key is not None
    assert settings.llm_api_key.value == "sk-secret"
    assert "sk-secret" not in f"{settings} {settings!r} {describe(settings)}"
    assert ("DOME_LLM_API_KEY", "***", "environment") in describe(settings)


def test_a_data_folder_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    assert problems_of(tmp_path / "home") == (f"DOME_HOME: {tmp_path / 'home'} is not a folder",)


def test_describe_names_every_setting_with_its_value(tmp_path: Path) -> None:
    lines = describe(settings_of(tmp_path, DOME_ALLOWED_ROOTS=str(tmp_path)))
    assert [name for name, _, _ in lines] == [variable(name) for name in NAMES]
    assert ("DOME_VECTORS", "embedded", "DOME_BACKEND") in lines
    assert ("DOME_HOME", str(tmp_path), "environment") in lines
    assert ("DOME_TIMEZONE", "Asia/Tokyo", "TZ") in lines
    assert ("DOME_MAX_DOCUMENT_MB", "100", "default") in lines
    assert ("DOME_ALLOW_PRIVATE_URLS", "false", "default") in lines
    assert ("DOME_ALLOWED_ROOTS", str(tmp_path), "environment") in lines


def test_a_misspelt_variable_is_a_warning(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, DOME_ALLOWED_ROOT="/", DOME_SOMETHING_ELSE="x", HOME="/")
    assert settings.warnings == (
        "DOME_ALLOWED_ROOT is no setting; did you mean DOME_ALLOWED_ROOTS?",
    )


def test_loading_creates_nothing(tmp_path: Path) -> None:
    settings_of(tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_settings_do_not_import_what_is_slow() -> None:
    code = "import sys, dome_mcp.settings; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"pydantic", "mcp", "httpx", "numpy", "asyncio", "anyio", "email"}
    assert not slow & set(done.stdout.split())


@pytest.mark.parametrize("url", ["http://localhost:8080", "https://dome.example.org:8443/a/b"])
def test_links_may_lead_to_this_machine_or_to_an_https_address(tmp_path: Path, url: str) -> None:
    assert settings_of(tmp_path, DOME_PUBLIC_URL=url).public_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://dome.example.org",
        "https://anna:secret@dome.example.org",
        "https://dome.example.org/?page=1",
        "dome.example.org",
        "ftp://dome.example.org",
    ],
)
def test_links_that_others_could_read_or_that_lead_nowhere_are_refused(
    tmp_path: Path, url: str
) -> None:
    (problem,) = problems_of(tmp_path, DOME_PUBLIC_URL=url)
    assert "https URL such as" in problem
