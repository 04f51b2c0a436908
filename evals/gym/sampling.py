"""A served model whose words are drawn: the same prompts, another temperature, a seed a trial."""

from collections.abc import Generator
from dataclasses import dataclass
from itertools import count
from typing import Any

from shopbot.chat_models import Decoding, ServedModel

_CALLS_A_TRIAL = 1000


@dataclass(frozen=True)
class Sampling:
    """How the model's words are drawn in one trial; `seed` from 1."""

    temperature: float
    seed: int


class SampledModel:
    """A served model that decodes as the trial wants it; each of its replies has a seed of its own."""

    def __init__(self, model: ServedModel, sampling: Sampling) -> None:
        self._model = model
        self._temperature = sampling.temperature
        self._seeds = count(sampling.seed * _CALLS_A_TRIAL)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def stream_text(self, messages: Any, *, decoding: Decoding, **options: Any) -> Generator[str]:
        """As `ServedModel.stream_text`, at the trial's temperature."""
        drawn = decoding.model_copy(update={"temperature": self._temperature, "seed": next(self._seeds)})
        return self._model.stream_text(messages, decoding=drawn, **options)
