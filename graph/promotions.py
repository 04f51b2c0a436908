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

_CODE = re.compile(r"\b[A-Za-z]{3,12}\d{1,3}\b")


def look_up_promotions(state: State, runtime: Runtime[Turn]) -> State:
    """Say what is on offer today: what the question names, or else everything."""
    turn, pen = runtime.context, Pen(state["account"], runtime.stream_writer)
    promotions = [item for item in turn.deps.shop.promotions if item.approved]
    today = turn.deps.clock().astimezone(turn.zone).date()
    running = [item for item in promotions if is_running(item, today)]
    codes = codes_in(state["question"])
    by_code = [item for item in running if item.code and item.code.upper() in codes]
    chosen = by_code or in_category(state["question"], running)
    for code in sorted(codes - {item.code.upper() for item in by_code if item.code}):
        pen.show(Sentence(text=turn.phrase("code_not_valid", code=code), author="shop"))
    if not running:
        pen.show(Sentence(text=turn.phrase("no_offers"), author="shop"))
    elif not chosen and not codes and asks_for_a_kind(state["question"], turn):
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


def codes_in(question: str) -> set[str]:
    """What is written like a code, letters and then figures: "TENT20"; whether there is such a code or not."""
    return {word.upper() for word in _CODE.findall(question)}


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
