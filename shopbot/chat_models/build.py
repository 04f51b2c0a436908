"""From settings to a served model: the only place that knows how each engine is made."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shopbot.chat_models.convert import BASE_MODEL_NAME, Progress, dequantised_folder, silent
from shopbot.chat_models.decoding import EMBEDDED_ENGINES, Decoding
from shopbot.chat_models.serving import ServedModel, as_model_error, fingerprint
from shopbot.chat_models.slots import EngineSlots
from shopbot.errors import ConfigError, ModelError
from shopbot.model_files import BASE_MODEL, locate, sha256_of
from shopbot.settings import Settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from shopbot.adapters import Adapter

EMBEDDED_CAPACITY = 1  # two generations on one CPU take twice as long each, and OpenVINO refuses them
REMOTE_CAPACITY = 32
HTTP_GRACE_S = 0.5  # our own limits come first and say what happened; the client's then free the thread
_log = logging.getLogger(__name__)


def build_served_model(
    settings: Settings, arm: str = "base", adapter: "Adapter | None" = None, progress: Progress = silent
) -> ServedModel:
    """Load the model that the settings name, with the adapter merged into it; about 4 s for the embedded default.

    Raises ConfigError for settings that contradict each other, ModelError if the model cannot be
    loaded. A remote model is not contacted.
    """
    chat_model = _MAKERS[settings.engine](settings, adapter, progress)
    is_embedded = settings.engine in EMBEDDED_ENGINES
    return ServedModel(
        name=adapter.id if adapter else settings.model,
        engine=settings.engine,
        chat_model=chat_model,
        slots=EngineSlots(EMBEDDED_CAPACITY if is_embedded else REMOTE_CAPACITY, settings.model_queue_size),
        first_sentence_timeout_s=settings.model_first_sentence_timeout_s,
        stall_timeout_s=settings.model_stall_timeout_s,
        retry_after_s=settings.model_retry_after_s,
        arm=arm,
        learnt=adapter.card.policies if adapter else None,
        fingerprint=_fingerprint_on_loading(chat_model) if is_embedded else None,
        is_openai_itself=urlsplit(settings.openai_base_url or "").hostname == "api.openai.com",
    )


def warm_up(served: ServedModel) -> None:
    """Write a few tokens, so that the first customer does not pay for first-time allocations.

    A model that fails here is degraded, and the log says why; it does not keep the application from
    starting, which answers from its records meanwhile.
    """
    from langchain_core.messages import HumanMessage

    question = HumanMessage("Which tent do you recommend for two people? " * 30)
    # First-time allocations on a busy machine may take long, and nobody is waiting; a server is to answer as always.
    patient = replace(served, first_sentence_timeout_s=60, stall_timeout_s=60) if served.is_embedded else served
    patient.health = served.health
    try:
        for _ in patient.stream_text([question], decoding=Decoding(max_tokens=4), cancelled=threading.Event()):
            pass
    except ModelError:
        _log.warning("%s did not warm up", served.name)  # stream_text has logged why


def _fingerprint_on_loading(chat_model: "BaseChatModel") -> str:
    try:
        return fingerprint(chat_model)
    except (RuntimeError, ValueError) as error:
        raise as_model_error(error) from error


def _make_openvino(settings: Settings, adapter: "Adapter | None", progress: Progress) -> "BaseChatModel":
    from shopbot.chat_models.openvino import OpenVinoChatModel, check_is_whole

    is_packaged = settings.model == BASE_MODEL_NAME  # and then its hash has been checked
    gguf = locate(BASE_MODEL) if is_packaged else Path(settings.model).expanduser()
    if not gguf.is_file():
        raise ConfigError(
            f"SHOPBOT_MODEL={settings.model}: engine 'openvino' takes {BASE_MODEL_NAME} or an existing GGUF"
            " file; a Hugging Face id or folder needs SHOPBOT_ENGINE=transformers"
        )
    if not is_packaged:
        check_is_whole(gguf)
    if is_packaged or adapter:  # both arms in one quantisation, written by one code
        gguf = _quantised(gguf, adapter, settings.cache.expanduser(), progress)
    progress(f"Loading {gguf.name}")
    return OpenVinoChatModel.load(gguf)


def _quantised(gguf: Path, adapter: "Adapter | None", cache: Path, progress: Progress) -> Path:
    """Return the GGUF with the adapter merged into it, made once a cache under a lock that ends with its process."""
    from filelock import FileLock

    from shopbot.chat_models.merge import merged_gguf

    base = BASE_MODEL.sha256[:12] if gguf.name == Path(BASE_MODEL.path).name else sha256_of(gguf)[:12]
    target = cache / f"{gguf.stem}-{base}-{adapter.card.weights_sha256[:12] if adapter else 'base'}.Q8_0.gguf"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        return target if target.is_file() else merged_gguf(gguf, adapter.folder if adapter else None, target, progress)


def _make_transformers(settings: Settings, adapter: "Adapter | None", progress: Progress) -> "BaseChatModel":
    from shopbot.chat_models.transformers import TransformersChatModel

    if settings.model.endswith(".gguf"):
        raise ConfigError(f"SHOPBOT_MODEL={settings.model}: a GGUF file needs SHOPBOT_ENGINE=openvino")
    is_packaged = settings.model == BASE_MODEL_NAME
    source = dequantised_folder(settings.cache.expanduser(), progress) if is_packaged else settings.model
    progress(f"Loading {source}")
    return TransformersChatModel.load(source, adapter.folder if adapter else None)


def _make_openai(settings: Settings, adapter: "Adapter | None", progress: Progress) -> "BaseChatModel":
    if not settings.openai_base_url:
        raise ConfigError("SHOPBOT_ENGINE=openai needs SHOPBOT_OPENAI_BASE_URL, e.g. http://localhost:8000/v1")
    if urlsplit(settings.openai_base_url).scheme not in ("http", "https"):
        raise ConfigError(f"SHOPBOT_OPENAI_BASE_URL={settings.openai_base_url}: not an http(s) address")
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key,
        model=settings.model,
        timeout=_http_timeout_s(settings),
        max_retries=0,
        stream_usage=True,
        use_responses_api=False,
    )


def _make_langchain(settings: Settings, adapter: "Adapter | None", progress: Progress) -> "BaseChatModel":
    provider, _, name = settings.model.partition(":")
    if not (provider and name):
        raise ConfigError(f"SHOPBOT_MODEL={settings.model}: engine 'langchain' takes provider:name")
    from langchain.chat_models import init_chat_model
    from openai import OpenAIError

    # The options that init_chat_model documents for every provider.
    options: dict[str, Any] = {
        "temperature": 0.0,
        "max_tokens": settings.answer_max_tokens,
        "timeout": _http_timeout_s(settings),
        "max_retries": 0,
    }
    try:
        model: BaseChatModel = init_chat_model(name, model_provider=provider, **options)
    except ImportError as error:
        raise ConfigError(f"SHOPBOT_MODEL={settings.model}: {error}") from error
    except (ValueError, OpenAIError) as error:  # unknown provider, or its key is missing
        raise ConfigError(f"SHOPBOT_MODEL={settings.model}: {str(error).splitlines()[0]}") from error
    return model


def _http_timeout_s(settings: Settings) -> float:
    return max(settings.model_first_sentence_timeout_s, settings.model_stall_timeout_s) + HTTP_GRACE_S


_MAKERS: dict[str, "Callable[[Settings, Adapter | None, Progress], BaseChatModel]"] = {
    "openvino": _make_openvino,
    "transformers": _make_transformers,
    "openai": _make_openai,
    "langchain": _make_langchain,
}
