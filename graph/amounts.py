"""Amounts in customers' words, and how they limit: "under $200", "2 to 3 kg", "for two people", "down to -5 °C"."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from graph.remainder import Remainder
from shopbot.measures import UNITS
from shopbot.money import format_money

How = Literal["below", "at most", "above", "at least", "around", "between", "exactly"]

_NUMBER = r"(?:(?:minus\s*|(?<![\w.])[-−])?\d+(?:[.,]\d+)*)"
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_CURRENCY = r"dollars?|bucks?|usd|euros?|eur|gbp|quid"
_AMOUNT = rf"(?P<sign{{n}}>[$€£]\s*)?(?P<number{{n}}>{_NUMBER})(?:[\s-]?(?P<unit{{n}}>{_CURRENCY}|{_UNIT})(?![a-z]))?"
_ONE_AMOUNT = _AMOUNT.format(n="")
_COMPARATORS: dict[How, str] = {
    "below": r"under|below|less than|cheaper than|lighter than|smaller than|fewer than|colder than",
    "at most": r"at most|at the most|no more than|not more than|up to|max(?:imum)?(?: of)?|within|no heavier than"
    r"|not over|not above|no pricier than|as low as|down to|tops|<=|≤",
    "above": r"over|above|more than|heavier than|bigger than|larger than|longer than|brighter than|beyond",
    "at least": r"at least|min(?:imum)?(?: of)?|no less than|not less than|starting (?:at|from)|upwards of|>=|≥",
    "around": r"around|about|roughly|approximately|approx|circa|~|something like",
}
_LEAD = "|".join(rf"(?P<{how.replace(' ', '_')}>(?<!\w)(?:{pattern}))" for how, pattern in _COMPARATORS.items())
_BETWEEN = re.compile(
    rf"(?:\b(?:between|from)\s+)?{_AMOUNT.format(n=1)}\s*(?:and|to|[-–—])\s*{_AMOUNT.format(n=2)}", re.IGNORECASE
)
_AFTER = re.compile(
    rf"{_ONE_AMOUNT}\s*(?:(?P<at_most>or (?:less|under|below|lighter|cheaper)|max(?:imum)?\b|tops\b|at most)"
    rf"|(?P<at_least>or (?:more|above|over|up|higher)|and (?:up|above|over|more)|\+|plus\b|minimum\b))",
    re.IGNORECASE,
)
_BEFORE = re.compile(rf"(?:{_LEAD})\s*{_ONE_AMOUNT}", re.IGNORECASE)
_BARE = re.compile(_ONE_AMOUNT, re.IGNORECASE)
_DIGITS = {
    word: str(number) for number, word in enumerate("one two three four five six seven eight nine ten".split(), start=1)
}
_COUNTED = re.compile(
    rf"\b(?P<before>(?:sleeps?|for|(?:room|space|enough) for)\s+)?(?P<number>{'|'.join(_DIGITS)}|\d+)"
    r"(?P<after>[\s-]*(?:person|persons|people|man|p|adults)\b)?(?P<more>\s+or (?:more|less|fewer)\b)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Amount:
    """A number as it is written, with the sign of a currency or the unit that stands beside it, in lower case."""

    number: str
    unit: str = ""
    sign: str = ""

    @property
    def plain(self) -> str:
        """The number with its minus as a hyphen."""
        return re.sub(r"^(?:minus\s*|−)", "-", self.number.strip(), flags=re.IGNORECASE)

    @property
    def is_negative(self) -> bool:
        return self.plain.startswith("-")

    def is_money(self, currency: str) -> bool:
        is_pound = self.unit in ("pound", "pounds") and currency == "GBP"
        return bool(self.sign) or is_pound or re.fullmatch(_CURRENCY, self.unit) is not None


@dataclass(frozen=True)
class Comparison:
    """One amount and how it limits, or two with what is between them; `found` is where they stand in the message."""

    how: How
    amounts: tuple[Amount, ...]
    found: re.Match[str]

    @property
    def unit(self) -> str:
        """The last unit, which also holds for a number before it: "2 to 3 kg"."""
        return next((amount.unit for amount in reversed(self.amounts) if amount.unit), "")


def comparisons(text: Remainder) -> Iterator[Comparison]:
    """What a text limits by amounts, ranges before single amounts, the last first; each is blanked out behind it."""
    for pattern, how_of in _FORMS:
        for found in reversed(list(pattern.finditer(text.text))):
            if how := how_of(found):
                yield Comparison(how, _amounts(found), found)
                text.blank(found)


def _amounts(found: re.Match[str]) -> tuple[Amount, ...]:
    said = found.groupdict(default="")
    places = ("1", "2") if "number1" in said else ("",)
    return tuple(Amount(said[f"number{n}"], said[f"unit{n}"].lower(), said[f"sign{n}"]) for n in places)


def _between(found: re.Match[str]) -> How | None:
    """Two amounts are a range where one has a unit or a sign, or "between" stands before them."""
    has_unit = any(amount.unit or amount.sign for amount in _amounts(found))
    return "between" if has_unit or found[0].lower().startswith(("between", "from")) else None


def _compared(found: re.Match[str]) -> How | None:
    said = found.groupdict()
    return next((how for how in _COMPARATORS if said.get(how.replace(" ", "_"))), None)


def _exactly(found: re.Match[str]) -> How | None:
    """A bare amount limits only where its unit says what it is of: "2-person tents", "a bag for -5 °C"."""
    (amount,) = _amounts(found)
    dimension, _ = UNITS.get(amount.unit, ("", None))
    return "exactly" if amount.is_negative or dimension in ("people", "temperature", "volume", "light") else None


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], How | None]], ...] = (
    (_BETWEEN, _between),
    (_AFTER, _compared),
    (_BEFORE, _compared),
    (_BARE, _exactly),
)


def with_digits(text: str) -> str:
    """Numbers of people in digits and with their unit: "sleeps four", "for two people", "a two-man tent"."""

    def written(found: re.Match[str]) -> str:
        number = _DIGITS.get(found["number"].lower(), found["number"])
        before, more = (found["before"] or "").lower(), found["more"] or ""
        if before.startswith(("room", "space")):
            return f"for {number} people{more}"
        if found["after"] or before.startswith("sleep"):
            return f"{found['before'] or ''}{number} people{more}"
        return f"{number}{more}" if more and not before else found[0]

    return _COUNTED.sub(written, re.sub(r"\bbelow (?:zero|freezing)\b", "below 0 °C", text, flags=re.IGNORECASE))


def money(minor: Fraction, currency: str, locale: str) -> str:
    """An amount as customers say it: "$200", "$299.50"."""
    return re.sub(r"[.,]00$", "", format_money(round(minor), currency, locale))
