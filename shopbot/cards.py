"""What a product's card tells: the fields that the question asks for, and the lines of its record nearest to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shopbot.embedding import Embedder
from shopbot.language import content_stems, stem, words
from shopbot.references import LIVE_NAMES, field_name
from shopbot.statements import LIVE_FIELDS, Source, Statement

# Fields asked for and lines together. Of 284 fields asked for in the development cases 93 % are among the four lines
# nearest to the question, 89 % among three, 94 % among five; 91 % among four without the word bonus.
TOLD = 4
WORD_BONUS = 0.1
MOST_WORDS = 3


@dataclass(frozen=True)
class Asked:
    """What a question asks of a record: names of fields, and the customer's words that the record does not cover."""

    fields: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """A product as a prompt shows it; `lines` are statements that may answer what no field was found for."""

    asked: Asked = Asked()
    lines: tuple[Statement, ...] = ()


Reader = Callable[[str, Sequence[Source]], Mapping[int, Asked]]
"""Reads a question: what it asks of each product, by the product's number."""


def cards_of(
    question: str, sources: Sequence[Source], asked: Mapping[int, Asked], embedder: Embedder
) -> dict[int, Card]:
    """The cards of all products of a prompt, by number; the nearest lines fill up what the question leaves open.

    Live facts are never among the lines: their values must not come into a prompt by which a model is tuned to refer.
    """
    products = [source for source in sources if source.product]
    most = max(1, TOLD // max(1, len(products)))
    return {
        source.number: _card(question, source, asked.get(source.number, Asked()), embedder, most) for source in products
    }


def _card(question: str, source: Source, asked: Asked, embedder: Embedder, most: int) -> Card:
    nearest = [s for s in _nearest(question, source, embedder) if field_name(s.field) not in asked.fields]
    return Card(asked, tuple(nearest[: max(1, most - len(asked.fields))]))


def _nearest(question: str, source: Source, embedder: Embedder) -> list[Statement]:
    lines = [s for s in source.statements if s.field not in LIVE_FIELDS and (s.value or s.field == "description")]
    if not lines:
        return []
    title = set(content_stems(source.title))
    asked = " ".join(word for word in question.split() if not title & set(content_stems(word))) or question
    said = {stem(word) for word in words(asked)}
    cosines = embedder.embed([told_text(line) for line in lines]) @ embedder.embed([asked])[0]
    shared = [min(MOST_WORDS, len(said & (line.anchors | set(content_stems(told_text(line)))))) for line in lines]
    return [lines[place] for place in np.argsort(-(cosines + WORD_BONUS * np.asarray(shared)), kind="stable")]


def told_text(statement: Statement) -> str:
    """A line of a card: the name by which the field is referred to, and what the record says."""
    return f"{field_name(statement.field)}: {statement.value or statement.text}"


def card_head(source: Source, card: Card) -> str:
    """What a card says before its lines: the fields asked for, or what the record lacks; then the live facts."""
    named = ", ".join(card.asked.fields) or "any"
    if card.asked.unanswered:
        named = f"nothing on {', '.join(card.asked.unanswered)}"
    return f"{named}; {', '.join(name for name in LIVE_NAMES if name not in card.asked.fields)}".rstrip("; ")
