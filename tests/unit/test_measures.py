"""Quantities are converted exactly, both ways."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot.measures import UNITS, Quantity, measured, quantity


@pytest.mark.parametrize(
    ("number", "unit", "amount", "dimension"),
    [
        ("1", "lb", "453.59237", "mass"),
        ("2.5", "pounds", "1133.980925", "mass"),
        ("16", "oz", "453.59237", "mass"),
        ("1.5", "kg", "1500", "mass"),
        ("1,299", "g", "1299", "mass"),
        ("299,50", "g", "299.5", "mass"),
        ("1", "gallon", "3785.411784", "volume"),
        ("12", "inches", "304.8", "length"),
        ("14", "F", "-10", "temperature"),
        ("32", "°F", "0", "temperature"),
        ("-5", "°C", "-5", "temperature"),
        ("2", "hours", "120", "time"),
        ("4", "", "4", ""),
    ],
)
def test_units_are_converted_exactly(number: str, unit: str, amount: str, dimension: str) -> None:
    assert quantity(number, unit) == Quantity(Fraction(amount), dimension)


@given(st.integers(0, 10**6))
def test_sixteen_ounces_are_a_pound_whatever_the_number(count: int) -> None:
    assert quantity(str(count * 16), "oz") == quantity(str(count), "lb")


@given(st.sampled_from(sorted(UNITS)), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_a_larger_number_is_a_larger_quantity(unit: str, one: int, other: int) -> None:
    assert (quantity(str(one), unit).amount < quantity(str(other), unit).amount) == (one < other)


@pytest.mark.parametrize(
    ("label", "unit", "value", "expected"),
    [
        ("weight", "g", 515, Quantity(Fraction(515), "mass")),
        ("weight", "g", 0.5, Quantity(Fraction(1, 2), "mass")),
        ("weight", "", 4, Quantity(Fraction(4))),  # in which unit, the feed does not say
        ("people", "", 2, Quantity(Fraction(2), "people")),
        ("power", "W", 2700, Quantity(Fraction(2700))),
        ("weight", "g", "515", Quantity(Fraction(515), "mass")),
        ("weight", "g", "about 500", None),
        ("freestanding", "", True, None),
        ("season", "", ["winter"], None),
    ],
)
def test_an_attribute_measures_something_only_where_it_is_a_number(
    label: str, unit: str, value: object, expected: Quantity | None
) -> None:
    assert measured(label, unit, value) == expected  # type: ignore[arg-type]
