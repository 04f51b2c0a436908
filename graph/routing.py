"""Who handles the turn: what the message looks like among the shop's examples, corrected by what is certain."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from graph.wishes import Wish
from shopbot.intents import FIELD, SECTION, UNKNOWN, Scores

_ORDER_ID = re.compile(
    r"\b(?:order|purchase|parcel|package)\b.*\b[A-Z]{0,3}-?\d{4,}\b|\b[A-Z]{1,3}-\d{4,}\b", re.IGNORECASE
)
_OF_AN_ORDER = re.compile(
    r"\b(?:my|ordered|orders?|bought|purchased?|parcel|package|delivered|exchange|return)\b", re.IGNORECASE
)
_PRICE_OF = re.compile(r"\bhow much (?:is|are|for|do|does)\b|\bprices?\b|\bcosts?\b", re.IGNORECASE)
# What is wanted of an order has eight labels, which share what one would have: the route is scored by the best of them
# and, to this share, by all together. Of 0 to 1, and bonuses of 0 to .06, these brought most left-out example messages
# to the right route, each route counting the same: 83 % (82 % by the best labels alone).
_SHARE_OF_ALL = {"order": 0.5}
_OTHER_BONUS = 0.03
# Added to the score of a route for what is certain: a product's name, the form of an order number.
_NAMED_PRODUCT_BONUS = 0.15
_ORDER_ID_BONUS = 0.15
# From this cosine of its nearest section on, what the policies say helps somebody who asks about an order.
NEAR_SECTION_COSINE = 0.6


class Route(StrEnum):
    PRODUCT = "product"
    POLICY = "policy"
    ORDER = "order"
    PROMOTION = "promotion"
    HANDOFF = "handoff"
    OTHER = "other"


# The labels of the classifier that speak for a route besides its own name, as beginnings.
_SPEAKS_FOR = {Route.PRODUCT: (FIELD, UNKNOWN), Route.POLICY: (SECTION,)}


@dataclass(frozen=True)
class RouteScores:
    """The best score of a route's labels, bonuses added; higher is likelier."""

    scores: Mapping[Route, float]

    @property
    def best(self) -> Route:
        return max(self.scores, key=lambda route: (self.scores[route], route))


def route_scores(question: str, meant: Scores, *, names_product: bool) -> RouteScores:
    """Score all routes for a question; `meant` is what the classifier says of it."""
    scores = {route: _score(route, meant) for route in Route}
    scores[Route.OTHER] += _OTHER_BONUS
    scores[Route.PRODUCT] += _NAMED_PRODUCT_BONUS * names_product
    scores[Route.ORDER] += _ORDER_ID_BONUS * bool(_ORDER_ID.search(question))
    return RouteScores(scores)


def _score(route: Route, meant: Scores) -> float:
    starts, share = (route.value, *_SPEAKS_FOR.get(route, ())), _SHARE_OF_ALL.get(route.value, 0.0)
    best, total = max(map(meant.best_of, starts)), sum(map(meant.total_of, starts))
    return (1 - share) * best + share * total


def asks_for_products(question: str, wish: Wish | None, scores: RouteScores) -> bool:
    """Whether a message is about products beyond doubt: all its words name a kind of them, limits or an order.

    A kind alone is not enough where policies or offers are likelier ("any offers on tents?"), and what is said of an
    order stays with the order desk.
    """
    if wish is None or not wish.is_closed or scores.best == Route.HANDOFF:
        return False
    if scores.best == Route.ORDER:
        return _OF_AN_ORDER.search(question) is None
    return (
        wish.is_selective
        or _PRICE_OF.search(question) is not None
        or scores.best not in (Route.POLICY, Route.PROMOTION)
    )


def asks_for_a_field(meant: Scores) -> bool:
    """Whether a message asks something of one product, rather than which products there are."""
    # More than 0, too, which is what labels without examples have.
    return max(meant.best_of(FIELD), meant.best_of(UNKNOWN)) > max(meant.of(Route.PRODUCT), 0.0)
