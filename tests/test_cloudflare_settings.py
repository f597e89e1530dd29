"""The settings of the Cloudflare backend: where each port is, what is missing, what cannot be."""

from pathlib import Path

import pytest

from dome_mcp.core.errors import ConfigurationError
from dome_mcp.settings import Settings, describe, load

ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "v1.0-a-token-of-cloudflare"  # noqa: S105  of no account
DATABASE = "01234567-89ab-cdef-0123-456789abcdef"
CREDENTIALS = {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": TOKEN}
NAMED = {
    **CREDENTIALS,
    "DOME_D1_DATABASE_ID": DATABASE,
    "DOME_VECTORIZE_INDEX": "dome",
    "DOME_R2_BUCKET": "dome-files",
    "DOME_QUEUE_ID": ACCOUNT[::-1],
}


def settings_of(home: Path, **variables: str) -> Settings:
    return load({"DOME_HOME": str(home), **variables})


def problems_of(home: Path, **variables: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        settings_of(home, **variables)
    return caught.value.problems


def test_every_port_follows_the_backend(tmp_path: Path) -> None:
    here = settings_of(tmp_path)
    assert set(here.cloudflare.ports.values()) == {"embedded"}
    assert not here.cloudflare.is_used
    there = settings_of(tmp_path, DOME_BACKEND="cloudflare", **NAMED)
    assert set(there.cloudflare.ports.values()) == {"cloudflare"}
    assert there.cloudflare.is_used


def test_a_port_of_its_own_wins_over_the_backend(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, DOME_BACKEND="Cloudflare", DOME_EMBEDDINGS="embedded", **NAMED)
    assert (settings.cloudflare.database, settings.cloudflare.embeddings) == (
        "cloudflare",
        "embedded",
    )


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, DOME_BACKEND="cloudflare")
    named = {name for name in NAMED if any(name in problem for problem in problems)}
    assert (named, len(problems)) == (set(NAMED), len(NAMED))


@pytest.mark.parametrize(
    "variables",
    [
        {"DOME_EMBEDDINGS": "cloudflare"},
        {"DOME_BLOBS": "cloudflare", "DOME_R2_BUCKET": "dome-files"},
        {"DOME_LLM_MODEL": "@cf/zai-org/glm-4.7-flash"},
        {"DOME_LLM_MODEL": "openai/gpt-5-mini"},
        {"DOME_RERANKER": "@cf/baai/bge-reranker-base"},
        {"DOME_LLM_MODEL": "anthropic/claude-sonnet-4-5", "DOME_LLM_API_KEY": "sk-ant",
         "DOME_AI_GATEWAY": "dome"},
        {"DOME_CONVERT": "Cloudflare"},
        {"DOME_DATABASE": "cloudflare", "DOME_VECTORS": "cloudflare",
         "DOME_D1_DATABASE_ID": DATABASE, "DOME_VECTORIZE_INDEX": "dome"},
        {"DOME_VECTORS": "cloudflare", "DOME_VECTORIZE_INDEX": "dome"},
    ],
)  # fmt: skip
def test_one_port_on_cloudflare_needs_the_account_and_its_own_name_alone(
    variables: dict[str, str], tmp_path: Path
) -> None:
    settings_of(tmp_path, **CREDENTIALS, **variables)
    problems = problems_of(tmp_path, **variables)
    assert [problem.partition(" ")[0] for problem in problems] == sorted(CREDENTIALS)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"DOME_BACKEND": "cloudflare", "DOME_VECTORS": "embedded"}, "D1 cannot search them"),
        ({"DOME_QUEUE": "cloudflare"}, "cannot read a database on this machine"),
        ({"DOME_EMBEDDING_MODEL": "@cf/baai/bge-m3"}, "needs DOME_EMBEDDINGS=cloudflare"),
        (
            {"DOME_EMBEDDINGS": "cloudflare", "DOME_EMBEDDING_MODEL": "BAAI/bge-small-en-v1.5"},
            "no model of Workers AI",
        ),
        ({"DOME_R2_ACCESS_KEY_ID": "an-access-key"}, "go together"),
        (
            {"DOME_LLM_MODEL": "openai/gpt-5-mini", "DOME_LLM_API_KEY": "sk-openai"},
            "needs DOME_AI_GATEWAY",
        ),
        ({"DOME_LLM_MODEL": "llama3.2"}, "anthropic/…) needs no DOME_LLM_URL"),
    ],
)
def test_what_cannot_go_together_is_refused_with_the_reason(
    variables: dict[str, str], reason: str, tmp_path: Path
) -> None:
    (problem,) = problems_of(tmp_path, **NAMED, **variables)
    assert reason in problem


def test_documents_stay_on_this_machine_unless_a_setting_sends_them_away(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, DOME_BACKEND="cloudflare", **NAMED)
    assert settings.cloudflare.convert == "off"


def test_no_embedding_model_is_no_model_of_another_backend(tmp_path: Path) -> None:
    settings_of(tmp_path, **NAMED, DOME_BACKEND="cloudflare", DOME_EMBEDDING_MODEL="off")


def test_a_language_model_behind_a_url_needs_no_account(tmp_path: Path) -> None:
    for name in ("@cf/a/b", "openai/gpt-5-mini"):
        url = {"DOME_LLM_URL": "http://localhost:1/v1", "DOME_LLM_MODEL": name}
        settings = settings_of(tmp_path, **url, DOME_LLM_API_KEY="sk-of-the-server")
        assert settings.llm_model == name


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("DOME_DATABASE", "postgres", "not one of embedded, cloudflare"),
        ("DOME_D1_DATABASE_ID", "dome", "not its name"),
        ("DOME_VECTORIZE_INDEX", "dome/2", "the name of an index"),
        ("DOME_R2_BUCKET", "Dome_Files", "the name of a bucket"),
        ("DOME_QUEUE_ID", "dome-jobs", "not its name"),
        ("DOME_CLOUDFLARE_BASE_URL", "http://proxy.example.org", "https URL such as"),
        ("DOME_R2_ENDPOINT", "r2.example.org", "https URL such as"),
        ("DOME_AI_GATEWAY", "a gateway", "the name of a gateway"),
        ("DOME_AI_GATEWAY_URL", "http://gateway.example.org", "https URL such as"),
        ("DOME_EMAIL_SENDER", "dome", "an address such as"),
        ("DOME_CONVERT", "yes", "not one of off, cloudflare"),
    ],
)
def test_a_wrong_value_is_told_once_with_what_is_right(
    variable: str, value: str, reason: str, tmp_path: Path
) -> None:
    (problem,) = problems_of(tmp_path, **{**NAMED, variable: value})
    assert problem.startswith(f"{variable} (environment): ")
    assert reason in problem


@pytest.mark.parametrize("token", ["Bearer secret-token-1", "two secret-words", "secret"])
def test_a_wrong_token_is_a_problem_that_does_not_show_it(token: str, tmp_path: Path) -> None:
    wrong = {**NAMED, "CLOUDFLARE_API_TOKEN": token, "DOME_BACKEND": "cloudflare"}
    (problem,) = problems_of(tmp_path, **wrong)
    assert problem.startswith("CLOUDFLARE_API_TOKEN (environment): ")
    assert "secret" not in problem


def test_a_wrong_account_is_a_problem_where_it_is_needed(tmp_path: Path) -> None:
    wrong = {**NAMED, "CLOUDFLARE_ACCOUNT_ID": "my account"}
    (problem,) = problems_of(tmp_path, **wrong, DOME_EMBEDDINGS="cloudflare")
    assert problem.startswith("CLOUDFLARE_ACCOUNT_ID (environment): it is not an account's id")


def test_what_other_programs_use_keeps_no_embedded_dome_from_starting(tmp_path: Path) -> None:
    others = {"CLOUDFLARE_ACCOUNT_ID": "my account", "CLOUDFLARE_API_TOKEN": "a b"}
    assert not settings_of(tmp_path, **others).cloudflare.has_account


def test_no_secret_of_the_account_ever_shows(tmp_path: Path) -> None:
    keys = {"DOME_R2_ACCESS_KEY_ID": "public-half", "DOME_R2_SECRET_ACCESS_KEY": "hidden-half"}
    settings = settings_of(tmp_path, DOME_BACKEND="cloudflare", **NAMED, **keys)
    assert settings.cloudflare.cloudflare_api_token is not None
    assert settings.cloudflare.cloudflare_api_token.value == TOKEN
    shown = f"{settings} {settings!r} {describe(settings)}"
    assert TOKEN not in shown
    assert "hidden-half" not in shown
    assert ("CLOUDFLARE_API_TOKEN", "***", "environment") in describe(settings)


def test_the_file_holds_them_in_lower_case(tmp_path: Path) -> None:
    text = f'embeddings = "cloudflare"\ncloudflare_account_id = "{ACCOUNT}"\n'
    (tmp_path / "config.toml").write_text(f'{text}cloudflare_api_token = "{TOKEN}"\n')
    assert settings_of(tmp_path).cloudflare.cloudflare_account_id == ACCOUNT
    described = {name: origin for name, _, origin in describe(settings_of(tmp_path))}
    assert described["CLOUDFLARE_ACCOUNT_ID"] == "config.toml"
    assert described["DOME_VECTORS"] == "DOME_BACKEND"


def test_an_account_takes_its_id_and_its_token(tmp_path: Path) -> None:
    assert settings_of(tmp_path, **CREDENTIALS).cloudflare.has_account
    assert not settings_of(tmp_path, CLOUDFLARE_ACCOUNT_ID=ACCOUNT).cloudflare.has_account


@pytest.mark.parametrize("place", ["eu", "us", "FedRAMP"])
def test_a_bucket_in_a_jurisdiction_is_at_an_address_of_its_own(tmp_path: Path, place: str) -> None:
    cloud = settings_of(tmp_path, DOME_R2_JURISDICTION=place, **NAMED).cloudflare
    assert cloud.r2_endpoint == f"https://{ACCOUNT}.{place.lower()}.r2.cloudflarestorage.com"
    named = {"DOME_R2_JURISDICTION": place, "DOME_R2_ENDPOINT": "https://r2.example.com", **NAMED}
    assert settings_of(tmp_path, **named).cloudflare.r2_endpoint == "https://r2.example.com"


def test_a_jurisdiction_that_is_none_is_a_problem(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, DOME_R2_JURISDICTION="mars")
    assert "eu, us, fedramp" in problem
