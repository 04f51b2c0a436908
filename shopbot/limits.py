"""What a customer's words limit the products to, typed, and whether a product keeps within it.

Price and stock are read from live facts, everything else from the record. Three answers are kept apart throughout:
within, outside, and not stated; what a record does not state never counts as within.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from shopbot.language import stem, words
from shopbot.measures import Quantity, measured
from shopbot.statements import attribute_label
from shopbot.types import AttributeValue, Product, ProductFacts, Variant

PRICE, STOCK, COLOR, SIZE = "price", "stock", "color", "size"
ADJECTIVE = ("able", "ible", "proof", "ed", "ing", "free", "safe")
"""Endings of an attribute's name that says how a product is; others name a thing that it has."""
_DENIED = re.compile(r"^(?:no|none|not|without)\b", re.IGNORECASE)
# A value that says less than its field's name asks: "membrane insert, seams not sealed" under "waterproof".
_QUALIFIED = re.compile(r"\b(?:not|no|without)\b|\bun\w+ed\b|\b\w+-(?:resistant|repellent)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Range:
    """Bounds in base units; None where there is none, `above` and `below` where the bound itself is outside.

    `said` is how it is said: "under $200.00".
    """

    low: Fraction | None = None
    high: Fraction | None = None
    above: bool = False
    below: bool = False
    said: str = ""

    def holds(self, amount: Fraction) -> bool:
        return self.distance(amount) == 0 and not (
            (self.above and amount == self.low) or (self.below and amount == self.high)
        )

    def distance(self, amount: Fraction) -> Fraction:
        """How far an amount is outside, 0 on the bounds and between them."""
        under = self.low - amount if self.low is not None else Fraction(0)
        over = amount - self.high if self.high is not None else Fraction(0)
        return max(under, over, Fraction(0))

    def both(self, other: "Range") -> "Range":
        """The stricter of two bounds on either side."""
        kept = other
        if other.low is None and self.low is not None:
            kept = replace(kept, low=self.low, above=self.above)
        if other.high is None and self.high is not None:
            kept = replace(kept, high=self.high, below=self.below)
        is_joined = kept != other
        return replace(kept, said=f"{self.said} and {other.said}") if is_joined else kept


@dataclass(frozen=True)
class Measure:
    """A bound on what one attribute measures; `label` as `attribute_label` has it."""

    label: str
    range: Range


@dataclass(frozen=True)
class Feature:
    """A word for what a product is or has: `key` is the attribute that says so of others, None where only titles do.

    `is_named` where the attribute is called so ("waterproof"); else its values say it ("mummy"). `is_closed` where a
    value without the word means no: of lists such as highlights it does not. `also` are values that include it.
    """

    word: str
    key: str | None
    is_named: bool = False
    is_closed: bool = True
    is_wanted: bool = True
    also: frozenset[str] = frozenset()

    @property
    def said(self) -> str:
        is_thing = self.is_named and not self.word.endswith(ADJECTIVE)
        if is_thing:
            return f"{'with' if self.is_wanted else 'without'} {self.word}"
        return self.word if self.is_wanted else f"not {self.word}"

    def has(self, product: Product) -> bool | None:
        """Whether the record says that the product is so; None where it does not state it."""
        value = product.attributes.get(self.key) if self.key else None
        stated = None if value in (None, "", []) else self._read(value)
        if stated is None and singular(self.word) in map(singular, words(f"{product.title} {product.category}")):
            stated = True
        return stated if stated is None else stated == self.is_wanted

    def _read(self, value: AttributeValue) -> bool | None:
        if isinstance(value, bool):
            return value if self.is_named else None
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if re.search(rf"\b(?:not?|non|without)[ -]{re.escape(self.word)}", text, re.IGNORECASE):
            return False
        said = {singular(word) for word in words(text)}
        if said & {singular(self.word), *self.also} or re.search(rf"\b{re.escape(self.word)}\b", text, re.IGNORECASE):
            return True
        if self.is_named and said == {"yes"}:
            return True
        if not self.is_named:
            return False if self.is_closed else None
        if _DENIED.match(text):
            return False
        return None if _QUALIFIED.search(text) else True


@dataclass(frozen=True)
class Limits:
    """Everything that was asked for of a product; empty fields limit nothing. Prices are in minor units."""

    price: Range | None = None
    measures: tuple[Measure, ...] = ()
    colors: frozenset[str] = frozenset()
    color_said: str = ""
    sizes: frozenset[str] = frozenset()
    in_stock: bool = False
    features: tuple[Feature, ...] = ()

    def __bool__(self) -> bool:
        return self != Limits()

    @property
    def said(self) -> list[str]:
        """Each limit as a phrase, in the order in which they read well."""
        sizes = [f"in size {' or '.join(sorted(self.sizes))}"] if self.sizes else []
        colors = [f"in {self.color_said}"] if self.color_said else []
        return [
            *(feature.said for feature in self.features),
            *([self.price.said] if self.price else []),
            *(measure.range.said for measure in self.measures),
            *colors, *sizes, *(["in stock"] if self.in_stock else []),
        ]  # fmt: skip

    def narrowed(self, other: "Limits") -> "Limits":
        """These limits with those of a later message, which replace what they are about."""
        features = {feature.key or feature.word: feature for feature in (*self.features, *other.features)}
        measures = {measure.label: measure for measure in (*self.measures, *other.measures)}
        return Limits(
            price=other.price or self.price,
            measures=tuple(measures.values()),
            colors=other.colors or self.colors,
            color_said=other.color_said or self.color_said,
            sizes=other.sizes or self.sizes,
            in_stock=other.in_stock or self.in_stock,
            features=tuple(features.values()),
        )


@dataclass(frozen=True)
class Fit:
    """How a product stands to limits: the names of those that it misses, with how far, and of those not stated."""

    missed: Mapping[str, Fraction] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def is_within(self) -> bool:
        return not self.missed and not self.unknown


def fit(product: Product, facts: ProductFacts | None, limits: Limits) -> Fit:
    """Hold a product against limits. Colour, size, price and stock have to come together in one variant."""
    missed: dict[str, Fraction] = {}
    unknown: list[str] = []

    def judge(name: str, within: bool | None, distance: Fraction = Fraction(1)) -> None:
        if within is None:
            unknown.append(name)
        elif not within:
            missed[name] = distance

    chosen = product.variants
    if limits.colors or limits.sizes:
        chosen = variants_of(product, limits)
        for name, wanted, of in ((COLOR, limits.colors, _color), (SIZE, limits.sizes, _size)):
            stated = {value for variant in product.variants if (value := of(variant))}
            if wanted:
                judge(name, bool(wanted & stated) if stated else None)
        if not chosen and not missed and not unknown:
            missed[COLOR] = Fraction(1)  # both are there, but not together
    if limits.in_stock:
        judge(STOCK, is_in_stock(product, facts, chosen))
    if limits.price:
        price = price_minor(facts, chosen)
        _judge_range(judge, PRICE, limits.price, None if price is None else Fraction(price))
    for measure in limits.measures:
        found = measure_of(product, measure.label)
        _judge_range(judge, measure.label, measure.range, found.amount if found else None)
    for feature in limits.features:
        judge(feature.word, feature.has(product))
    return Fit(missed, tuple(unknown))


def _judge_range(judge: Callable[..., None], name: str, bounds: Range, amount: Fraction | None) -> None:
    if amount is None:
        judge(name, None)
    else:
        scale = max(abs(bound) for bound in (bounds.low, bounds.high) if bound is not None) or Fraction(1)
        judge(name, bounds.holds(amount), bounds.distance(amount) / scale)


def variants_of(product: Product, limits: Limits) -> tuple[Variant, ...]:
    """The variants in a colour and size that was asked for."""
    return tuple(
        variant
        for variant in product.variants
        if (not limits.colors or variant.color in limits.colors) and (not limits.sizes or variant.size in limits.sizes)
    )


def is_in_stock(product: Product, facts: ProductFacts | None, variants: Iterable[Variant]) -> bool | None:
    """Whether any of the variants can be had now; of a product without any, the product. None: to be confirmed."""
    if facts is None:
        return None
    counts = [facts.stock_of(variant.sku) for variant in variants] if product.variants else [facts.stock]
    if set(variants) == set(product.variants) and facts.stock:
        return True  # some are left, though it may not be known in which size
    if any(counts):
        return True
    return None if None in counts else False


def price_minor(facts: ProductFacts | None, variants: Iterable[Variant] = ()) -> int | None:
    """What the cheapest of the variants costs now, in minor units; of a product without any, the product."""
    if facts is None:
        return None
    own = facts.own.payable_minor
    prices = [
        own if fact is None or fact.payable_minor is None else fact.payable_minor
        for fact in (facts.variants.get(variant.sku) for variant in variants)
    ] or [own, *(fact.payable_minor for fact in facts.variants.values() if own is None)]
    return min((price for price in prices if price is not None), default=None)


def measure_of(product: Product, label: str) -> Quantity | None:
    """What a product's attribute of that label measures; None where the record has none that is a number."""
    for key, value in product.attributes.items():
        name, unit = attribute_label(key)
        if name == label:
            return measured(name, unit, value)
    return None


def singular(word: str) -> str:
    """A word without its plural or possessive ending. Stems would make "inflatable" of "self-inflating", too."""
    bare = word.lower().removesuffix("'s").rstrip("'")
    if len(bare) > 4 and bare.endswith(("ches", "shes", "sses", "xes")):
        return bare[:-2]
    return bare[:-1] if len(bare) > 3 and bare.endswith("s") and not bare.endswith("ss") else bare


def _color(variant: Variant) -> str | None:
    return variant.color


def _size(variant: Variant) -> str | None:
    return variant.size


def label_stems(key: str) -> set[str]:
    """The stems of an attribute's name without its unit."""
    return {stem(word) for word in words(attribute_label(key)[0])}
