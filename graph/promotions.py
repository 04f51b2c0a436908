"""Seasonal promotions: dated material that begins and ends by itself, and of which only the approved is offered."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import count

from langgraph.runtime import Runtime

from graph.deps import Turn
from graph.find import things_in
from graph.pen import Pen
from graph.state import Point, State
from graph.turn import Sentence
from shopbot.language import content_stems, words
from shopbot.statements import Source, Statement
from shopbot.types import Promotion


def look_up_promotions(state: State, runtime: Runtime[Turn]) -> State:
    """Say what is on offer today: what the question names, or else everything."""
    turn, pen = runtime.context, Pen(state["account"], runtime.stream_writer)
    promotions = [item for item in turn.deps.shop.promotions if item.approved]
    today = turn.deps.clock().astimezone(turn.zone).date()
    for item in with_code(state["question"], promotions):
        if not is_running(item, today):
            pen.show(Sentence(text=turn.phrase("code_not_valid", code=item.code), author="shop"))
    running = [item for item in promotions if is_running(item, today)]
    chosen = named_in(state["question"], running)
    if not chosen and asks_for_a_kind(state["question"], turn):
        pen.show(Sentence(text=turn.phrase("no_offer_for_that"), author="shop"))
    chosen = chosen or running
    if not chosen:
        pen.show(Sentence(text=turn.phrase("no_offers"), author="shop"))
    points = [
        Point(source, statement)
        for source in map(promotion_source, count(1), chosen)
        for statement in source.statements
    ]
    return {"account": state["account"], "points": points, "as_list": len(chosen) > 1}


def is_running(promotion: Promotion, today: date) -> bool:
    """From its first day to its last, both included; days are the shop's."""
    return promotion.starts <= today <= promotion.ends


def with_code(question: str, promotions: Iterable[Promotion]) -> list[Promotion]:
    """Promotions whose code stands in the question."""
    said = set(words(question))
    return [item for item in promotions if item.code and item.code.lower() in said]


def named_in(question: str, promotions: Sequence[Promotion]) -> list[Promotion]:
    """Promotions that the question names: by code, by category, or by a word of the title."""
    said = set(things_in(question))
    by_category = [p for p in promotions if said & set(content_stems(" ".join(p.categories)))]
    return with_code(question, promotions) or by_category


def asks_for_a_kind(question: str, turn: Turn) -> bool:
    """Whether the question names a kind of product of the catalog: an offer for tents is asked for, not any."""
    kinds = {stem for product in turn.version.products.values() for stem in content_stems(product.category)}
    return bool(kinds & set(things_in(question)))


def promotion_source(number: int, promotion: Promotion) -> Source:
    lines = [promotion.text, *([f"Conditions: {promotion.conditions}"] if promotion.conditions else [])]
    statements = tuple(Statement(line, "promotion") for line in lines)
    return Source(number, promotion.id, "promotion", promotion.title, statements)
