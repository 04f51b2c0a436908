"""Money in minor units (cents): whole numbers inside, text with a currency sign only at the edge."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction

from shopbot.errors import InputError

LARGEST_MINOR = 10**15
"""Beyond any price, within a 64-bit column and exact in a JSON number (2**53)."""


def currency_precision(currency: str) -> int:
    """Return how many decimal digits `currency` (ISO 4217) has: 2 for USD, 0 for JPY.

    Raises InputError for a code that babel does not know; its own default would be a silent 2.
    """
    from babel.numbers import get_currency_precision, list_currencies

    if currency not in list_currencies():
        raise InputError("currency", f"{currency!r} is not an ISO 4217 code such as USD")
    return int(get_currency_precision(currency))


def to_minor(amount: Decimal | float | str, currency: str) -> int:
    """Turn an amount in major units (349.0) into minor units (34900).

    Floats are read by their shortest decimal text, so 19.99 is 1999 and not 1998.9999.
    Raises InputError for what is no finite number, has more digits than the currency, or is absurdly large.
    """
    precision = currency_precision(currency)
    value = _decimal(amount)
    scaled = Fraction(value) * Fraction(10) ** precision
    if scaled.denominator != 1:
        raise InputError("amount", f"{amount} has more than the {precision} decimal digits of {currency}")
    if abs(scaled) > LARGEST_MINOR:
        raise InputError("amount", f"{amount} {currency} is too large")
    return scaled.numerator


def to_major(minor: int, currency: str) -> Decimal:
    """Return minor units as an exact amount in major units: 34900 USD is Decimal("349.00")."""
    return Decimal(minor).scaleb(-currency_precision(currency))


def format_money(minor: int, currency: str, locale: str) -> str:
    """Write minor units the way `locale` ("en-US", "de_DE") does: "$349.00"."""
    from babel import Locale
    from babel.numbers import format_currency

    return format_currency(to_major(minor, currency), currency, locale=Locale.parse(locale.replace("-", "_")))


def _decimal(amount: Decimal | float | str) -> Decimal:
    if isinstance(amount, bool):
        raise InputError("amount", "is true or false, not a number")
    try:
        value = Decimal(str(amount).strip())
    except InvalidOperation as error:
        raise InputError("amount", f"{amount!r} is not a number") from error
    if not value.is_finite():
        raise InputError("amount", f"{amount} is not a finite number")
    if abs(int(value.as_tuple().exponent)) > 30:  # "1e999999" would make a number of a million digits
        raise InputError("amount", f"{amount} is out of range")
    return value
