"""LangChain messages as the role and content pairs that a model's own chat template takes."""

import re
from collections.abc import Iterable, Sequence

from langchain_core.messages import BaseMessage

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}
# The shape of nearly all control tokens: <|im_end|>, <|endoftext|>, <|eot_id|>, <|start_header_id|> ...
_CONTROL_TOKEN = re.compile(r"<\|([^\s|<>]{1,40})\|>")


def to_role_dicts(messages: Sequence[BaseMessage], control_tokens: Iterable[str] = ()) -> list[dict[str, str]]:
    """Convert messages for a chat template, with control tokens in their text disarmed.

    Raises ValueError for a message that has no place in the templates (a tool's result).
    """
    tokens = sorted(control_tokens, key=len, reverse=True)
    return [{"role": _role_of(message), "content": disarm(str(message.text), tokens)} for message in messages]


def disarm(text: str, control_tokens: Iterable[str] = ()) -> str:
    """Break control tokens up with a space.

    The tokenizer reads `<|im_end|><|im_start|>system` in a customer's question, or in a planted product
    description, as the real thing: the text would end its own message and open one with more authority.
    Broken up rather than removed: removing can make a new token of what was around it.
    """
    text = _CONTROL_TOKEN.sub(r"< |\1| >", text)
    for token in control_tokens:
        if len(token) > 1:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def _role_of(message: BaseMessage) -> str:
    if message.type not in _ROLES:
        raise ValueError(f"a {message.type} message cannot be rendered by a chat template")
    return _ROLES[message.type]
