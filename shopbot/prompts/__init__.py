"""Role prompts: Markdown files with front matter, one folder an arm, versioned, hashed into every trace."""

import hashlib
import string
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import ValidationError, model_validator

from shopbot.chat_models.decoding import Decoding
from shopbot.errors import ConfigError
from shopbot.types import Audience, Frozen

FOLDER = Path(__file__).parent


Layout = Literal["facts", "cards", "sections"]
Values = Literal["referred", "copied"]


class Example(Frozen):
    """One few-shot exchange: facts of one source, the customer's question, the answer that we want."""

    question: str
    facts: tuple[str, ...]
    answer: str
    source: int = 1


class RolePrompt(Frozen):
    """A role's prompt as its file states it; `layout` says how its records are rendered (`shopbot.chat_format`).

    `values` says whether a tuned model refers to the values of a record or copies them. `variables` are the
    placeholders of `system`: {assistant} and {shop} are filled in.
    """

    id: str
    version: int
    role: str
    audience: Audience = "customer"
    variables: tuple[Literal["assistant", "shop"], ...] = ("assistant", "shop")
    layout: Layout = "facts"
    values: Values = "referred"
    decoding: Decoding = Decoding()
    examples: tuple[Example, ...] = ()
    system: str

    @model_validator(mode="after")
    def _check_variables(self) -> Self:
        used = {name for _, name, _, _ in string.Formatter().parse(self.system) if name is not None}
        if used != set(self.variables):
            raise ValueError(f"the text uses {sorted(used)}, 'variables' names {sorted(self.variables)}")
        return self

    def with_values(self, values: Values) -> Self:
        return self.model_copy(update={"values": values})

    def capped(self, max_tokens: int) -> Self:
        """Return the prompt with answers of at most `max_tokens`."""
        decoding = self.decoding.model_copy(update={"max_tokens": min(max_tokens, self.decoding.max_tokens)})
        return self.model_copy(update={"decoding": decoding})

    @cached_property
    def hash(self) -> str:
        """First 12 hex digits of the sha256 over everything that shapes the prompt."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def load_prompt(role: str, arm: str = "base", folder: Path = FOLDER) -> RolePrompt:
    """Read an arm's `<role>.md`. Raises ConfigError naming the file and what is wrong with it."""
    path = folder / arm / f"{role}.md"
    try:
        _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
        return RolePrompt(**yaml.safe_load(front), system=body.strip())
    except (OSError, ValueError, TypeError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"prompt {path.name}: {error}") from error
