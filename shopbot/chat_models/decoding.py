"""How a reply is decoded: one description, translated per engine here and nowhere else."""

from typing import Any, Self

from pydantic import Field

from shopbot.types import Frozen

EMBEDDED_ENGINES = ("openvino", "transformers")


class Decoding(Frozen):
    """Decoding of one reply; temperature 0 is greedy, hence repeatable.

    `seed` draws other words at a higher temperature; the embedded engines obey it, others are not told. `grammar` is
    what a reply has to fit (`shopbot.grammars`); only OpenVINO is told.
    """

    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(default=96, ge=1, le=8192)
    stop: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0, exclude=True)  # no part of a prompt, nor of its hash
    grammar: str | None = Field(default=None, exclude=True)

    def by_grammar(self, grammar: str | None) -> Self:
        return self.model_copy(update={"grammar": grammar})


def call_options(engine: str, decoding: Decoding, *, is_openai_itself: bool = False) -> dict[str, Any]:
    """Translate `decoding` into keyword arguments of the chat model's `stream` and `invoke`.

    Raises KeyError for an engine that is not one of the four in Settings.
    """
    options: dict[str, Any] = {"stop": list(decoding.stop)} if decoding.stop else {}
    return options | {
        "openvino": _openvino,
        "transformers": _embedded,
        "openai": _openai_itself if is_openai_itself else _openai_compatible,
        "langchain": _any_provider,
    }[engine](decoding)


def _openvino(decoding: Decoding) -> dict[str, Any]:
    return _embedded(decoding) | ({"grammar": decoding.grammar} if decoding.grammar else {})


def _embedded(decoding: Decoding) -> dict[str, Any]:
    options = decoding.model_dump(include={"temperature", "top_p", "max_tokens"})
    return options | {"seed": decoding.seed} if decoding.seed else options


def _sampling(decoding: Decoding) -> dict[str, Any]:
    """Leave `top_p` out where it says nothing: some servers refuse it beside a temperature."""
    options: dict[str, Any] = {"temperature": decoding.temperature}
    return options if decoding.top_p == 1.0 else options | {"top_p": decoding.top_p}


def _openai_itself(decoding: Decoding) -> dict[str, Any]:
    return _sampling(decoding) | {"max_tokens": decoding.max_tokens}


def _openai_compatible(decoding: Decoding) -> dict[str, Any]:
    """Send `max_tokens` under its old name.

    ChatOpenAI renames it to `max_completion_tokens`, which older servers ignore: the answer then has no
    limit. All of them know the old name; only OpenAI's own newer models refuse it.
    """
    return _sampling(decoding) | {"extra_body": {"max_tokens": decoding.max_tokens}}


def _any_provider(decoding: Decoding) -> dict[str, Any]:
    """Nothing per call: `init_chat_model` documents `temperature` and `max_tokens` for all providers, at
    construction; what they are called per call differs."""
    return {}
