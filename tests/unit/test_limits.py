"""Within, outside, or not stated: a product against limits."""

from fractions import Fraction
from typing import Any

import pytest

from shopbot.limits import COLOR, PRICE, SIZE, STOCK, Feature, Fit, Limits, Measure, Range, fit, price_minor, singular
from shopbot.types import Product, ProductFacts, Variant
from tests.fakes_data import fact
from tests.unit.test_search import product

UNDER_100 = Range(high=Fraction(10000), below=True, said="under $100")
VARIANTS = (Variant(sku="S-RED", size="S", color="Red"), Variant(sku="M-BLUE", size="M", color="Ink Blue"))
FACTS = ProductFacts(
    own=fact(price=9900), variants={"S-RED": fact("S-RED", stock=0), "M-BLUE": fact("M-BLUE", price=11900, stock=3)}
)


def jacket(**attributes: Any) -> Product:
    return product("P1", "Fulmar Jacket", attributes=attributes, variants=VARIANTS)


@pytest.mark.parametrize(
    ("price", "sale", "expected"),
    [(9900, None, Fit()), (10000, None, None), (12000, 9900, Fit()), (None, None, Fit(unknown=(PRICE,)))],
)
def test_a_price_limit_is_held_against_what_is_paid_now(price: int | None, sale: int | None, expected: Fit) -> None:
    found = fit(product("P1", "Tent"), ProductFacts(own=fact(price=price, sale=sale)), Limits(price=UNDER_100))
    assert found == expected if expected else found.missed.keys() == {PRICE}


def test_without_facts_nothing_live_is_known() -> None:
    assert fit(jacket(), None, Limits(price=UNDER_100, in_stock=True)).unknown == (STOCK, PRICE)


@pytest.mark.parametrize(
    ("limits", "missed"),
    [
        (Limits(sizes=frozenset("M")), set()),
        (Limits(sizes=frozenset(["XL"])), {SIZE}),
        (Limits(colors=frozenset(["Green"])), {COLOR}),
        (Limits(colors=frozenset(["Red"]), sizes=frozenset("M")), {COLOR}),  # both are there, but not together
        (Limits(in_stock=True), set()),
        (Limits(in_stock=True, sizes=frozenset("S")), {STOCK}),
        (Limits(price=UNDER_100), set()),
        (Limits(price=UNDER_100, sizes=frozenset("M")), {PRICE}),  # that size costs $119
    ],
)
def test_colour_size_price_and_stock_have_to_come_together(limits: Limits, missed: set[str]) -> None:
    found = fit(jacket(), FACTS, limits)
    assert (set(found.missed), found.unknown) == (missed, ())


def test_a_product_without_variants_states_no_size() -> None:
    assert fit(product("P1", "Tent"), FACTS, Limits(sizes=frozenset("M"))).unknown == (SIZE,)


def test_a_measure_that_is_not_stated_is_never_within() -> None:
    limits = Limits(measures=(Measure("weight", Range(high=Fraction(2000), said="at most 2 kg")),))
    assert fit(jacket(weight_g=1999), FACTS, limits).is_within
    assert fit(jacket(weight_g=2500), FACTS, limits).missed == {"weight": Fraction(1, 4)}
    assert fit(jacket(), FACTS, limits).unknown == ("weight",)
    assert fit(jacket(weight_g="light"), FACTS, limits).unknown == ("weight",)


WATERPROOF = Feature("waterproof", "waterproof", is_named=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("waterproof membrane lining", True),
        ("20,000 mm water column, fully taped seams", True),
        ("water-repellent finish, not waterproof", False),
        ("not waterproof", False),
        ("none", False),
        ("no", False),
        ("yes", True),
        (True, True),
        (False, False),
        ("5,000 mm water column fabric, seams not taped", None),
        ("coated lower, unsealed seams", None),
        ("", None),
        (None, None),
    ],
)
def test_a_named_feature_is_true_denied_or_not_plainly_stated(value: Any, expected: bool | None) -> None:
    found = jacket() if value is None else jacket(waterproof=value)
    assert WATERPROOF.has(found) is expected
    unwanted = Feature("waterproof", "waterproof", is_named=True, is_wanted=False)
    assert unwanted.has(found) is (None if expected is None else not expected)


def test_a_word_of_values_denies_only_where_the_field_is_a_choice() -> None:
    assert Feature("inflatable", "mat_type").has(jacket(mat_type="inflatable")) is True
    assert Feature("inflatable", "mat_type").has(jacket(mat_type="self-inflating")) is False
    assert Feature("whistle", "features", is_closed=False).has(jacket(features=["hood"])) is None
    assert Feature("kids", "gender").has(product("P1", "Kids' Jacket")) is True


@pytest.mark.parametrize(
    ("word", "expected"), [("kids'", "kid"), ("women's", "women"), ("boxes", "box"), ("glass", "glass"), ("gas", "gas")]
)
def test_a_singular(word: str, expected: str) -> None:
    assert singular(word) == expected


def test_the_stricter_bound_of_two_counts() -> None:
    both = Range(low=Fraction(5), said="at least 5").both(Range(high=Fraction(9), said="at most 9"))
    assert (both.low, both.high, both.said) == (5, 9, "at least 5 and at most 9")
    assert [both.holds(Fraction(n)) for n in (4, 5, 9, 10)] == [False, True, True, False]


def test_a_later_limit_replaces_what_it_is_about_and_keeps_the_rest() -> None:
    earlier = Limits(price=UNDER_100, in_stock=True)
    later = earlier.narrowed(Limits(price=Range(high=Fraction(5000), said="at most $50")))
    assert later.said == ["at most $50", "in stock"]


def test_the_price_is_that_of_the_variants_that_are_meant() -> None:
    assert price_minor(FACTS, VARIANTS) == 9900
    assert price_minor(FACTS, VARIANTS[1:]) == 11900
    assert price_minor(ProductFacts(own=fact())) is None
    assert price_minor(None) is None
