"""The one chat format: how records, few-shot examples and a question become messages.

Training, evaluation and serving all call `to_messages`; a model tuned on one rendering and served with another
answers worse for no visible reason. Raise the version with every change of the rendering: adapters record it.

What a question is answered from is rendered in one of three ways, chosen by the prompt's `layout`:

    facts      single statements, numbered by their record: what a model that was not tuned copies from
    cards      products by the names of the fields that are asked for, because a tuned model refers to values; sections
    sections   the ids of policy sections alone: a tuned model knows their text
"""

from collections.abc import Iterable, Mapping, Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from shopbot.cards import Asked, card_head, cut_to_size, told_text
from shopbot.prompts import Example, RolePrompt
from shopbot.statements import Source

CHAT_FORMAT_VERSION = 4


def to_messages(prompt: RolePrompt, context: str, question: str, **variables: str) -> list[BaseMessage]:
    """Render system prompt, examples, context and question; `variables` fill the system prompt's placeholders."""
    messages: list[BaseMessage] = [SystemMessage(prompt.system.format(**variables))]
    for example in prompt.examples:
        messages += _exchange(example)
    return [*messages, HumanMessage(_user_text(context, question))]


def as_facts(facts: Iterable[tuple[int, str]]) -> str:
    """Render (source number, sentence) pairs.

    They are data: they stand between fixed markers, one a line, with line breaks removed, so that a text planted in
    a record can't pose as another part of the prompt.
    """
    return "Facts:\n" + "\n".join(f"[{number}] {_one_line(text)}" for number, text in facts)


def as_cards(
    sources: Sequence[Source],
    asked: Mapping[int, Asked] | None = None,
    values: Mapping[int, Mapping[str, str]] | None = None,
) -> str:
    """Render records as cards: of a product what is asked of it (`asked`, by its number); the text of a section.

    `values`, by number and field, are shown to a model that copies them.
    """
    told, shown = cut_to_size(asked or {}), values or {}
    cards = [_card(source, told.get(source.number, Asked()), shown.get(source.number, {})) for source in sources]
    return "Records:\n" + ("\n".join(cards) or "none")


def as_sections(section_ids: Iterable[str]) -> str:
    """Render the ids of policy sections as hints, 20 tokens in place of 300; "any" where there is no hint."""
    return f"Sections: {', '.join(section_ids) or 'any'}"


def _card(source: Source, asked: Asked, values: Mapping[str, str]) -> str:
    title = f"[{source.number}] {_one_line(source.title)}"
    if source.product is None:
        return "\n".join([title, *(_one_line(statement.text) for statement in source.statements)])
    lines = [*(f"{name}: {value}" for name, value in values.items()), *(told_text(line) for line in asked.lines)]
    return "\n".join([f"{title}: {_one_line(card_head(asked))}", *(_one_line(line) for line in lines)])


def _exchange(example: Example) -> Iterable[BaseMessage]:
    facts = as_facts((example.source, fact) for fact in example.facts)
    return HumanMessage(_user_text(facts, example.question)), AIMessage(example.answer)


def _user_text(context: str, question: str) -> str:
    return f"{context}\nQuestion: {_one_line(question)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
