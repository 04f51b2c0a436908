"""Who handles a question: what the classifier says of it, corrected by what is certain."""

import pytest

from graph.find import points_back
from graph.routing import Route, asks_for_a_field, route_scores
from tests.unit.test_intents import scores_of

OTHER_BONUS = 0.03
QUIET = {"product": 0.0, "policy": 0.0, "order": 0.0, "promotion": 0.0, "handoff": 0.0, "other": 0.0}
MIXED = dict.fromkeys(QUIET, 0.5)


def scored(labels: dict[str, float], question: str = "a message", *, names_product: bool = False) -> dict[str, float]:
    """The score of each route, by its name; what is not the shop's business less its bonus."""
    scores = route_scores(question, scores_of(labels), names_product=names_product).scores
    plain = {route.value: score for route, score in scores.items()}
    return {**plain, "other": round(plain["other"] - OTHER_BONUS, 6)}


def best(labels: dict[str, float], question: str = "a message", *, names_product: bool = False) -> Route:
    return route_scores(question, scores_of(labels), names_product=names_product).best


@pytest.mark.parametrize(
    ("label", "route"),
    [
        ("product", Route.PRODUCT),
        ("field.price", Route.PRODUCT),
        ("field.r_value", Route.PRODUCT),
        ("unknown", Route.PRODUCT),
        ("policy", Route.POLICY),
        ("section.returns.window", Route.POLICY),
        ("order", Route.ORDER),
        ("promotion", Route.PROMOTION),
        ("handoff", Route.HANDOFF),
        ("other", Route.OTHER),
    ],
)
def test_every_label_speaks_for_its_route_alone(label: str, route: Route) -> None:
    assert best({**QUIET, label: 0.25}) == route
    assert scored({**QUIET, label: 0.25}) == pytest.approx({**QUIET, route: 0.25})


def test_a_route_scores_as_the_best_of_its_labels() -> None:
    """Not as their sum: a shop has ten times as many sections as it has routes."""
    labels = {"section.returns.window": 0.25, "section.returns.label": 0.25, "policy": -0.125, "field.price": 0.375}
    assert scored(labels) == {**QUIET, "product": 0.375, "policy": 0.25}


def test_orders_score_between_the_best_of_their_labels_and_all_together() -> None:
    """What is wanted of an order has many labels, which share the score that one of them all would have."""
    labels = {"order.status": 0.25, "order.cancel": 0.125, "order.return": 0.125}
    assert scored(labels)["order"] == pytest.approx((0.25 + 0.5) / 2)


def test_the_labels_of_a_route_may_all_speak_against_it() -> None:
    routes = {"product": -0.5, "policy": -0.5, "order": -0.25, "promotion": -0.5, "handoff": -0.5, "other": -0.5}
    labels = {**routes, "field.price": -0.25, "unknown": -0.375, "section.returns.window": -0.125}
    assert scored(labels) == {**routes, "product": -0.25, "policy": -0.125}


def test_the_name_of_a_product_speaks_for_the_product_route() -> None:
    assert scored(MIXED, names_product=True) == {**MIXED, "product": pytest.approx(0.65)}
    assert best({**MIXED, "policy": 0.625}, names_product=True) == Route.PRODUCT


@pytest.mark.parametrize(
    "number", ["CO-10023", "order 10023", "my parcel no. 445566", "purchase A-99887", "PACKAGE 10023", "co-10023?"]
)
def test_an_order_number_speaks_for_the_order_route(number: str) -> None:
    assert scored(MIXED, f"a message {number}") == {**MIXED, "order": pytest.approx(0.65)}
    assert best({**MIXED, "other": 0.6}, f"a message {number}") == Route.ORDER


@pytest.mark.parametrize("text", ["a jacket for 1500 dollars", "size 44", "in 2026", "order 2 tents", "EN-892"])
def test_other_numbers_do_not(text: str) -> None:
    assert scored(MIXED, f"a message {text}") == MIXED


@pytest.mark.parametrize("score", [0.66, 0.9])
def test_what_is_certain_does_not_overrule_what_is_clear(score: float) -> None:
    """ "Can I return the Fulmar of order CO-10023?" names a product and an order, and is about returns."""
    labels = {**MIXED, "section.returns.window": score}
    assert best(labels, "can I return it, order CO-10023?", names_product=True) == Route.POLICY


def test_a_tie_is_always_decided_the_same_way() -> None:
    tied = {**MIXED, "other": 0.0}
    assert best(tied) == best(dict(reversed(tied.items()))) == Route.PROMOTION
    assert best({"policy": 0.5, "order": 0.5}) == Route.POLICY


def test_few_labels_are_enough() -> None:
    assert best({"product": 0.5, "other": 0.25}) == Route.PRODUCT
    assert best({"product": 0.25, "other": 0.5}) == Route.OTHER
    assert scored({"other": 0.5}) == {**QUIET, "other": 0.5}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"field.price": 0.5, "product": 0.25}, True),
        ({"unknown": 0.5, "field.price": 0.0, "product": 0.25}, True),
        ({"field.price": 0.25, "field.weight": 0.125, "unknown": 0.0, "product": 0.5}, False),
        ({"field.price": 0.25, "product": 0.25}, False),
        ({"field.price": 0.25, "product": 0.125, "section.returns.window": 0.75}, True),
    ],
)
def test_a_message_asks_for_a_field_if_it_looks_more_like_that_than_like_a_search(
    labels: dict[str, float], expected: bool
) -> None:
    assert asks_for_a_field(scores_of(labels)) is expected


@pytest.mark.parametrize("product", [0.25, 0.0, -0.125])
def test_a_shop_without_example_questions_is_never_asked_for_a_field(product: float) -> None:
    """However little its message looks like a search."""
    assert asks_for_a_field(scores_of({"product": product, "other": 0.5})) is False


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("does it come in blue?", True),
        ("And in XL?", True),
        ("how much?", True),
        ("are they waterproof", True),
        ("what colors?", True),
        ("How much is the Everest Down Jacket?", False),
        ("Do you sell canoes?", False),
    ],
)
def test_a_question_that_points_back_is_known_by_its_words(question: str, expected: bool) -> None:
    assert points_back(question) is expected
