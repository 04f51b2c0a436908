"""Questions over whole kinds of products: the products named are those that the feed itself says fit."""

from typing import Any

import pytest

from evals.selections import SelectionCase, answer, expected, is_right, read_rows, read_selections
from graph.selection import MOST_LISTED
from shopbot.settings import REPOSITORY

pytestmark = pytest.mark.model

ROWS = read_rows(REPOSITORY / "data" / "cairn" / "catalog.jsonl")
CASES = read_selections("development")
LEAST_RIGHT = 0.95


def test_the_development_questions_are_answered_from_the_records(assistant: Any) -> None:
    services = assistant().services
    wrong = {}
    for case in CASES:
        result = answer(services.deps, services.graph, case)
        if not is_right(case, result, ROWS, MOST_LISTED):
            wrong[case.id] = (case.messages, sorted(expected(case, ROWS)), result.product_ids, result.answer[:300])
    share = 1 - len(wrong) / len(CASES)
    assert share >= LEAST_RIGHT, wrong


def test_there_are_enough_questions_and_each_has_something_to_find() -> None:
    assert len(CASES) >= 60
    assert len({case.messages for case in CASES}) == len(CASES)
    assert sum(bool(expected(case, ROWS)) for case in CASES) >= 60


def test_the_oracle_can_tell_a_wrong_answer(assistant: Any) -> None:
    services = assistant().services
    right = SelectionCase(
        id="x", messages=("tents under $300",), where=(("category", "==", "Tents"), ("price", "<", 300))
    )
    result = answer(services.deps, services.graph, right)
    assert is_right(right, result, ROWS, MOST_LISTED)
    other = right.model_copy(update={"where": (("category", "==", "Tents"), ("price", "<", 200))})
    assert not is_right(other, result, ROWS, MOST_LISTED)
