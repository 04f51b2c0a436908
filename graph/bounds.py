"""What the amounts of a message limit: the price, or what records of the kind measure, in base units."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from graph.amounts import Amount, Comparison, How, comparisons, money
from graph.remainder import Remainder
from shopbot.errors import InputError
from shopbot.language import canonical_number, stem, words
from shopbot.limits import Measure, Range
from shopbot.measures import quantity
from shopbot.money import to_minor

# "Around" an amount is taken to mean within this share of it; the answer says so.
AROUND = Fraction(1, 5)
# How units are written.
_SHOWN = {
    **dict.fromkeys(("c", "°c", "celsius", "degrees", "degree", "centigrade", "°"), "°C"),
    **dict.fromkeys(("f", "°f", "fahrenheit"), "°F"),
    **dict.fromkeys(("person", "persons", "man", "p", "sleeper", "sleepers"), "people"),
}  # fmt: skip
_SLEEPS = re.compile(r"\b(?:sleeps?|fits?|for)\s*$")
# Attributes as `Vocabulary.measures` has them: label and dimension, and how many of the products state it.
Known = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Bounds:
    """`unread` is an amount that no record of the kind measures, or no amount at all."""

    price: Range | None
    measures: tuple[Measure, ...]
    unread: tuple[str, ...]


def read_bounds(text: Remainder, known: Known, currency: str, locale: str) -> Bounds:
    price: Range | None = None
    measures: dict[str, Range] = {}
    unread: list[str] = []
    for said in comparisons(text):
        measure = bounds = None
        if _is_price(said, text, known, currency):
            bounds = _price(said, currency, locale)
            price = price.both(bounds) if price and bounds else bounds or price
        elif measure := _measure(said, text, known):
            earlier = measures.get(measure.label)
            measures[measure.label] = earlier.both(measure.range) if earlier else measure.range
        if not (bounds or measure) and said.how != "exactly":
            unread.append(said.found[0].strip())
    return Bounds(price, tuple(Measure(label, bounds) for label, bounds in measures.items()), tuple(unread))


def _is_price(said: Comparison, text: Remainder, known: Known, currency: str) -> bool:
    """A bare number is money, too, unless it is negative, or what it measures stands beside it: "rating above 4.5"."""

    def is_money(amount: Amount) -> bool:
        is_other = amount.unit or amount.is_negative or _labelled(said, text, known)
        return amount.is_money(currency) or not is_other

    return all(map(is_money, said.amounts))


def _price(said: Comparison, currency: str, locale: str) -> Range | None:
    try:
        amounts = [Fraction(to_minor(canonical_number(amount.number), currency)) for amount in said.amounts]
    except InputError:
        return None
    return _range(said.how, amounts, lambda amount: money(amount, currency, locale))


def _measure(said: Comparison, text: Remainder, known: Known) -> Measure | None:
    """The attribute that an amount is of, with its bounds."""
    is_negative = any(amount.is_negative for amount in said.amounts)
    unit = said.unit or ("c" if is_negative else "")  # nothing else that is sold goes below zero
    try:
        quantities = [quantity(amount.plain, amount.unit or unit) for amount in said.amounts]
    except (KeyError, ValueError, ZeroDivisionError):  # KeyError: one of the two is an amount of money
        return None
    dimension = quantities[0].dimension
    if unit:
        known = {name: count for name, count in known.items() if name[1] == dimension}
    label = _labelled(said, text, known) or (_usual(known, dimension) if unit else None)
    if label is None:
        return None
    shown = {read.amount: _written(amount, unit) for read, amount in zip(quantities, said.amounts, strict=True)}
    bounds = _range(_how_meant(said, dimension), list(shown), shown.__getitem__)
    return Measure(label, replace(bounds, said=_with_label(bounds.said, label)))


def _written(amount: Amount, unit: str) -> str:
    unit = amount.unit or unit
    return f"{amount.plain} {_SHOWN.get(unit, unit)}".strip()


def _with_label(said: str, label: str) -> str:
    said = re.sub(r"\b1 people\b", "1 person", said) if label in said else f"{label} {said}"
    return f"for {said}" if label == "people" else said


def _how_meant(said: Comparison, dimension: str) -> How:
    """ "A bag for -5 °C" has to be warm enough for it, a tent "for 3 people" large enough."""
    if said.how != "exactly":
        return said.how
    if dimension == "temperature":
        return "at most"
    is_for = _SLEEPS.search(said.found.string[: said.found.start()])
    return "at least" if dimension == "people" and is_for else "exactly"


def _labelled(said: Comparison, text: Remainder, known: Iterable[tuple[str, str]]) -> str | None:
    """The attribute whose name stands beside the amount."""
    place = text.text.find(said.found[0])
    beside = set(map(stem, words(text.text[max(0, place - 30) : place + len(said.found[0]) + 20])))
    named = [label for label, _ in known if {stem(word) for word in words(label)} <= beside]
    return max(named, key=len, default=None)


def _usual(known: Known, dimension: str) -> str | None:
    """The attribute of a dimension that most of the products have; of weights the one that is called so."""
    fitting = {label: count for (label, of), count in known.items() if of == dimension}
    if dimension == "length" and len(fitting) > 1:
        return None  # which length is meant has to be said
    preferred = [label for label in ("weight", "capacity", "comfort temp") if label in fitting]
    return preferred[0] if preferred else max(fitting, key=lambda label: fitting[label], default=None)


def _range(how: How, values: Sequence[Fraction], shown: Callable[[Fraction], str]) -> Range:
    value = values[0]
    if how == "between":
        low, high = min(values), max(values)
        return Range(low, high, said=f"from {shown(low)} to {shown(high)}")
    if how == "around":
        low, high = value - abs(value) * AROUND, value + abs(value) * AROUND
        return Range(low, high, said=f"around {shown(value)} (give or take {int(AROUND * 100)} %)")
    if how == "below":
        return Range(high=value, below=True, said=f"under {shown(value)}")
    if how == "above":
        return Range(low=value, above=True, said=f"over {shown(value)}")
    if how == "at most":
        return Range(high=value, said=f"at most {shown(value)}")
    if how == "at least":
        return Range(low=value, said=f"at least {shown(value)}")
    return Range(value, value, said=shown(value))
