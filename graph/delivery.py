"""What delivery costs for a basket and a place: the basket is an amount or products with their live prices."""

import re

from graph.deps import Turn
from graph.follow_ups import outright
from graph.state import Point
from shopbot.delivery import quote_line
from shopbot.errors import ConfigError, InputError
from shopbot.language import canonical_number
from shopbot.limits import price_minor
from shopbot.money import to_minor
from shopbot.statements import Statement, policy_source

_DELIVERY = re.compile(
    r"\b(?:ship(?:ping|ped|s)?|deliver(?:y|ed|s|ing)?|postage|send(?:ing)?|freight)\b", re.IGNORECASE
)
_ASKS = re.compile(
    r"\b(?:how much|costs?|price|fee|charge[ds]?|pay|free|how long|how many days|when|take|expensive|what)\b",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"[$€£]\s?(\d[\d,]*(?:\.\d+)?)|\b(\d[\d,]*(?:\.\d+)?)\s?(?:dollars?|usd|bucks|euros?)\b", re.IGNORECASE
)
_BACK = re.compile(r"\b(?:back|return(?:s|ed|ing)?|repair|refund)\b", re.IGNORECASE)
_COUNT = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "both": 1}
_TIMES = re.compile(rf"\b(?P<count>\d{{1,2}}|{'|'.join(_COUNT)})\s+(?:x\s+)?(?:of\s+)?(?:the\s+)?$", re.IGNORECASE)


def delivery_points(question: str, turn: Turn) -> list[Point]:
    """What each way of delivery costs and takes; nothing where the question names no basket, or asks something else."""
    rates = turn.rates
    if not _DELIVERY.search(question) or not _ASKS.search(question) or _BACK.search(question) or rates is None:
        return []
    basket, destination = _basket(question, turn), rates.destination(question)
    if basket is None or destination is None:
        return []
    try:
        quotes = rates.quotes(destination, basket)
    except ConfigError:
        return []  # the published policies are others than the shop's folder has: their text is told instead
    config, source = turn.deps.shop.config, policy_source(1, turn.version.policies[destination.section])
    named = next(
        (word for word in destination.words if re.search(rf"\b{re.escape(word)}\b", question, re.IGNORECASE)), None
    )
    place = _written(named, destination.place) if named else destination.place
    return [
        Point(source, Statement(quote_line(quote, basket, place, config.currency, config.locale), "delivery"))
        for quote in quotes
    ]


def _written(word: str, place: str) -> str:
    """The place as the customer names it where the shop's name for it has that, too: "Alaska"."""
    found = re.search(rf"\b{re.escape(word)}\b", place, re.IGNORECASE)
    return found[0] if found else place


def _basket(question: str, turn: Turn) -> int | None:
    """What the basket is worth, in minor units: an amount that is said, or the live prices of the products named."""
    if found := _AMOUNT.search(question):
        try:
            return to_minor(canonical_number(found[1] or found[2]), turn.deps.shop.config.currency)
        except InputError:
            return None
    ids = [group[0] for group in outright(question, turn) if len(group) == 1]
    facts = turn.deps.facts.read(ids)
    prices = [price_minor(facts.get(key), turn.version.products[key].variants) for key in ids]
    if not prices or None in prices:
        return None
    counts = [_times(question, turn.version.products[key].title) for key in ids]
    return sum(price * count for price, count in zip(prices, counts, strict=True) if price is not None)


def _times(question: str, title: str) -> int:
    """How many of a product: "two Everest Down Jackets"."""
    place = question.lower().find(title.lower().split()[0])
    found = _TIMES.search(question[:place]) if place > 0 else None
    return (int(found["count"]) if found["count"].isdigit() else _COUNT[found["count"].lower()]) if found else 1
