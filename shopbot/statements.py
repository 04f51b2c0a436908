"""Records as sentences: the only material that an answer may be made of.

A source is one record (product with its live facts, or policy section) as numbered in the prompt; its statements
are single true sentences. Composed answers are statements; what the model writes is verified against them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from shopbot.claims import amounts, claims_stock
from shopbot.language import joined, split_sentences, stem, words
from shopbot.money import format_money
from shopbot.types import AttributeValue, PolicySection, Product, ProductFacts, RecordKind

LIVE_FIELDS = frozenset({"price", "stock"})

# Units by the suffix of an attribute's name (canonical feed): weight_g -> "g".
UNITS = {
    "g": "g", "kg": "kg", "l": "l", "ml": "ml", "mm": "mm", "cm": "cm", "m": "m", "c": "°C", "h": "hours",
    "min": "minutes", "minutes": "minutes", "kn": "kN", "gsm": "g/m²", "w": "W", "mah": "mAh",
}  # fmt: skip

# Words by which customers ask for a field, beyond the words of its own name.
SPOKEN = {
    "price": "price cost costs expensive cheap pay dollar dollars usd sale discount charge reduced",
    "stock": "stock available availability left sold remaining unavailable",
    "sizes": "size sizes sizing",
    "colors": "color colors colour colours shade",
    "weight": "weight weigh weighs heavy light grams",
    "materials": "material materials made fabric shell contain",
    "care": "care wash washing clean cleaning machine tumble iron",
    "warranty": "warranty guarantee guaranteed",
    "season": "season seasons winter summer spring autumn fall year",
    "rating": "rating rated review reviews stars average",
    "features": "feature features",
    "fuel": "fuel gas canister burns",
    "burn time": "battery runtime last lasts hours",
    "boil time": "boil boils boiling",
    "insulated": "insulated hot cold keep keeps",
    "r value": "warm warmer warmest insulation insulating",
    "power source": "battery batteries rechargeable charge usb",
    "capacity": "capacity volume litre litres liter liters big hold",
    "comfort temp": "temperature cold warm warmer warmest comfort degrees celsius",
    "limit temp": "temperature cold limit degrees celsius",
    "waterproof": "waterproof water rain wet water-resistant repellent protection",
    "packed size": "packed pack small packable",
    "packable": "pack packs packing packed away",
    "review count": "reviews number many",
    "ankle": "cut",
    "drop": "heel",
    "weight basis": "given basis",
    "strength": "rated",
    "lock": "locking system",
    "gender": "men women kids unisex mens womens",
    "best for": "suitable activity activities uses recommend",
    "people": "people persons person sleep sleeps man berth fit",
    "beam": "distance reach reaches",
    "bpa free": "bpa-free",
    "dishwasher safe": "dishwasher-safe dishwasher",
    "seasons": "rating",
    "setup": "setup pitch pitching minutes time take takes",
    "lumens": "brightness light output",
    "crampon": "crampons compatibility",
    "touchscreen": "touchscreen-compatible",
}


_LINK = re.compile(r"\[\d+\]|https?://|www\.|\]\(|!\[|<\w")
_COMMAND = re.compile(
    r"\b(ignore|disregard|forget|override)\b.*\b(instructions?|rules?|prompts?|above|previous|everything)\b"
    r"|\b(system prompt|you are now|reply with|respond with|developer mode)\b|^\W*(system|assistant|user)\s*:",
    re.IGNORECASE,
)
# How a field is said; every other one becomes "<Label> of the <title>: <value>.".
SAID = {
    "weight": "The {title} weighs {value}.",
    "warranty": "The {title} has a warranty of {value}.",
    "warranty kind": "The {title} has a {value} warranty.",
    "materials": "The {title} is made of {value}.",
    "fill": "The {title} is filled with {value}.",
    "waterproof": "Water protection of the {title}: {value}.",
    "season": "The {title} is made for {value}.",
    "best for": "The {title} is made for {value}.",
    "rating": "The {title} is rated {value} out of 5.",
    "review count": "The {title} has {value} reviews.",
    "comfort temp": "The comfort temperature of the {title} is {value}.",
    "limit temp": "The limit temperature of the {title} is {value}.",
    "setup": "Pitching the {title} takes {value}.",
    "insulated": "Insulation of the {title}: {value}.",
    "crampon": "Crampons for the {title}: {value}.",
    "boil time": "The {title} boils a litre in {value}.",
    "people": "The {title} sleeps {value}.",
    "lumens": "The {title} gives {value} lumens.",
    "capacity": "The {title} holds {value}.",
}


PLURAL_VERBS = {
    "is": "are", "costs": "cost", "weighs": "weigh", "has": "have", "comes": "come", "holds": "hold", "gives": "give",
}  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """One true sentence about one record.

    `anchors` are the stems by which its field is spoken of; `denied` those that it says the product is or has not
    ("Hood of the X: none" denies the hood); `value` is what an attribute's sentence is about, without its label.
    """

    text: str
    field: str
    anchors: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    value: str = ""


@dataclass(frozen=True)
class Source:
    """A record as the prompt numbers it (`[number]`), with everything that may be said of it."""

    number: int
    id: str
    kind: RecordKind
    title: str
    statements: tuple[Statement, ...]
    product: Product | None = None
    facts: ProductFacts | None = None

    def of(self, *fields: str) -> list[Statement]:
        return [statement for statement in self.statements if statement.field in fields]


def product_source(number: int, product: Product, facts: ProductFacts | None, locale: str) -> Source:
    """Say everything that is known of a product; None for `facts` means that price and stock are unknown."""
    statements = (
        *_price(product, facts, locale),
        *_stock(product, facts),
        *_variants(product),
        *(statement for statement in _told(product) if is_sayable(statement.value or statement.text)),
        *_range(product),
    )
    said = tuple(replace(s, text=agreeing(s.text, product.title)) for s in statements)
    return Source(number, product.id, "product", product.title, said, product, facts)


def _told(product: Product) -> Iterable[Statement]:
    """What the feed's free text says: attributes, then the description, sentence by sentence."""
    for key, value in product.attributes.items():
        if value not in ("", []):
            yield _attribute(product.title, key, value)
    for sentence in split_sentences(product.description):
        yield _statement("description", sentence)


def is_sayable(text: str) -> bool:
    """Whether free text of a feed may be repeated to a customer.

    Not what speaks of live facts (a description goes stale, or is planted), not links or citations, and nothing
    that is addressed to a model.
    """
    return not (amounts(text) or claims_stock(text) or _LINK.search(text) or _COMMAND.search(text))


def policy_source(number: int, section: PolicySection) -> Source:
    statements = tuple(_statement(field, text) for field, text in _policy_lines(section.text))
    return Source(number, section.id, "policy", section.heading, statements)


def _statement(field: str, text: str) -> Statement:
    spoken = f"{field} {SPOKEN.get(field, '')}"
    return Statement(text, field, frozenset(stem(word) for word in words(spoken)))


def _price(product: Product, facts: ProductFacts | None, locale: str) -> list[Statement]:
    return [_statement("price", line) for line in _price_lines(product, facts, locale)]


def _price_lines(product: Product, facts: ProductFacts | None, locale: str) -> list[str]:
    """The product's price, or the range of its variants' where it has none, then sizes that cost something else."""
    varying = [] if facts is None else [p for f in facts.variants.values() if (p := f.payable_minor) is not None]
    if facts is None or (facts.own.payable_minor is None and not varying):
        return [f"The price of the {product.title} has to be confirmed."]

    def money(minor: int) -> str:
        return format_money(minor, facts.own.currency, locale)

    name, regular, payable = f"The {product.title}", facts.own.price_minor, facts.own.payable_minor
    if payable is None:
        low, high = min(varying), max(varying)
        first = f"{name} costs {money(low)}" + (f" to {money(high)}, depending on the variant." if high > low else ".")
    elif regular is not None and payable < regular:
        first = f"{name} is on sale for {money(payable)}, down from {money(regular)}."
    else:
        first = f"{name} costs {money(payable)}."
    sized = sorted(_own_priced_sizes(product, facts), key=lambda item: item[1])
    return [first, *(f"In size {size}, the {product.title} costs {money(price)}." for size, price in sized)]


def _own_priced_sizes(product: Product, facts: ProductFacts) -> dict[tuple[str, int], None]:
    """Sizes whose variants carry a price other than the product's, with that price."""
    own = facts.own.payable_minor
    priced: dict[tuple[str, int], None] = {}
    for variant in product.variants:
        fact = facts.variants.get(variant.sku)
        price = fact.payable_minor if fact else None
        if variant.size and price is not None and price != own:
            priced[(variant.size, price)] = None
    return priced


def _stock(product: Product, facts: ProductFacts | None) -> list[Statement]:
    name = f"The {product.title}"
    if facts is None or not facts.is_stock_by_variant:
        lines = [_stock_line(name, facts.own.stock if facts else None)]
        if facts and facts.variants and facts.own.stock:
            lines.append(f"Which sizes of the {product.title} are left has to be confirmed.")
        return [_statement("stock", line) for line in lines]
    if facts.stock == 0:
        return [_statement("stock", f"{name} is sold out.")]
    if all(fact.stock is None for fact in facts.variants.values()):
        return [_statement("stock", _stock_line(name, None))]
    if len(product.variants) == 1:
        return [_statement("stock", _stock_line(name, facts.stock))]
    return [_statement("stock", line) for line in _stock_by_variant(product, facts)]


def _stock_line(name: str, count: int | None) -> str:
    if count is None:
        return f"The stock of {name[0].lower()}{name[1:]} has to be confirmed."
    return f"{name} is in stock, with {count} left." if count else f"{name} is sold out."


def _stock_by_variant(product: Product, facts: ProductFacts) -> list[str]:
    """One sentence a colour and state: "In Moss, the X is in stock in sizes S and M."."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    colors = list(dict.fromkeys(variant.color or "" for variant in product.variants))
    for variant in product.variants:
        stock = facts.stock_of(variant.sku)
        state = "has to be confirmed" if stock is None else "is in stock" if stock else "is sold out"
        groups[(variant.color or "", state)].append(variant.size or "")
    lines = []
    for (color, state), sizes in groups.items():
        lead = f"In {color}, the {product.title}" if color and len(colors) > 1 else f"The {product.title}"
        several = [size for size in dict.fromkeys(sizes) if size]
        tail = (
            f" in {'sizes' if len(several) > 1 else 'size'} {joined(several)}"
            if several and not _one_size(product)
            else ""
        )
        lines.append(f"{lead} {state}{tail}.")
    return lines


def _one_size(product: Product) -> bool:
    return len({variant.size for variant in product.variants}) == 1


def _variants(product: Product) -> list[Statement]:
    sizes = list(dict.fromkeys(variant.size for variant in product.variants if variant.size))
    colors = list(dict.fromkeys(variant.color for variant in product.variants if variant.color))
    lines = []
    if sizes:
        kind = "sizes" if len(sizes) > 1 else "size"
        lines.append(_statement("sizes", f"The {product.title} comes in {kind} {joined(sizes)}."))
    if colors:
        lines.append(_statement("colors", f"The {product.title} comes in {joined(colors)}."))
    return lines


def _row_said(header: list[str], cells: list[str]) -> str:
    """One table row as a sentence: "Men's M: chest (cm) 95 to 102 cm, waist (cm) 81 to 88 cm."."""
    columns = [
        f"{_lowered(name)} {cell}" for name, cell in zip(header[1:], cells[1:], strict=False) if cell not in ("", "-")
    ]
    return f"{cells[0]}: {', '.join(columns)}."


def agreeing(text: str, title: str) -> str:
    """Put the verb after a plural title into the plural: "The Corrie Boots is" -> "The Corrie Boots are".

    Not where something of it is the subject: "The stock of the Corrie Boots has to be confirmed".
    """
    if not title.endswith("s") or title.endswith("ss"):
        return text
    subject = rf"(?<!of the )(?<!of ){re.escape(title)} (?P<verb>\w+)"
    return re.sub(subject, lambda said: f"{title} {PLURAL_VERBS.get(said['verb'], said['verb'])}", text, count=1)


def _attribute(title: str, key: str, value: AttributeValue) -> Statement:
    label, unit = attribute_label(key)
    shown = f"{_shown(value)} {unit}".strip()
    kind = "warranty kind" if label == "warranty" and not shown[0].isdigit() else label
    said = SAID.get(kind, "{label} of the {title}: {value}.")
    filled_in = {"label": label.capitalize(), "title": title, "value": _lowered(shown.rstrip("."))}
    statement = _statement(label, said.format(**filled_in))
    is_denial = re.match(r"(no|none|not)\b", shown, re.IGNORECASE) is not None
    denied = frozenset(stem(word) for word in words(label)) if is_denial else frozenset()
    return replace(statement, value=shown, denied=denied)


def _lowered(value: str) -> str:
    """Lower the first letter of a phrase inside a sentence, but not of "XL" or "EN 892"."""
    return value[0].lower() + value[1:] if value[1:2].islower() else value


@lru_cache(maxsize=10_000)
def attribute_label(key: str) -> tuple[str, str]:
    """Split an attribute's name into words and unit: "fill_weight_g" -> ("fill weight", "g")."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower().replace("-", "_").split("_")
    if parts[-2:] == ["l", "min"] and len(parts) > 2:
        return " ".join(parts[:-2]), "l/min"
    if len(parts) > 1 and parts[-1] in UNITS:
        return " ".join(parts[:-1]), UNITS[parts[-1]]
    return " ".join(parts), ""


def _shown(value: AttributeValue) -> str:
    if isinstance(value, list):
        return joined(str(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)


def _range(product: Product) -> Iterable[Statement]:
    if product.category:
        line = f", from the {product.brand} line" if product.brand else ""
        yield _statement("category", f"The {product.title} is in our {product.category} range{line}.")


def _policy_lines(markdown: str) -> Iterable[tuple[str, str]]:
    """Yield ("step", text) for numbered lines, ("row", sentence) for table rows, ("text", sentence) for the rest."""
    header: list[str] = []
    for line in markdown.splitlines():
        plain = line.strip().replace("**", "")
        if not plain.startswith("|"):
            header = []
        if not plain or set(plain) <= set("|-: "):
            continue
        if step := re.match(r"(?:\d+\.|[-*])\s+(.*)", plain):
            yield ("step" if plain[0].isdigit() else "text"), step[1]
        elif plain.startswith("|"):
            cells = [cell.strip() for cell in plain.strip("|").split("|")]
            if header:
                yield "row", _row_said(header, cells)
            header = header or cells
        else:
            yield from (("text", sentence) for sentence in split_sentences(plain))
