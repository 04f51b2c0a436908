"""What a shop's folder holds for training: written conversations, and patterns of questions and answers."""

import json
from pathlib import Path

import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from shopbot.errors import ConfigError
from shopbot.shop import FieldQuestions, Questions, Shop, Unknown
from shopbot.types import Frozen


class FieldAnswers(Frozen):
    """The sentences that tell a field, with {name} and {value}."""

    answers: tuple[str, ...] = Field(min_length=1)


class FieldPatterns(FieldQuestions, FieldAnswers):
    """How a field is asked for and told."""


class NotSold(Frozen):
    ask: str
    what: str


class Patterns(Frozen):
    """training/patterns.yaml; how the fields are asked for comes from the shop's fields.yaml."""

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


def read_material(shop: Shop) -> Material:
    """Read `training/` of a shop. Raises ConfigError naming the file, the line or key, and what is wrong."""
    folder = shop.folder / "training"
    return Material(
        patterns=_read_patterns(folder / "patterns.yaml", shop.questions),
        conversations=tuple(_read_conversations(folder / "conversations.jsonl")),
    )


def _read_patterns(path: Path, questions: Questions) -> Patterns:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if "unknown" in loaded:
            raise ValueError("unknown: belongs into the shop's fields.yaml")
        answers = TypeAdapter(dict[str, FieldAnswers]).validate_python(loaded.get("fields"))
        if mute := answers.keys() - questions.fields.keys():
            raise ValueError(f"fields: fields.yaml has no question for {min(mute)!r}")
        asked = {name: {**questions.fields[name].model_dump(), **told.model_dump()} for name, told in answers.items()}
        return Patterns.model_validate({**loaded, "fields": asked, "unknown": questions.unknown})
    except (OSError, yaml.YAMLError, ValueError, AttributeError) as error:
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
