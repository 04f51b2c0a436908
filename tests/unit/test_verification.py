"""The check, measured: what is labelled right is true of the shop's files, what was made wrong is caught."""

import json
import random
from collections.abc import Sequence
from functools import cache

import pytest

from evals.cases import SETS
from evals.corruptions import KINDS, Answer, Corrupted, Shop, corruptions
from evals.metrics import exact_interval
from evals.oracle import NUMBER, bare, plain_number, read_records, unfounded
from evals.verification import SEED, Bench, Measured, read_answers
from evals.verification_report import mistakes, tables
from shopbot.errors import ConfigError
from shopbot.settings import REPOSITORY
from shopbot.shop import load_shop

SHOP = load_shop(REPOSITORY / "data" / "cairn")
RECORDS = read_records(SHOP.catalog_feed, SHOP.orders, SHOP.policies)
CAUGHT_ALWAYS = ("number", "unit", "percentage", "date", "stale_price", "product", "option", "wrong_source", "order_id")


def nothing(*_: object) -> None:
    """A progress display that shows nothing."""


@cache
def bench() -> Bench:
    return Bench(SHOP)


@cache
def measured(name: str) -> Measured:
    """The test set whole, of the development set every third answer."""
    return bench().measure(read_answers(name)[:: 1 if name == "test" else 3], nothing)


def made_wrong(answers: Sequence[Answer]) -> list[tuple[Answer, Corrupted]]:
    shop = Shop(RECORDS, random.Random(SEED))
    return [(answer, made) for answer in answers for made in corruptions(answer, shop)]


def figures(sentence: str) -> set[str]:
    return {plain_number(number) for number in NUMBER.findall(bare(sentence))}


# ---------------------------------------------------------------- the labels


def test_there_are_400_labelled_answers_at_least_and_nearly_every_right_one_can_be_made_wrong() -> None:
    answers = [answer for name in SETS for answer in read_answers(name)]
    made = made_wrong(answers)
    assert len(answers) > 600
    assert len({right.id for right, _ in made}) > 0.98 * len(answers)
    assert {item.kind for _, item in made} == set(KINDS)


@pytest.mark.parametrize("name", SETS)
def test_the_shops_files_have_every_figure_name_and_stock_of_a_right_answer(name: str) -> None:
    assert bench().defects(read_answers(name)) == []


def test_the_sets_are_about_other_products() -> None:
    kept = [{key for a in read_answers(name) for key in a.records if key.startswith("CO-")} for name in SETS]
    assert set.intersection(*kept) == set()


def test_no_right_answer_stands_in_both_sets() -> None:
    development, test = ({s for answer in read_answers(name) for s in answer.sentences} for name in SETS)
    assert development & test == set()


def test_a_figure_that_was_changed_stands_in_no_record_of_the_answer() -> None:
    answers = [answer for name in SETS for answer in read_answers(name)]
    checked = 0
    for right, made in made_wrong(answers):
        if made.kind not in ("number", "order_id"):
            continue
        new = figures(made.sentence) - figures(right.sentences[made.at])
        held = set().union(*(RECORDS[key].numbers for key in right.records))
        assert new, made.sentence
        assert not new & held, made.sentence
        checked += 1
    assert checked > 300


def test_every_corruption_changes_its_sentence_its_records_or_the_price_of_one() -> None:
    answers = [answer for name in SETS for answer in read_answers(name)]
    same = [
        made.sentence
        for right, made in made_wrong(answers)
        if made.sentence == right.sentences[made.at] and made.answer.records == right.records and not made.prices
    ]
    assert same == []


@pytest.mark.parametrize(
    ("sentence", "missing"),
    [
        ("The Everest Down Jacket costs $349.00 [1].", []),
        ("The Everest Down Jacket costs $348.00 [1].", ["348.00"]),
        ("In Ember, size L is sold out [1].", []),
        ("In Ember, size M is sold out [1].", ["stock"]),
        ("See www.cairn-deals.example for it [1].", ["www.cairn-deals.example"]),
        ("It went out with order A-57643 [1].", ["A-57643"]),
    ],
)
def test_the_oracle_finds_what_no_file_says(sentence: str, missing: list[str]) -> None:
    assert unfounded(sentence, [RECORDS["CO-0101"]]) == missing


# ---------------------------------------------------------------- the check


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("kind", CAUGHT_ALWAYS)
def test_what_was_made_wrong_is_caught(kind: str, name: str) -> None:
    wrong = [item for item in measured(name).wrong if item.kind == kind]
    assert wrong or (kind, name) == ("order_id", "test")  # no answer of the test set is about an order
    assert [item.answer.sentences[item.at] for item in wrong if item.passed] == []


@pytest.mark.parametrize("name", SETS)
def test_denials_that_were_turned_round_are_caught_in_95_of_100(name: str) -> None:
    turned = [item for item in measured(name).wrong if item.kind == "negation"]
    assert len(turned) > 50
    assert sum(not item.passed for item in turned) >= 0.95 * len(turned)


def test_most_catches_prove_something() -> None:
    """A check that refuses everything catches everything: most wrong sentences had passed while they were right."""
    wrong = measured("test").wrong
    assert sum(item.was_right for item in wrong) > 0.75 * len(wrong)


@pytest.mark.parametrize(("name", "most"), [("development", 0.07), ("test", 0.20)])
def test_no_more_right_sentences_are_held_back_than_have_been_measured(name: str, most: float) -> None:
    """The target is 2 %, for phrasings that nobody has worked on, too; docs/results/verification.md says more."""
    right = measured(name).right
    assert sum(not item.passed for item in right) <= most * len(right)


# ---------------------------------------------------------------- the report


def test_the_report_has_a_row_for_every_kind_and_tells_no_right_sentence_of_the_test_set() -> None:
    found = {"test": measured("test"), "development": measured("development")}
    text = tables(found)
    assert [kind for kind in KINDS if f"| {kind} |" not in text] == []
    told = list(mistakes(found))
    assert {row["kind"] for row in told if row["set"] == "test"} <= set(KINDS)
    assert all(json.dumps(row, ensure_ascii=False) for row in told)


def test_an_exact_interval_of_no_success_ends_where_the_rule_says() -> None:
    low, high = exact_interval(0, 100)
    assert (low, round(high, 4)) == (0.0, round(1 - 0.025 ** (1 / 100), 4))
    assert exact_interval(0, 0) == (0.0, 1.0)


def test_a_set_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="no set 'staging' of answers"):
        read_answers("staging")
