"""`shopbot doctor`: what is set up, what is missing, what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.wiring import open_store
from graph.deps import check_material
from shopbot.chat_models.convert import BASE_MODEL_NAME
from shopbot.embedding import PACKAGED, weights_revision
from shopbot.errors import CatalogEmpty, ConfigError, ModelError, ShopbotError
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
    yield _tried("embedder", lambda: _embedder(settings))
    yield _model(settings)
    yield _chroma(settings)
    yield _tried("shop and database", lambda: _state(settings))
    yield _tried("catalog", lambda: _catalog(settings))


def _tried(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except CatalogEmpty as error:  # the first start, or the first ingest, fills it
        return Finding(name, False, str(error), needed=False)
    except (ShopbotError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Finding(name, False, str(error))


def _embedder(settings: Settings) -> str:
    if settings.embedder == PACKAGED:
        return str(locate(EMBEDDER).parent)
    return f"{settings.embedder} (revision {weights_revision(Path(settings.embedder).expanduser())})"


def _model(settings: Settings) -> Finding:
    if settings.engine == "openai":
        return _tried("model", lambda: _served(settings))
    if settings.model == BASE_MODEL_NAME and settings.engine != "langchain":
        return _tried("model", lambda: f"{settings.engine}: {locate(BASE_MODEL).name}")
    if settings.engine == "openvino":
        return _tried("model", lambda: f"openvino: {Path(settings.model).expanduser().resolve(strict=True)}")
    return Finding("model", True, f"{settings.engine}: {settings.model} (looked at when it is loaded)")


def _served(settings: Settings) -> str:
    url = settings.openai_base_url
    if not url:
        raise ConfigError("SHOPBOT_ENGINE=openai needs SHOPBOT_OPENAI_BASE_URL")
    headers = {"Authorization": f"Bearer {settings.openai_api_key.get_secret_value()}"}
    reply = _get(f"{url}/models", headers)
    if reply.is_server_error:  # some servers can't list a model that was given as a folder
        return f"{url} answers, but can't list its models (HTTP {reply.status_code})"
    reply.raise_for_status()
    try:
        names = [model["id"] for model in reply.json()["data"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{url} answers, but not as a model server does; is SHOPBOT_OPENAI_BASE_URL right?") from error
    if settings.model not in names:
        return f"{url} answers, but lists {', '.join(names) or 'no model'}; is SHOPBOT_MODEL right?"
    return f"{url} serves {settings.model}"


def _get(url: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """Fetch. Raises ConfigError, naming the address, where nobody answers."""
    try:
        return httpx.get(url, headers=headers, timeout=_PROBE_TIMEOUT_S)
    except httpx.TransportError as error:
        raise ConfigError(f"{url} cannot be reached: {error}") from error


def _chroma(settings: Settings) -> Finding:
    if settings.chroma_url is None:
        return Finding("chroma", True, f"embedded, in {settings.home / 'index'}")
    url = f"{settings.chroma_url.rstrip('/')}/api/v2/heartbeat"

    def look() -> str:
        _get(url).raise_for_status()
        return f"server at {settings.chroma_url} answers"

    return _tried("chroma", look)


def _state(settings: Settings) -> str:
    store = open_store(settings)
    check_material(store.shop)
    return f"{store.shop.config.name} in {settings.shop}; state in {settings.home}"


def _catalog(settings: Settings) -> str:
    version = open_store(settings).catalog.active()
    return f"version {version.version_id}: {len(version.products)} products, {len(version.policies)} policy sections"
