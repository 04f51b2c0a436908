"""`shopbot doctor`: what is set up, what is missing, what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

from app.wiring import open_store
from shopbot.errors import ShopbotError
from shopbot.model_files import BASE_MODEL, EMBEDDER, locate
from shopbot.settings import Settings

_PROBE_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at; a `needed` one that is not ok keeps the assistant from working."""

    name: str
    ok: bool
    text: str
    needed: bool = True


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything that the settings ask for; changes nothing but an empty home's database."""
    yield _tried(
        "embedder",
        lambda: str(locate(EMBEDDER).parent) if settings.embedder == "minilm" else settings.embedder,
    )
    yield _model(settings)
    yield _chroma(settings)
    yield _tried("shop and database", lambda: _state(settings))
    yield _tried("catalog", lambda: _catalog(settings), needed=False)


def _tried(name: str, look: Callable[[], str], needed: bool = True) -> Finding:
    try:
        return Finding(name, True, look(), needed)
    except (ShopbotError, httpx.HTTPError, OSError) as error:
        return Finding(name, False, str(error), needed)


def _model(settings: Settings) -> Finding:
    if settings.engine == "openai":
        return _tried("model", lambda: _served(settings))
    if settings.engine == "langchain" or settings.model != "smollm2-135m-instruct":
        return Finding("model", True, f"{settings.engine}: {settings.model} (looked at when it is loaded)")
    return _tried("model", lambda: f"{settings.engine}: {locate(BASE_MODEL).name}")


def _served(settings: Settings) -> str:
    headers = {"Authorization": f"Bearer {settings.openai_api_key.get_secret_value()}"}
    reply = httpx.get(f"{settings.openai_base_url}/models", headers=headers, timeout=_PROBE_TIMEOUT_S)
    if reply.is_server_error:  # some servers can't list a model that was given as a folder
        return f"{settings.openai_base_url} answers, but can't list its models (HTTP {reply.status_code})"
    reply.raise_for_status()
    names = [model["id"] for model in reply.json().get("data", [])]
    if settings.model not in names:
        return (
            f"{settings.openai_base_url} answers, but lists {', '.join(names) or 'no model'}; is SHOPBOT_MODEL right?"
        )
    return f"{settings.openai_base_url} serves {settings.model}"


def _chroma(settings: Settings) -> Finding:
    if settings.chroma_url is None:
        return Finding("chroma", True, f"embedded, in {settings.home / 'index'}")
    url = f"{settings.chroma_url.rstrip('/')}/api/v2/heartbeat"

    def look() -> str:
        httpx.get(url, timeout=_PROBE_TIMEOUT_S).raise_for_status()
        return f"server at {settings.chroma_url} answers"

    return _tried("chroma", look)


def _state(settings: Settings) -> str:
    store = open_store(settings)
    return f"{store.shop.config.name} in {settings.shop}; state in {settings.home}"


def _catalog(settings: Settings) -> str:
    version = open_store(settings).catalog.active()
    return f"version {version.version_id}: {len(version.products)} products, {len(version.policies)} policy sections"
