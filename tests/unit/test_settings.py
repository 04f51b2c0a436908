"""Configuration enters in one place, and whatever is wrong with it is said at once, by name."""

from pathlib import Path

import pytest

from shopbot.errors import ConfigError
from shopbot.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _no_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def problem() -> str:
    with pytest.raises(ConfigError) as raised:
        load_settings()
    return str(raised.value)


def test_without_a_variable_set_every_setting_has_a_default() -> None:
    assert load_settings().model_dump(exclude={"home", "cache"}) == Settings.model_construct().model_dump(
        exclude={"home", "cache"}
    )


def test_a_variable_sets_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_PORT", "9000")
    assert load_settings().port == 9000


def test_what_the_caller_gives_overrules_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_PORT", "9000")
    assert load_settings(port=9001).port == 9001


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """docker compose hands over `SHOPBOT_FACTS_TOKEN=` where the host has none: no token, not an empty one."""
    monkeypatch.setenv("SHOPBOT_FACTS_TOKEN", "")
    assert load_settings().facts_token is None


@pytest.mark.parametrize("name", ["home", "cache", "shop"])
def test_a_tilde_is_the_home_directory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SHOPBOT_{name.upper()}", "~/somewhere")
    assert getattr(load_settings(), name) == Path.home() / "somewhere"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("ENGINE", "llama"),
        ("MODEL_FIRST_SENTENCE_TIMEOUT_S", "0"),
        ("MODEL_RETRY_AFTER_S", "-1"),
        ("MODEL_QUEUE_SIZE", "1.5"),
        ("DENSE_WEIGHT", "11"),
        ("ANSWER_MAX_TOKENS", "7"),
        ("QUESTION_MAX_CHARS", "99"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SHOPBOT_{name}", value)
    assert problem().startswith(f"settings: SHOPBOT_{name}: Input should be")


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_PORT", "0")
    monkeypatch.setenv("SHOPBOT_ENGINE", "llama")
    monkeypatch.setenv("SHOPBOT_COLOUR", "blue")
    assert [name for name in ("SHOPBOT_PORT", "SHOPBOT_ENGINE", "SHOPBOT_COLOUR") if name not in problem()] == []


def test_a_variable_that_nobody_reads_is_refused_and_the_meant_one_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_HOEM", "/srv/shopbot")
    assert problem() == "settings: SHOPBOT_HOEM: no such setting; did you mean SHOPBOT_HOME?"


def test_a_variable_that_resembles_none_gets_no_proposal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_XYZ", "1")
    assert problem() == "settings: SHOPBOT_XYZ: no such setting"


def test_a_line_of_the_env_file_that_is_no_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SHOPBOT_PORT=9000\nSHOPBOT_COLOUR=blue\n", encoding="utf-8")
    assert problem() == "settings: SHOPBOT_COLOUR: no such setting"


def test_the_environment_overrules_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("SHOPBOT_PORT=9000\nSHOPBOT_HOST=0.0.0.0\n", encoding="utf-8")
    monkeypatch.setenv("SHOPBOT_PORT", "9001")
    assert (load_settings().port, load_settings().host) == (9001, "0.0.0.0")


@pytest.mark.parametrize("name", ["SHOPBOT_TESTS_COMPLETE", "SHOPBOT_TEST_PUBLIC_DATA", "SHOPBOT_CHROMIUM"])
def test_variables_of_the_tests_are_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert load_settings().port == Settings.model_fields["port"].default


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("SHOPBOT_FACTS_TOKEN", "token-very-secret")
    settings = load_settings()
    assert "very-secret" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert settings.openai_api_key.get_secret_value() == "sk-very-secret"


def test_a_wrong_secret_is_not_quoted_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_FACTS_TOKEN", "token-very-secret")
    monkeypatch.setenv("SHOPBOT_PORT", "0")
    assert "very-secret" not in problem()


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
