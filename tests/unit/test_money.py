from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot.errors import InputError
from shopbot.money import LARGEST_MINOR, format_money, to_major, to_minor


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (349.0, "USD", 34900),
        (19.99, "USD", 1999),
        (0.1, "USD", 10),
        (1.15, "USD", 115),  # as binary fraction it is 1.149999...
        ("10.500", "USD", 1050),
        (Decimal("0.00"), "USD", 0),
        (-4.5, "USD", -450),
        (1000.0, "JPY", 1000),
        (1.234, "BHD", 1234),
    ],
)
def test_amounts_become_minor_units_exactly(amount: Decimal | float | str, currency: str, expected: int) -> None:
    assert expected == to_minor(amount, currency)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        (19.999, "USD"),
        (0.5, "JPY"),
        (float("nan"), "USD"),
        (float("inf"), "USD"),
        ("1e999999999", "USD"),
        ("1e-999999999", "USD"),
        ("1.00000000000000000000000000000000001", "USD"),
        (1e16, "USD"),
        ("$5", "USD"),
        ("", "USD"),
        (True, "USD"),
        (5, "DOLLAR"),
        (5, "usd"),
    ],
)
def test_what_is_no_amount_of_the_currency_is_an_error(amount: Decimal | float | str, currency: str) -> None:
    with pytest.raises(InputError):
        to_minor(amount, currency)


@given(st.integers(-LARGEST_MINOR, LARGEST_MINOR), st.sampled_from(["USD", "JPY", "BHD"]))
def test_minor_units_survive_the_way_to_major_and_back(minor: int, currency: str) -> None:
    assert minor == to_minor(to_major(minor, currency), currency)


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "expected"),
    [
        (34900, "USD", "en-US", "$349.00"),
        (123456789, "USD", "en_US", "$1,234,567.89"),
        (123456, "EUR", "de-DE", "1.234,56\xa0€"),
        (1000, "JPY", "en-US", "¥1,000"),
        (0, "USD", "en-US", "$0.00"),
    ],
)
def test_money_is_written_as_the_locale_does(minor: int, currency: str, locale: str, expected: str) -> None:
    assert expected == format_money(minor, currency, locale)
