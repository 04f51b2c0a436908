"""Who handles a question: nearest examples, corrected by what is certain."""

from collections.abc import Sequence

import numpy as np
import pytest

from graph.find import points_back
from graph.routing import Route, Router
from shopbot.embedding import Progress, Vectors

AXES = {"product": 0, "policy": 1, "order": 2, "other": 3}


class AxisEmbedder:
    """A text that names a route lies on that route's axis; "mixed" between all four."""

    name, revision, dimension = "axis", "1", 4

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        return np.stack([self.one(text) for text in texts])

    def one(self, text: str) -> Vectors:
        vector = np.full(4, 0.5, dtype=np.float32)
        for name, axis in AXES.items():
            if name in text:
                vector = np.zeros(4, dtype=np.float32)
                vector[axis] = 1.0
        return vector


EMBEDDER = AxisEmbedder()
ROUTER = Router({route: [f"{route} {n}" for n in range(7)] for route in Route}, EMBEDDER)


def best(question: str, *, names_product: bool = False, policy_nearness: float = 0.0) -> Route:
    vector = EMBEDDER.one(question)
    return ROUTER.scores(question, vector, names_product=names_product, policy_nearness=policy_nearness).best


@pytest.mark.parametrize("route", list(Route))
def test_a_question_goes_to_the_route_of_its_nearest_examples(route: Route) -> None:
    assert best(f"a question about {route}") == route


def test_the_name_of_a_product_speaks_for_the_product_route() -> None:
    assert best("mixed", names_product=True) == Route.PRODUCT


@pytest.mark.parametrize("number", ["CO-10023", "order 10023", "my parcel no. 445566", "purchase A-99887"])
def test_an_order_number_speaks_for_the_order_route(number: str) -> None:
    assert best(f"mixed {number}") == Route.ORDER


@pytest.mark.parametrize("text", ["a jacket for 1500 dollars", "size 44", "in 2026", "order 2 tents"])
def test_other_numbers_do_not(text: str) -> None:
    scores = ROUTER.scores(f"mixed {text}", EMBEDDER.one("mixed"), names_product=False, policy_nearness=0.0).scores
    assert scores[Route.ORDER] == pytest.approx(0.5)


def test_questions_about_policies_close_by_speak_for_the_policy_route() -> None:
    assert best("mixed", policy_nearness=0.9) == Route.POLICY


@pytest.mark.parametrize(
    ("question", "policy_nearness", "score"),
    [
        ("mixed", 0.0, 0.5),
        ("mixed", 0.62, 0.5),
        ("mixed", 0.72, 0.6),
        ("mixed", 1.0, 0.88),
        ("a question about policy", 1.0, 1.0),
        ("a question about order", 0.5, 0.38),
    ],
)
def test_the_policy_route_scores_its_own_examples_or_the_policies_questions_less_a_margin(
    question: str, policy_nearness: float, score: float
) -> None:
    """The nearer of the two; the other routes are not touched."""
    vector = EMBEDDER.one(question)
    far, found = (
        ROUTER.scores(question, vector, names_product=False, policy_nearness=near).scores
        for near in (0.0, policy_nearness)
    )
    assert dict(found) == {**far, Route.POLICY: pytest.approx(score)}


def test_what_is_certain_does_not_overrule_what_is_clear() -> None:
    """ "Can I return the Fulmar?" names a product and is about returns."""
    assert best("a question about policy", names_product=True) == Route.POLICY


def test_few_examples_are_enough() -> None:
    router = Router({Route.PRODUCT: ["product"], Route.OTHER: ["other"]}, EMBEDDER)
    scores = router.scores("product", EMBEDDER.one("product"), names_product=False, policy_nearness=0.0)
    assert scores.best == Route.PRODUCT


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
