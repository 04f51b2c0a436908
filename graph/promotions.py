"""Seasonal promotions: dated material that begins and ends by itself, and of which only the approved is offered."""

import re
from collections.abc import Iterable
from datetime import date
from itertools import count

from langgraph.runtime import Runtime

from graph.deps import Turn
from graph.find import things_in
from graph.pen import Pen
from graph.state import Point, State
from graph.turn import Sentence
from shopbot.language import content_stems
from shopbot.statements import Source, Statement
from shopbot.types import Promotion


def look_up_promotions(state: State, runtime: Runtime[Turn]) -> State:
    """Say what is on offer today: what the question names, or else everything."""
    turn, pen = runtime.context, Pen(state["account"], runtime.stream_writer)
    promotions = [item for item in turn.deps.shop.promotions if item.approved]
    today = turn.deps.clock().astimezone(turn.zone).date()
    running = [item for item in promotions if is_running(item, today)]
    by_code = with_code(state["question"], promotions)
    chosen = [item for item in by_code if item in running] or in_category(state["question"], running)
    for item in by_code:
        if item not in running:
            pen.show(Sentence(text=turn.phrase("code_not_valid", code=item.code), author="shop"))
    if not running:
        pen.show(Sentence(text=turn.phrase("no_offers"), author="shop"))
    elif not chosen and not by_code and asks_for_a_kind(state["question"], turn):
        pen.show(Sentence(text=turn.phrase("no_offer_for_that"), author="shop"))
    points = [
        Point(source, statement)
        for source in map(promotion_source, count(1), chosen or running)
        for statement in source.statements
    ]
    return {"account": state["account"], "points": points, "as_list": len(chosen or running) > 1}


def is_running(promotion: Promotion, today: date) -> bool:
    """From its first day to its last, both included; days are the shop's."""
    return promotion.starts <= today <= promotion.ends


def with_code(question: str, promotions: Iterable[Promotion]) -> list[Promotion]:
    """Promotions whose code stands in the question."""
    said = {word.upper() for word in re.findall(r"\w+", question)}
    return [item for item in promotions if item.code and item.code.upper() in said]


def in_category(question: str, promotions: Iterable[Promotion]) -> list[Promotion]:
    """Promotions of a kind of product that the question names."""
    said = set(things_in(question))
    return [item for item in promotions if said & set(content_stems(" ".join(item.categories)))]


def asks_for_a_kind(question: str, turn: Turn) -> bool:
    """Whether the question names a kind of product of the catalog: an offer for tents is asked for, not any."""
    kinds = {stem for product in turn.version.products.values() for stem in content_stems(product.category)}
    return bool(kinds & set(things_in(question)))


def promotion_source(number: int, promotion: Promotion) -> Source:
    lines = [promotion.text, *([f"Conditions: {promotion.conditions}"] if promotion.conditions else [])]
    statements = tuple(Statement(line, "promotion") for line in lines)
    return Source(number, promotion.id, "promotion", promotion.title, statements)
