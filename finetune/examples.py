"""One training example, and where it comes from."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from langchain_core.messages import BaseMessage

from shopbot.chat_models.chat_messages import to_role_dicts
from shopbot.types import Frozen

ANSWER_END = "<|im_end|>"
"""What ends every message of the base's chat template."""
Kind = Literal[
    "product", "several_fields", "stock", "compare", "unknown_attribute", "partly_known", "not_sold", "policy_closed",
    "policy_opening", "policy_text", "conversation", "description",
]  # fmt: skip


class ChatMessage(Frozen):
    role: Literal["system", "user", "assistant"]
    content: str


class TrainingExample(Frozen):
    """Prompt and answer as the chat format renders them, with what the checks need to know of their origin.

    `question` is the customer's message alone; `products` and `sections` are the records in the prompt; `tool` names
    what made it ("patterns", "policies", "conversations"); `is_misread`: its card names other things than its answer.
    """

    id: str
    kind: Kind
    role: str
    tool: str
    question: str
    prompt: tuple[ChatMessage, ...]
    answer: str
    products: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    is_misread: bool = False

    @property
    def is_opening(self) -> bool:
        """Whether the answer is only how an answer begins: what follows it is learnt elsewhere, and no end is."""
        return self.kind == "policy_opening"


def chat_messages(messages: Sequence[BaseMessage]) -> tuple[ChatMessage, ...]:
    """The messages of the chat format as plain data."""
    return tuple(ChatMessage.model_validate(item) for item in to_role_dicts(messages))


def write_examples(examples: Iterable[TrainingExample], path: Path) -> str:
    """Write JSON Lines; return the sha256 of the file."""
    text = "".join(f"{example.model_dump_json()}\n" for example in examples)
    path.write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def read_examples(path: Path) -> list[TrainingExample]:
    return [TrainingExample.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
