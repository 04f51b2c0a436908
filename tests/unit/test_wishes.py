"""Limits in the customer's own words, read with the words of a catalog."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.vocabulary import Vocabulary
from graph.wishes import Wish, read_wish
from shopbot.measures import quantity
from tests.fakes_data import PRODUCTS
from tests.unit.test_search import product
from tests.unit.test_verify_catalog import catalog

CAIRN = Vocabulary(catalog()[0])


def wish(question: str, vocabulary: Vocabulary = CAIRN) -> Wish:
    return read_wish(question, vocabulary, "USD", "en-US")


@pytest.mark.parametrize(
    ("words", "low", "high"),
    [
        ("under $200", None, 20000),
        ("below 200 dollars", None, 20000),
        ("less than 200 bucks", None, 20000),
        ("cheaper than $200", None, 20000),
        ("no more than $200", None, 20000),
        ("at most 200", None, 20000),
        ("max $200", None, 20000),
        ("up to $1,200", None, 120000),
        ("for $200 or less", None, 20000),
        ("under 299,50", None, 29950),
        ("over $200", 20000, None),
        ("more than 200 dollars", 20000, None),
        ("at least $200", 20000, None),
        ("$200 and up", 20000, None),
        ("between $50 and $100", 5000, 10000),
        ("from 50 to 100 dollars", 5000, 10000),
        ("$50-$100", 5000, 10000),
        ("around $80", 6400, 9600),
        ("about 80 dollars", 6400, 9600),
    ],
)
def test_a_price_limit_in_many_words(words: str, low: int | None, high: int | None) -> None:
    found = wish(f"jackets {words}")
    assert found.limits.price is not None
    assert (found.limits.price.low, found.limits.price.high) == (low, high)
    assert (found.is_closed, found.kind and found.kind.categories) == (True, ("Insulated Jackets", "Rain Jackets"))


@pytest.mark.parametrize(("words", "holds"), [("under $200", False), ("at most $200", True), ("up to $200", True)])
def test_whether_the_limit_itself_is_within(words: str, holds: bool) -> None:
    price = wish(f"tents {words}").limits.price
    assert price is not None
    assert price.holds(Fraction(20000)) is holds
    assert price.holds(Fraction(19999))


def test_a_tolerance_is_said() -> None:
    assert wish("tents around $300").limits.said == ["around $300 (give or take 20 %)"]


@pytest.mark.parametrize(
    ("words", "label", "low", "high"),
    [
        ("under 2 kg", "weight", None, "2000"),
        ("lighter than 4 lb", "weight", None, "1814.36948"),
        ("weighing at most 40 oz", "weight", None, "1133.980925"),
        ("under 1500g", "weight", None, "1500"),
        ("for 2 people", "people", "2", None),
        ("that sleep four", "people", "4", None),
        ("2-person", "people", "2", "2"),
        ("two-man", "people", "2", "2"),
        ("with a rating above 4.5", "rating", "4.5", None),
    ],
)
def test_what_is_measured_is_read_with_its_unit(words: str, label: str, low: str | None, high: str | None) -> None:
    found = wish(f"tents {words}")
    assert [measure.label for measure in found.limits.measures] == [label]
    bounds = found.limits.measures[0].range
    assert (bounds.low, bounds.high) == (low and Fraction(low), high and Fraction(high))
    assert found.is_closed


@pytest.mark.parametrize("words", ["for -5 °C", "down to -5", "comfortable to minus 5 degrees", "rated to 23 F"])
def test_a_bag_for_a_temperature_is_at_least_as_warm(words: str) -> None:
    (measure,) = wish(f"sleeping bags {words}").limits.measures
    assert (measure.label, measure.range.high, measure.range.low) == ("comfort temp", -5, None)


@given(st.integers(1, 5000), st.sampled_from(["g", "kg", "lb", "oz", "pounds"]))
def test_a_weight_in_any_unit_is_the_same_weight(number: int, unit: str) -> None:
    (measure,) = wish(f"tents under {number} {unit}").limits.measures
    assert measure.range.high == quantity(str(number), unit).amount


@given(st.integers(1, 10**6), st.integers(0, 99))
def test_any_price_is_read_to_the_cent(units: int, cents: int) -> None:
    price = wish(f"tents under ${units}.{cents:02d}").limits.price
    assert price is not None
    assert price.high == units * 100 + cents


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading(text: str) -> None:
    assert isinstance(wish(text), Wish)


@pytest.mark.parametrize("amount", ["99999999999999999999", "1.2.3", "1,2,3", "99.999"])
def test_what_is_no_amount_is_kept_as_not_read(amount: str) -> None:
    found = wish(f"tents under {amount}")
    assert (found.limits.price, found.is_closed) == (None, False)


@pytest.mark.parametrize(
    ("question", "categories", "count"),
    [
        ("which jackets do you have", ("Insulated Jackets", "Rain Jackets"), 32),
        ("rain jackets", ("Rain Jackets",), 16),
        ("sleeping bags", ("Sleeping Bags",), 15),
        ("boots", (), 8),
        ("headlamps", (), 7),
        ("jakcets", ("Insulated Jackets", "Rain Jackets"), 32),
        ("tnet", ("Tents",), 15),
        ("socks for my tent", (), 11),
        ("anything", (), 244),
        ("kayaks", None, 0),
    ],
)
def test_a_kind_is_a_category_or_what_titles_are_called(
    question: str, categories: tuple[str, ...] | None, count: int
) -> None:
    kind = wish(question).kind
    assert (kind.categories, len(kind.product_ids)) == (categories, count) if kind else categories is None


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("waterproof boots", ["waterproof"]),
        ("jackets that are not waterproof", ["not waterproof"]),
        ("jackets with a hood in ember", ["with hood", "in ember"]),
        ("jackets without hood", ["without hood"]),
        ("headlamps with red light", ["with red light"]),
        ("4-season tents", ["4-season"]),
        ("fall jackets", ["autumn"]),
        ("inflatable mats in stock", ["inflatable", "in stock"]),
        ("steel bottles", ["steel"]),
        ("jackets in size M", ["in size M"]),
        ("jackets in xl", ["in size XL"]),
        ("boots in size 42", ["in size 42"]),
        ("red jackets", ["in red"]),
    ],
)
def test_features_colours_and_sizes_are_the_catalogs_own(question: str, said: list[str]) -> None:
    found = wish(question)
    assert (found.limits.said, found.is_closed) == (said, True)


@pytest.mark.parametrize(
    ("question", "field", "direction"),
    [
        ("cheapest tent", "price", "low"),
        ("least expensive tent", "price", "low"),
        ("most affordable tent", "price", "low"),
        ("the most expensive tent", "price", "high"),
        ("lightest tent", "weight", "low"),
        ("heaviest tent", "weight", "high"),
        ("warmest sleeping bag", "comfort temp", "low"),
        ("warmest sleeping mat", "r value", "high"),
        ("brightest headlamp", "lumens", "high"),
        ("biggest backpack", "capacity", "high"),
        ("biggest tent", "people", "high"),
        ("headlamp with the longest burn time", "burn time", "high"),
        ("best rated tent", "rating", "high"),
        ("cheepest tent", "price", "low"),
    ],
)
def test_a_superlative_compares_what_records_of_the_kind_have(question: str, field: str, direction: str) -> None:
    order = wish(question).order
    assert order is not None
    assert (order.field, order.direction) == (field, direction)


@pytest.mark.parametrize(
    "question",
    [
        "tents for windy nights",
        "jackets that can be machine washed",
        "which jackets can I return",
        "do you ship tents to Canada",
        "roof top tent for a Subaru",
        "I'm after a baby carrier backpack",
    ],
)
def test_words_that_are_not_understood_leave_the_answer_to_the_search(question: str) -> None:
    found = wish(question)
    assert (found.kind is not None, found.is_closed) == (True, False)


@pytest.mark.parametrize(("question", "ask"), [("how many tents", "count"), ("compare tents", "compare")])
def test_what_is_asked_of_the_products(question: str, ask: str) -> None:
    assert wish(question).ask == ask


def test_another_catalog_has_its_own_words() -> None:
    rows = [{"attributes": {}, "category": "", **row} for row in PRODUCTS]
    products = [
        product(row["id"], row["title"], category=row["category"], attributes=row["attributes"]) for row in rows
    ]
    vocabulary = Vocabulary({item.id: item for item in products})
    found = wish("cookware under $200", vocabulary)
    assert found.kind is not None
    assert found.kind.categories == ("Cookware",)
    assert wish("which jackets are waterproof", vocabulary).kind is None


def test_a_range_from_a_weight_to_a_price_is_none() -> None:
    found = wish("tents 2 kg to 300 dollars")
    assert found.unread
    assert not found.limits.price
