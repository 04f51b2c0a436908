"""Questions about a catalog that no training has seen, made from its records: does the skill transfer?"""

import random
from collections import Counter
from collections.abc import Mapping

from evals.cases import Case
from graph.turn import Message
from shopbot.references import LIVE_NAMES, Reference, field_names, value_of
from shopbot.statements import Source, product_source
from shopbot.types import Product, ProductFacts

_ASKS = {
    "price": ("What would I have to pay for the {title}?", "{title}, price?", "and what's the {title} going for"),
    "stock": ("Could I order the {title} today, do you have it?", "{title} available?"),
}
_ASKS_FIELD = ("I'd like to know the {field} of the {title}.", "{title}: {field}?")
_MOST_KEY_WORDS = 6


def catalog_cases(
    products: Mapping[str, Product], facts: Mapping[str, ProductFacts], locale: str, count: int, seed: int
) -> list[Case]:
    """At most `count` products, drawn by seed, each asked for its price, its stock and one field of its record.

    Left out are products that share their title, stocks that the feed does not tell, and values too long to be said
    word for word.
    """
    source = random.Random(seed)
    titles = Counter(product.title for product in products.values())
    single = sorted(key for key, product in products.items() if titles[product.title] == 1)
    chosen = source.sample(single, k=min(count, len(single)))
    records = [product_source(1, products[key], facts.get(key), locale) for key in chosen]
    return [case for record in records for case in _cases(record, locale, source)]


def _cases(record: Source, locale: str, source: random.Random) -> list[Case]:
    others = [name for name in field_names(record) if name not in LIVE_NAMES]
    fields = ["price", "stock", *source.sample(others, k=min(1, len(others)))]
    values = {field: value_of(Reference(1, field), record, locale) for field in fields}
    return [
        _case(record, field, _key(value), source)
        for field, value in values.items()
        if value and len(value.split()) <= _MOST_KEY_WORDS
    ]


def _key(value: str) -> str:
    """What has to be said of a value: of a price on sale the one that is paid."""
    return value.split(", down from ")[0].removeprefix("$").removesuffix(".00")


def _case(record: Source, field: str, key: str, source: random.Random) -> Case:
    asks = _ASKS.get(field, _ASKS_FIELD)
    question = source.choice(asks).format(title=record.title, field=field.replace("_", " "))
    return Case(
        id=f"{record.id}-{field}", slice="facts", messages=(Message(role="user", content=question),),
        product=record.id, fields=(field,), expects=((key,),),
    )  # fmt: skip
