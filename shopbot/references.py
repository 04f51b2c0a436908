"""References such as `{2.price}` in a model's text, and the live values that they stand for.

A tuned model never writes a value of a product record: it writes where the value stands, and the application fills it
in. So a price can be neither invented nor stale, nor changed by a text planted in the catalog, and the reference is the
citation. Grammar: `{number.field}` or `{number.stock:option,option}`; `number` is the record's in the prompt.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shopbot.claims import stands_in
from shopbot.language import joined
from shopbot.money import format_money
from shopbot.statements import Source, is_sayable
from shopbot.types import Product, ProductFacts, Variant

REFERENCE = re.compile(r"\{(\d{1,2})\.([a-z][a-z_]*)(?::([^{}\n]{1,60}))?\}")
LIVE_NAMES = ("price", "stock", "sizes", "colors")
"""Fields of every product: live facts, and what its variants are made in."""
_NAME = re.compile(r"[a-z][a-z_]*")
_MOST_EXCEPTIONS = 4


@dataclass(frozen=True)
class Reference:
    """One reference as the model wrote it; `options` are the sizes and colours behind a colon."""

    number: int
    field: str
    options: tuple[str, ...] = ()


def references(text: str) -> list[Reference]:
    """All references in a text, in order."""
    return [_reference(match) for match in REFERENCE.finditer(text)]


def _reference(match: re.Match[str]) -> Reference:
    options = tuple(part.strip() for part in (match[3] or "").split(",") if part.strip())
    return Reference(int(match[1]), match[2], options)


def field_name(label: str) -> str:
    """How a reference names a field: "fill weight" -> "fill_weight"."""
    return label.replace(" ", "_")


def field_names(source: Source) -> list[str]:
    """Fields of a product that can be referred to: the live ones that it has, then its attributes."""
    product = source.product
    assert product is not None
    has = {"sizes": any(v.size for v in product.variants), "colors": any(v.color for v in product.variants)}
    live = [field for field in LIVE_NAMES if has.get(field, True)]
    told = dict.fromkeys(field_name(s.field) for s in source.statements if s.value)
    return [*live, *(name for name in told if _NAME.fullmatch(name) and name not in ("sizes", "colors"))]


def value_of(reference: Reference, source: Source, locale: str, said: str = "") -> str | None:
    """The value behind a reference, or None where the record has none: then the sentence must not be shown.

    `said` is the sentence around it: an option that stands there already is not repeated in a stock.
    """
    product = source.product
    if product is None:
        return None
    if reference.field == "price":
        return _price(reference, product, source.facts, locale)
    if reference.field == "stock":
        return _stock(product, source.facts, reference.options, said)
    if reference.field == "sizes":
        return joined(dict.fromkeys(v.size for v in product.variants if v.size)) or None
    if reference.field == "colors":
        return joined(dict.fromkeys(v.color for v in product.variants if v.color)) or None
    return _attribute(reference.field, source)


def values_of(names: Iterable[str], source: Source, locale: str, options: tuple[str, ...] = ()) -> dict[str, str]:
    """The values of fields by name, as far as there are any, for a card from which they are copied."""
    live = ("price", "stock")
    found = {
        name: value_of(Reference(source.number, name, options if name in live else ()), source, locale)
        for name in names
    }
    return {name: value for name, value in found.items() if value is not None}


def _attribute(field: str, source: Source) -> str | None:
    value = next((s.value for s in source.statements if s.value and field_name(s.field) == field), None)
    if value is None or not is_sayable(value):
        return None
    value = value.rstrip(".")
    return value[0].lower() + value[1:] if value[1:2].islower() else value


def _price(reference: Reference, product: Product, facts: ProductFacts | None, locale: str) -> str | None:
    """What is paid, and on sale what it cost before; for options the price of their variants, if it is the same."""
    if facts is None:
        return None
    minor = _payable(reference.options, product, facts)
    if minor is None:
        return None
    own, regular = facts.own, facts.own.price_minor
    is_reduced = not reference.options and minor == own.payable_minor and regular is not None and regular > minor
    before = f", down from {format_money(regular, own.currency, locale)}" if is_reduced and regular else ""
    return f"{format_money(minor, own.currency, locale)}{before}"


def _payable(options: Sequence[str], product: Product, facts: ProductFacts) -> int | None:
    """The product's own price, or that of all variants that fit the options; None where they differ."""
    own = facts.own.payable_minor
    if not options and own is not None:
        return own
    fitting = [facts.variants.get(v.sku) for v in product.variants if _fits(v, options, product)]
    prices = {own if fact is None or fact.payable_minor is None else fact.payable_minor for fact in fitting}
    return prices.pop() if len(prices) == 1 else None


def _stock(product: Product, facts: ProductFacts | None, options: Sequence[str], said: str) -> str | None:
    """Availability of the variants that fit the options: "in stock", "sold out", or which of them are."""
    if facts is None:
        return None
    if not product.variants or not facts.is_stock_by_variant:
        return _state(facts.stock) if not options else None
    fitting = [v for v in product.variants if _fits(v, options, product)]
    counts = {v.sku: facts.stock_of(v.sku) for v in fitting}
    if not fitting or any(count is None for count in counts.values()):
        return None
    there = [v for v in fitting if counts[v.sku]]
    if len(there) not in (0, len(fitting)):
        return _split(fitting, there, options, said)
    return f"{'in stock' if there else 'sold out'}{_tail(options, said)}"


def _tail(options: Iterable[str], said: str) -> str:
    """The options that the sentence around the value does not name already: " in S and M"."""
    unsaid = joined(option for option in options if not stands_in(option, said))
    return f" in {unsaid}" if unsaid else ""


def _state(count: int | None) -> str | None:
    return None if count is None else "in stock" if count else "sold out"


def _fits(variant: Variant, options: Iterable[str], product: Product) -> bool:
    """Whether a variant is of the asked sizes and the asked colours; several of one kind are alternatives."""
    made = {"size": {v.size for v in product.variants}, "color": {v.color for v in product.variants}}
    for kind, own in (("size", variant.size), ("color", variant.color)):
        asked = {option for option in options if option in made[kind]}
        if asked and own not in asked:
            return False
    return all(option in made["size"] | made["color"] for option in options)


def _split(fitting: Sequence[Variant], there: Sequence[Variant], options: Sequence[str], said: str) -> str:
    """Say which of several variants are there: by what tells them apart, or with the exceptions."""
    gone = [v for v in fitting if v not in there]
    for kind in ("color", "size"):
        labels = {getattr(v, kind) for v in fitting}
        here, missing = ({getattr(v, kind) for v in group} for group in (there, gone))
        if len(labels) > 1 and None not in labels and not here & missing:
            order = list(dict.fromkeys(getattr(v, kind) for v in fitting))
            first = joined(label for label in order if label in here)
            tail = _tail((option for option in options if option not in labels), said)
            return f"in stock in {first}, sold out in {joined(label for label in order if label in missing)}{tail}"
    few = there if len(there) < len(gone) else gone
    if len(few) > _MOST_EXCEPTIONS:
        return "in stock in some sizes and colors only"
    listed = joined(" ".join(part for part in (v.size, f"in {v.color}" if v.color else "") if part) for v in few)
    return f"in stock only for {listed}" if few is there else f"in stock, except for {listed}"
