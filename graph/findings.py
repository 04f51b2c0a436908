"""What a look-up hands on: the points that an answer has to make, and what is said before them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from graph.deps import Turn
from graph.state import Lead, Point, Table
from shopbot.cards import Asked
from shopbot.language import joined
from shopbot.statements import Source, product_source


@dataclass(frozen=True)
class Findings:
    """What retrieval found: points to make, words to lead with, the records asked about, and what is asked of each."""

    points: list[Point] = field(default_factory=list)
    lead: list[Lead] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    asked: dict[int, Asked] = field(default_factory=dict)
    as_list: bool = False
    table: Table | None = None


def product_sources(product_ids: Sequence[str], turn: Turn) -> list[Source]:
    facts = turn.deps.facts.read(product_ids)
    locale = turn.deps.shop.config.locale
    return [
        product_source(number, turn.version.products[product_id], facts.get(product_id), locale)
        for number, product_id in enumerate(product_ids, start=1)
    ]


def quoted(said: Sequence[str]) -> str:
    """Up to three plain words as the customer typed them; nothing else of the question is ever echoed."""
    return joined([f"“{word[:30]}”" for word in said[:3]])
