"""Lists, counts, superlatives and comparisons: computed over every product of a kind, from record and live facts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from graph.deps import Turn
from graph.findings import Findings, product_sources
from graph.state import Lead, Point, Table
from graph.superlatives import Order
from graph.vocabulary import Kind
from graph.wishes import Wish
from shopbot.language import joined, words
from shopbot.limits import PRICE, STOCK, Fit, Limits, fit, measure_of, price_minor, singular, variants_of
from shopbot.statements import Source, Statement, attribute_label
from shopbot.types import ProductFacts

MOST_LISTED = 20
MOST_NEAR = 3
MOST_COMPARED = 4
MOST_ROWS = 14
"""Columns and rows of a table that a phone still shows."""
NOT_STATED = "not stated"
_NOT_COMPARED = frozenset({"description", "category", "care", "review count"})


def which_one(kind: Kind, turn: Turn) -> Findings:
    """Ask which of a kind is meant, naming them."""
    ids = Selection.of(Limits(), kind.product_ids, turn).within[:MOST_LISTED]
    points = [_point(source, Wish("list"), turn) for source in product_sources(ids, turn)]
    return Findings(points, _leads([turn.phrase("which_one")]), as_list=True)


def select(wish: Wish, kind: Kind, turn: Turn) -> Findings:
    """Answer a wish over all products of its kind."""
    if wish.ask == "compare" and not wish.limits and len(kind.product_ids) <= MOST_COMPARED:
        return compare(kind.product_ids, turn)
    found = Selection.of(wish.limits, kind.product_ids, turn)
    if wish.ask == "compare" and 2 <= len(found.within) <= MOST_COMPARED:
        return compare(found.within, turn)
    if not found.within:
        return _nothing(wish, kind, found, turn)
    if wish.order:
        return _best(wish, wish.order, kind, found, turn)
    return _listed(wish, kind, found, turn)


@dataclass(frozen=True)
class Selection:
    """How the products of a kind stand to limits, each group cheapest first, ties by id."""

    within: list[str]
    not_stated: dict[str, Fit]
    outside: dict[str, Fit]
    facts: Mapping[str, ProductFacts]

    @classmethod
    def of(cls, limits: Limits, product_ids: Iterable[str], turn: Turn) -> "Selection":
        ids = list(product_ids)
        facts = turn.deps.facts.read(ids)
        products = turn.version.products

        def price(key: str) -> tuple[bool, int, str]:
            found = price_minor(facts.get(key), variants_of(products[key], limits))
            return found is None, found or 0, key

        fits = {key: fit(products[key], facts.get(key), limits) for key in sorted(ids, key=price)}
        return cls(
            [key for key, found in fits.items() if found.is_within],
            {key: found for key, found in fits.items() if found.unknown and not found.missed},
            {key: found for key, found in fits.items() if found.missed},
            facts,
        )


# ------------------------------------------------------------ lists and counts


def _listed(wish: Wish, kind: Kind, found: Selection, turn: Turn) -> Findings:
    shown = found.within[: wish.most or MOST_LISTED]
    name = "have_within" if wish.limits else "have"
    said = turn.phrase(name, within=within_said(wish.limits), what=_counted(kind, len(found.within)))
    notes = [*_not_stated(found, turn), *_also(wish, kind, turn)]
    if len(shown) < len(found.within):
        notes.append(turn.phrase("first_of", count=len(shown)))
    # Named, too, unless it is price or stock that nobody knows: that is no offer.
    silent = [key for key, fitting in found.not_stated.items() if {PRICE, STOCK}.isdisjoint(fitting.unknown)]
    silent = silent[:MOST_NEAR] if len(shown) + MOST_NEAR <= MOST_LISTED else []
    sources = product_sources([*shown, *silent], turn)
    points = [_point(source, wish, turn) for source in sources[: len(shown)]]
    points += [
        _point(source, wish, turn, turn.phrase("unstated", what=joined(found.not_stated[key].unknown)))
        for source, key in zip(sources[len(shown) :], silent, strict=True)
    ]
    return Findings(points, _leads([said, *notes]), as_list=True)


def _counted(kind: Kind, count: int) -> str:
    """So many of a kind: "4 in Rain Jackets", "1 boot", "8 boots"."""
    if kind.categories:
        return f"{count} in {joined(kind.categories)}"
    word = singular(kind.said.split()[-1])
    plural = word if word.endswith("s") else f"{word}es" if word.endswith(("x", "ch", "sh")) else f"{word}s"
    return f"{count} {' '.join([*kind.said.split()[:-1], word if count == 1 else plural])}"


def _where(kind: Kind) -> str:
    """ "in Tents", "among our headlamps", "of these"."""
    if kind.categories:
        return f"in {joined(kind.categories)}"
    return f"among our {_counted(kind, 2)[2:]}" if kind.head else kind.said


def _not_stated(found: Selection, turn: Turn) -> list[str]:
    """How many products may fit and do not say so; they are never counted."""
    if not found.not_stated:
        return []
    what = joined(dict.fromkeys(name for fitting in found.not_stated.values() for name in fitting.unknown))
    return [turn.phrase("not_stated", count=len(found.not_stated), what=what)]


def _also(wish: Wish, kind: Kind, turn: Turn) -> list[str]:
    """Products of another category that are called so, too: a fleece jacket beside the categories of jackets."""
    also = Selection.of(wish.limits, kind.also, turn).within if kind.also else []
    if not also:
        return []
    categories = joined(dict.fromkeys(turn.version.products[key].category for key in also))
    return [turn.phrase("also_called", what=_counted(Kind(kind.head, kind.head, ()), len(also)), category=categories)]


def _nothing(wish: Wish, kind: Kind, found: Selection, turn: Turn) -> Findings:
    """Say that nothing fits, and name the nearest that miss one limit, with which."""
    said = [turn.phrase("none_within", within=within_said(wish.limits), where=_where(kind)), *_not_stated(found, turn)]
    missing_one = [
        (distance, key, name)
        for key, missing in found.outside.items()
        if len(missing.missed) == 1 and not missing.unknown
        for name, distance in missing.missed.items()
    ]
    near = sorted(missing_one, key=lambda item: item[0])[:MOST_NEAR]  # of those as near the cheapest
    if not near:
        return Findings(lead=_leads(said))
    said.append(turn.phrase("near"))
    sources = product_sources([key for _, key, _ in near], turn)
    points = [
        _point(source, wish, turn, turn.phrase("misses", limit=name))
        for source, (_, _, name) in zip(sources, near, strict=True)
    ]
    return Findings(points, _leads(said), as_list=True)


# ------------------------------------------------------------ superlatives


def _best(wish: Wish, order: Order, kind: Kind, found: Selection, turn: Turn) -> Findings:
    values = {key: value for key in found.within if (value := _value(order.field, key, found, turn)) is not None}
    silent = len(found.within) - len(values)
    if not values:
        return Findings(lead=_leads([turn.phrase("not_stated", count=silent, what=order.field)]))
    name = "best_within" if wish.limits else "best"
    notes = [
        *([turn.phrase("not_stated", count=silent, what=order.field)] if silent else []),
        *_not_stated(found, turn),
    ]
    said = turn.phrase(name, within=within_said(wish.limits), order=order.said, where=_where(kind))
    first = _winners(values, order)
    points = [_point(source, wish, turn) for source in product_sources(first, turn)]
    return Findings(points + _called(wish, order, kind, values, first, turn), _leads([*notes, said]), as_list=True)


def _winners(values: Mapping[str, Fraction], order: Order) -> list[str]:
    """The best, and all that are as good."""
    best = min(values.values()) if order.direction == "low" else max(values.values())
    return [key for key, value in values.items() if value == best][:MOST_LISTED]


def _called(
    wish: Wish, order: Order, kind: Kind, values: Mapping[str, Fraction], first: Sequence[str], turn: Turn
) -> list[Point]:
    """The best that is called what was asked for, where the best of the category is not: a tarp is in Tents."""
    titles = {key: turn.version.products[key].title for key in values}
    called = {key: value for key, value in values.items() if kind.head in map(singular, words(titles[key]))}
    if not kind.categories or not called or set(first) & called.keys():
        return []
    points = []
    for source in product_sources(_winners(called, order)[:1], turn):
        point = _point(source, wish, turn)
        lead = turn.phrase("best_called", order=order.said, what=kind.head)
        text = f"{lead} {point.statement.text[0].lower()}{point.statement.text[1:]}"
        points.append(Point(source, Statement(text, PRICE)))
    return points


def _value(field: str, key: str, found: Selection, turn: Turn) -> Fraction | None:
    if field == PRICE:
        price = price_minor(found.facts.get(key))
        return None if price is None else Fraction(price)
    measured = measure_of(turn.version.products[key], field)
    return measured.amount if measured else None


# ------------------------------------------------------------ comparisons


def compare(product_ids: Sequence[str], turn: Turn) -> Findings:
    """Products side by side: live price and stock, then what at least two of the records state, differences first."""
    sources = product_sources(product_ids[:MOST_COMPARED], turn)
    rows = [(label, tuple(_cell(source, label) for source in sources)) for label in _rows(sources)]
    first, rest = rows[:2], rows[2:]
    rest.sort(key=lambda row: (row[0] != "weight", len(set(row[1])) == 1))
    return Findings(
        lead=_leads([turn.phrase("compared")]), table=Table(tuple(sources), tuple((first + rest)[:MOST_ROWS]))
    )


def _rows(sources: Sequence[Source]) -> list[str]:
    held = [list(dict.fromkeys(statement.field for statement in source.statements)) for source in sources]
    labels = dict.fromkeys(name for fields in held for name in fields)
    shared = [label for label in labels if sum(label in fields for fields in held) >= 2]
    return [label for label in shared if label not in _NOT_COMPARED]


def _cell(source: Source, label: str) -> str:
    """What a record says in a row: its statements without the product's name and the verb."""
    product = source.product
    if label in ("sizes", "colors") and product:
        options = [variant.size if label == "sizes" else variant.color for variant in product.variants]
        return ", ".join(option for option in dict.fromkeys(options) if option)
    return "; ".join(_short(statement, source) for statement in source.of(label)) or NOT_STATED


def _short(statement: Statement, source: Source) -> str:
    if statement.value:
        return statement.value
    text = re.sub(rf"\b[Tt]he {re.escape(source.title)} ", "", statement.text.rstrip("."), count=1)
    text = re.sub(r"^In (.+?), (?:is|are|costs?) ", r"\1: ", text)
    text = re.sub(r"^(?:is|are|costs?) ", "", text)
    return text[0].upper() + text[1:]


# ------------------------------------------------------------ how it is said


def _leads(texts: Sequence[str]) -> list[Lead]:
    return [Lead(text) for text in texts]


def within_said(limits: Limits) -> str:
    """The limits as they stand before a sentence: "Waterproof, under $200 and in stock"."""
    said = joined(limits.said)
    return said[:1].upper() + said[1:]


def _point(source: Source, wish: Wish, turn: Turn, *more: str) -> Point:
    """A product's price, which names it, with what the limits and the order are about."""
    details = [f"{label}: {value}" for label, value in _details(source, wish)]
    text = _price_line(source, wish.limits).rstrip(".")
    extra = "; ".join([*details, *more])
    return Point(source, Statement(f"{text} ({extra})." if extra else f"{text}.", PRICE))


def _price_line(source: Source, limits: Limits) -> str:
    """The price of the size that was asked for, where that has one of its own."""
    lines = [statement.text for statement in source.of(PRICE)]
    sized = [line for line in lines for size in limits.sizes if line.startswith(f"In size {size},")]
    return (sized or lines)[0]


def _details(source: Source, wish: Wish) -> Iterable[tuple[str, str]]:
    labels = [measure.label for measure in wish.limits.measures]
    if wish.order and wish.order.field != PRICE:
        labels.append(wish.order.field)
    labels += [attribute_label(feature.key)[0] for feature in wish.limits.features if feature.key]
    for label in dict.fromkeys(labels):
        for statement in source.of(label)[:1]:
            yield label, statement.value
    product = source.product
    if product and (wish.limits.colors or wish.limits.sizes):
        chosen = variants_of(product, wish.limits) or product.variants
        if colors := [c for c in dict.fromkeys(v.color for v in chosen) if c] if wish.limits.colors else []:
            yield "color", joined(colors)
    if wish.limits.in_stock and product and source.facts:
        left = [source.facts.stock_of(variant.sku) for variant in variants_of(product, wish.limits)]
        yield STOCK, "yes" if any(left) or source.facts.stock else "no"
