"""What a shop's folder holds for training: written conversations, and patterns of questions and answers."""

import json
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, model_validator

from shopbot.errors import ConfigError
from shopbot.types import Frozen


class FieldPatterns(Frozen):
    """Questions with {name} (or, for stock by option, {name} and {option}), and answers with {value}.

    Follow-ups name nothing: they ask for more in the same message, or in the next one.
    """

    questions: tuple[str, ...] = Field(min_length=1)
    follow_ups: tuple[str, ...] = ()
    answers: tuple[str, ...] = Field(min_length=1)


class Unknown(Frozen):
    """Something that records often do not say: `word` must not stand in the record, `what` is how it is called.

    `kind` limits it to products of some categories (`Patterns.kinds`); "any" fits all.
    """

    ask: str
    what: str
    word: str
    kind: str = "any"


class NotSold(Frozen):
    ask: str
    what: str


class Patterns(Frozen):
    """training/patterns.yaml."""

    fields: dict[str, FieldPatterns]
    unknown: tuple[Unknown, ...]
    unknown_answers: tuple[str, ...]
    not_sold: tuple[NotSold, ...]
    not_sold_answers: tuple[str, ...]
    compare: tuple[str, ...]
    joiners: tuple[str, ...]
    second_questions: tuple[str, ...]
    kinds: dict[str, tuple[str, ...]]
    field_words: dict[str, tuple[str, ...]]

    @model_validator(mode="after")
    def _kinds_are_known(self) -> "Patterns":
        if unknown := {item.kind for item in self.unknown} - {"any", *self.kinds}:
            raise ValueError(f"unknown: kind {min(unknown)!r} is not among the kinds: {', '.join(sorted(self.kinds))}")
        return self


class WrittenTurn(Frozen):
    """A customer's message, the ids of the records that retrieval found for it, and the assistant's answer."""

    user: str
    records: tuple[str, ...]
    answer: str


class Conversation(Frozen):
    id: str
    kind: str
    turns: tuple[WrittenTurn, ...] = Field(min_length=1)


class Material(Frozen):
    patterns: Patterns
    conversations: tuple[Conversation, ...]


def read_material(shop_folder: Path) -> Material:
    """Read `training/` of a shop. Raises ConfigError naming the file, the line or key, and what is wrong."""
    folder = shop_folder / "training"
    return Material(
        patterns=_read_patterns(folder / "patterns.yaml"),
        conversations=tuple(_read_conversations(folder / "conversations.jsonl")),
    )


def _read_patterns(path: Path) -> Patterns:
    try:
        return Patterns.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _read_conversations(path: Path) -> list[Conversation]:
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        try:
            found.append(Conversation.model_validate(json.loads(line)))
        except (ValueError, ValidationError) as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
    return found
