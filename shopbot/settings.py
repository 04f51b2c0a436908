"""The one place where configuration enters: environment variables with the prefix SHOPBOT_."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shopbot.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

REPOSITORY = Path(__file__).resolve().parent.parent
PREFIX = "SHOPBOT_"
# Variables with our prefix that are no settings: only the tests read them.
TEST_PREFIXES = ("SHOPBOT_TEST", "SHOPBOT_CHROMIUM", "SHOPBOT_WRITE_SCREENSHOTS")
HISTORY_TOKENS = 800
"""How much of a conversation a turn looks back on: about ten exchanges."""
RETENTION_DAYS = 90
"""How long conversations are kept: what the sample shop's privacy policy says."""
Engine = Literal["openvino", "transformers", "openai", "langchain"]


class Settings(BaseSettings):
    """All settings; build it in entry points only (`load_settings`), everything else takes values."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="forbid",
    )

    home: Path = Field(
        Path("~/.shopbot"), description="All state: database, index versions. One folder to move or delete."
    )
    cache: Path = Field(Path("~/.cache/shopbot"), description="Converted models; safe to delete, shared by homes.")
    shop: Path = Field(REPOSITORY / "data" / "cairn", description="The shop's folder: policies, voice, catalog feed.")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default: SQLite inside the home.")
    chroma_url: str | None = Field(
        None, description="A Chroma server, e.g. http://chroma:8000; default: embedded, inside the home."
    )

    engine: Engine = Field(
        "openvino",
        description="openvino (CPU) | transformers | openai (any compatible server) | langchain (init_chat_model).",
    )
    model: str = Field(
        "smollm2-135m-instruct",
        description="The packaged model, a GGUF file, a Hugging Face id or folder, a served name, or provider:name.",
    )
    adapter: Path | None = Field(
        None, description="LoRA adapter of the tuned arm; default: the shop's own, in its adapter folder."
    )
    tuned_model: str | None = Field(
        None, description="Name under which the OpenAI-compatible server serves the tuned model, where it does."
    )
    default_arm: Literal["base", "tuned"] = Field(
        "tuned", description="Arm that answers where none is asked for; base where there is no tuned model."
    )
    openai_base_url: str | None = Field(None, description="Base URL of the OpenAI-compatible server, ending in /v1.")
    openai_api_key: SecretStr = Field(SecretStr("not-needed"), description="Key for that server, where it wants one.")
    model_first_sentence_timeout_s: float = Field(
        1.5,
        gt=0,
        le=120,
        description="Longest wait for a first sentence to show; then the answer is composed from the records.",
    )
    model_stall_timeout_s: float = Field(
        1.5, gt=0, le=120, description="Longest pause between two tokens after the first shown sentence."
    )
    model_retry_after_s: float = Field(
        10.0, ge=0, le=3600, description="After a failure the model is left alone this long."
    )
    model_queue_size: int = Field(8, ge=0, le=1000, description="Turns that may wait for an embedded engine.")
    answer_max_tokens: int = Field(160, ge=8, le=2048, description="Longest generation, in tokens.")

    embedder: str = Field("minilm", description="The packaged embedder's name, or a sentence-transformers folder.")
    dense_weight: float = Field(1.0, ge=0, le=10, description="Weight of the dense ranking in reciprocal rank fusion.")
    keyword_weight: float = Field(2.0, ge=0, le=10, description="Weight of the BM25 ranking in reciprocal rank fusion.")

    session_key: SecretStr | None = Field(
        None, description="Signs the sessions of several servers alike; default: a key of this home's own."
    )
    demo: bool = Field(False, description="Make demo accounts whose password everybody can read; loopback only.")
    arm_switch: bool = Field(False, description="Show the choice of arm on the chat page; for staff.")
    host: str = Field("127.0.0.1", description="Address that `shopbot serve` listens on.")
    port: int = Field(8501, ge=1, le=65535, description="Port that `shopbot serve` listens on.")
    facts_token: SecretStr | None = Field(
        None, description="Bearer token for POST /api/facts; without it that route is closed."
    )
    traces: bool = Field(
        False, description="Send OpenTelemetry traces; OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_* say where to."
    )
    trace_content: bool = Field(
        False, description="Let traces hold what customers and models wrote; without it they have no text."
    )
    question_max_chars: int = Field(
        2000, ge=100, le=100_000, description="Longer questions are refused with a friendly note."
    )
    history_tokens: int = Field(
        HISTORY_TOKENS,
        ge=100,
        le=100_000,
        description="How much of a conversation a turn looks back on, in tokens (estimated).",
    )
    retention_days: int = Field(
        RETENTION_DAYS,
        ge=1,
        le=3650,
        description="Conversations are deleted after so many days; the privacy policy has to say so.",
    )


def load_settings(**overrides: object) -> Settings:
    """Read settings from the environment, the `.env` file and `overrides`, paths expanded.

    Raises ConfigError naming every wrong value and every variable that is no setting.
    """
    problems = [_no_such(name) for name in sorted(os.environ) if _is_unknown(name)]
    settings: Settings | None = None
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        problems += [_wrong(item) for item in error.errors()]
    if settings is None or problems:
        raise ConfigError(f"settings: {'; '.join(problems)}")
    expanded = {name: getattr(settings, name).expanduser() for name in ("home", "cache", "shop")}
    return settings.model_copy(update=expanded)


def _is_unknown(variable: str) -> bool:
    """Whether a variable has our prefix and nothing reads it; pydantic-settings only looks at those of `.env`."""
    name = variable.upper()
    return name.startswith(PREFIX) and name not in _names() and not name.startswith(TEST_PREFIXES)


def _names() -> list[str]:
    return [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]


def _no_such(variable: str) -> str:
    meant = get_close_matches(variable.upper(), _names(), n=1, cutoff=0.8)
    return f"{variable}: no such setting" + (f"; did you mean {meant[0]}?" if meant else "")


def _wrong(item: "ErrorDetails") -> str:
    name = ".".join(str(part) for part in item["loc"]).upper()
    return _no_such(name) if item["type"] == "extra_forbidden" else f"{PREFIX}{name}: {item['msg']}"
