"""A training run as a file: recipes/*.yaml, every option with its unit."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from shopbot.errors import ConfigError
from shopbot.prompts import Values
from shopbot.types import Frozen

FOLDER = Path(__file__).parent / "recipes"


class DataPlan(Frozen):
    """How many examples of each kind.

    `recitals`, `openings` and `texts` are per policy section: its questions answered from the weights; further ones of
    which only the opening of the answer is learnt, which names the section; and questions answered over its text.
    `values` says whether answers refer to values of the records or copy them from the facts in the prompt;
    `misread_kept` is the share kept of the questions about products whose card names other fields than the asked ones,
    `unread_kept` of those whose card misses that the record does not answer them.
    """

    facts: int = Field(default=700, ge=0)
    several_fields: int = Field(default=160, ge=0)
    stock: int = Field(default=200, ge=0)
    compare: int = Field(default=90, ge=0)
    unknown: int = Field(default=160, ge=0)
    partly_known: int = Field(default=60, ge=0)
    not_sold: int = Field(default=60, ge=0)
    recitals: int = Field(default=12, ge=0)
    openings: int = Field(default=12, ge=0)
    texts: int = Field(default=3, ge=0)
    descriptions: int = Field(default=0, ge=0)
    misread_kept: float = Field(default=1.0, ge=0, le=1)
    unread_kept: float = Field(default=1.0, ge=0, le=1)
    values: Values = "referred"


class LoraOptions(Frozen):
    """Rank, scaling (alpha / r) and places of the low-rank matrices (Hu et al., arXiv:2106.09685)."""

    r: int = Field(default=16, ge=1, le=256)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: str | tuple[str, ...] = "all-linear"


class Recipe(Frozen):
    """One training run; a batch is of examples, a share is of 1.

    `data_share` is how much of the examples is used, for learning curves.
    """

    name: str
    base: str = "smollm2-135m-instruct"
    seed: int = 7
    data: DataPlan = DataPlan()
    data_share: float = Field(default=1, gt=0, le=1)
    validation_share: float = Field(default=0.03, gt=0, lt=0.5)
    max_tokens: int = Field(default=640, ge=64, le=8192)
    lora: LoraOptions = LoraOptions()
    learning_rate: float = Field(default=5e-4, gt=0)
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    epochs: float = Field(default=1, gt=0)
    batch_size: int = Field(default=8, ge=1)
    micro_tokens: int = Field(default=1600, ge=64)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    checkpoint_every: int = Field(default=60, ge=1)
    patience: int = Field(default=3, ge=1)
    max_minutes: float = Field(default=40, gt=0)


def read_recipe(name: str, **overrides: Any) -> Recipe:
    """Read a recipe by its name, or by the path of a YAML file; `extends` names one that it changes.

    Raises ConfigError naming the key that is wrong.
    """
    path = _path_of(name)
    try:
        return Recipe.model_validate(_read(path) | overrides)
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _path_of(name: str) -> Path:
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(recipe.stem for recipe in FOLDER.glob("*.yaml")))
        raise ConfigError(f"no recipe {name!r}; there are: {known}, or give the path of a YAML file")
    return path


def _read(path: Path) -> dict[str, Any]:
    """A recipe's keys over those of the recipe that it extends."""
    told: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    parent = told.pop("extends", None)
    if parent is None:
        return told
    given = _read(_path_of(parent))
    return given | {key: _over(given.get(key), value) for key, value in told.items()}


def _over(given: Any, value: Any) -> Any:
    return given | value if isinstance(given, dict) and isinstance(value, dict) else value
