"""Claims about live facts inside a sentence: amounts of money, and what is in stock in which size and colour."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shopbot.language import canonical_number
from shopbot.types import Product, ProductFacts

_MONEY = re.compile(
    r"(?:[$€£¥]|\b(?:USD|EUR|GBP)\s)\s?(\d+(?:[.,]\d+)*)|(\d+(?:[.,]\d+)*)\s?(?:dollars?|euros?|pounds?|USD|EUR|GBP|€|£)\b",
    re.IGNORECASE,
)
_AVAILABLE = re.compile(
    r"\b(in stock|available|have (?:it|them|this|that)"
    r"|(?<!the )left(?! (?:side|hand|chest|hip|pocket|sleeve))|on hand|(?:buy|order|get) (?:it|one))\b",
    re.IGNORECASE,
)
_UNAVAILABLE = re.compile(
    r"\b(sold out|out of stock|unavailable|none left"
    r"|(?:not|no longer|isn't|aren't) (?:currently )?(?:available|in stock))\b",
    re.IGNORECASE,
)
# An amount with one of these is no longer the price: it passes only as the record says it, with all its amounts.
_RELATIVE_PRICE = re.compile(
    r"\b(down from|was|were|used to|over|above|under|below|more than|less than|from|to|up to|at least|about|around)\b",
    re.IGNORECASE,
)
_LETTER_SIZE = re.compile(r"\b(?:X{0,3}[SL]|M)\b")
# A clause ends where another state may begin: "in stock in M, sold out in L and available in XL"; the comma of a
# list ("in Moss, sizes S, M and L") does not end it.
_STATE = r"(?=(?:is|are|it is|it's|sold|out of|not|available|in stock)\b)"
_CLAUSE = re.compile(rf"[;.]\s|,\s{_STATE}|\bbut\b|\band {_STATE}", re.IGNORECASE)


@dataclass(frozen=True)
class Options:
    """Sizes and colours that a clause names; both empty where it speaks of the product as a whole."""

    sizes: frozenset[str] = frozenset()
    colors: frozenset[str] = frozenset()


def amounts(text: str) -> list[str]:
    """Amounts of money in order of appearance, as canonical numbers: "$1,299.00" -> "1299"."""
    return [canonical_number(first or second) for first, second in _MONEY.findall(text)]


def prices_supported(text: str, price_lines: Sequence[str], product: Product) -> bool:
    """The amounts are those of one price statement, in its order, the one to pay first; for one size, with the size."""
    said = amounts(text)
    if not said:
        return True
    relative = {word.lower() for word in _RELATIVE_PRICE.findall(text)}
    for line in price_lines:
        if relative - {word.lower() for word in _RELATIVE_PRICE.findall(line)} or (relative and said != amounts(line)):
            continue
        size = next((v.size for v in product.variants if v.size and line.startswith(f"In size {v.size},")), None)
        if said == amounts(line)[: len(said)] and (size is None or stands_in(size, text)):
            return True
    return not relative and said == [amount for line in price_lines for amount in amounts(line)]


def stock_supported(text: str, product: Product, facts: ProductFacts | None) -> bool:
    """Every clause that claims or denies availability agrees with the live record."""
    claimed: bool | None = None
    for clause in _CLAUSE.split(text):
        spoken = False if _UNAVAILABLE.search(clause) else True if _AVAILABLE.search(clause) else None
        claimed = claimed if spoken is None else spoken
        options = options_named(clause, product)
        if (
            claimed is not None
            and (spoken is not None or options != Options())
            and not _confirmed(claimed, options, product, facts)
        ):
            return False
    return True


def claims_stock(text: str) -> bool:
    """Whether the text speaks of availability at all."""
    return bool(_AVAILABLE.search(text) or _UNAVAILABLE.search(text))


def options_named(clause: str, product: Product) -> Options:
    """Sizes and colours in the clause; a letter size that the product is not made in counts as named too."""
    made = {v.size for v in product.variants if v.size}
    parts = {part for size in made for part in (size, *re.split(r"[/ -]", size))}
    strangers = {size for size in _LETTER_SIZE.findall(clause) if size not in parts} if product.variants else set()
    sizes = {size for size in made if len(made) > 1 and stands_in(size, clause)}
    colors = {v.color for v in product.variants if v.color and v.color.lower() in clause.lower()}
    return Options(frozenset(sizes | strangers), frozenset(colors))


def stands_in(option: str, text: str) -> bool:
    """Whether a size or colour stands in a text as a word of its own, spelt as the record spells it."""
    return re.search(rf"(?<![\w/]){re.escape(option)}(?![\w/])", text) is not None


def _confirmed(claimed: bool, options: Options, product: Product, facts: ProductFacts | None) -> bool:
    if facts is None:
        return False
    if options == Options():
        return _any_in_stock(product, facts) if claimed else facts.stock == 0
    sizes: set[str | None] = set(options.sizes) or {None}
    colors: set[str | None] = set(options.colors) or {None}
    return all(variant_in_stock(size, color, product, facts) is claimed for size in sizes for color in colors)


def _any_in_stock(product: Product, facts: ProductFacts) -> bool:
    return (facts.stock or 0) > 0 or any((facts.stock_of(v.sku) or 0) > 0 for v in product.variants)


def variant_in_stock(size: str | None, color: str | None, product: Product, facts: ProductFacts) -> bool | None:
    """True: every matching variant is in stock; False: all are sold out; None: mixed, unknown, or no such variant.

    Mixed is None because a size that is there in one colour only can't be promised without naming the colour.
    """
    counts = [
        facts.stock_of(v.sku)
        for v in product.variants
        if (size is None or v.size == size) and (color is None or v.color == color)
    ]
    if not counts or None in counts:
        return None
    in_stock = [count > 0 for count in counts if count is not None]
    return all(in_stock) if all(in_stock) or not any(in_stock) else None
