"""Quantities with units, converted exactly: what customers say in pounds is compared with what records say in grams."""

import re
from dataclasses import dataclass
from fractions import Fraction

from shopbot.language import canonical_number
from shopbot.types import AttributeValue

# How much of the base unit one unit is. NIST Special Publication 811, appendix B.8: the international pound and inch
# and the US gallon are exact by definition.
_SCALES: dict[str, dict[str, Fraction]] = {
    "mass": {
        "g gram grams gramme grammes gr": Fraction(1),
        "kg kgs kilo kilos kilogram kilograms kilogramme kilogrammes": Fraction(1000),
        "lb lbs pound pounds": Fraction("453.59237"),
        "oz ounce ounces": Fraction("28.349523125"),
    },
    "volume": {
        "ml milliliter milliliters millilitre millilitres": Fraction(1),
        "l liter liters litre litres": Fraction(1000),
        "gallon gallons gal": Fraction("3785.411784"),
        "quart quarts qt": Fraction("946.352946"),
    },
    "length": {
        "mm millimeter millimeters millimetre millimetres": Fraction(1),
        "cm centimeter centimeters centimetre centimetres": Fraction(10),
        "m meter meters metre metres": Fraction(1000),
        "inch inches": Fraction("25.4"),
        "ft foot feet": Fraction("304.8"),
    },
    "temperature": {"°c c celsius centigrade degrees degree °": Fraction(1), "°f f fahrenheit": Fraction(5, 9)},
    "time": {"min mins minute minutes": Fraction(1), "h hr hrs hour hours": Fraction(60)},
    "light": {"lumens lumen lm": Fraction(1)},
    "people": {"people persons person man p sleeper sleepers": Fraction(1)},
}
UNITS = {
    name: (dimension, scale)
    for dimension, units in _SCALES.items()
    for names, scale in units.items()
    for name in names.split()
}
_FREEZING_F = 32
# What an attribute without a unit in its name counts, by its label.
_COUNTS = {"lumens": "light", "people": "people"}


@dataclass(frozen=True)
class Quantity:
    """An amount in the base unit of its dimension: g, ml, mm, °C, minutes, lumens, people; or a bare number ("")."""

    amount: Fraction
    dimension: str = ""


def quantity(number: str, unit: str = "") -> Quantity:
    """Convert exactly: ("2.5", "lb") is 1133.980925 g. Raises KeyError for a unit that is not in UNITS."""
    amount = Fraction(canonical_number(number))
    if not unit:
        return Quantity(amount)
    name = unit.lower()
    dimension, scale = UNITS[name]
    if dimension == "temperature" and scale != 1:
        amount -= _FREEZING_F
    return Quantity(amount * scale, dimension)


def measured(label: str, unit: str, value: AttributeValue) -> Quantity | None:
    """What an attribute measures; None where it is no number. `label` and `unit` are those of `attribute_label`."""
    if isinstance(value, (bool, list)):
        return None
    if isinstance(value, str):
        if re.fullmatch(r"[-−]?\d+(?:[.,]\d+)*", value.strip()) is None:
            return None
        value = value.strip().replace("−", "-")
    if not unit and label in _COUNTS:
        return Quantity(Fraction(str(value)), _COUNTS[label])
    return quantity(str(value), unit) if unit.lower() in UNITS or not unit else Quantity(Fraction(str(value)))
