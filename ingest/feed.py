"""Read the canonical catalog feed: JSON Lines, one product a line, in UTF-8.

    id, title                        required, text (a whole number is taken for text)
    description, category, brand     text
    price, sale_price                numbers in major units, 0 or more
    currency                         ISO 4217; the shop's own by default
    stock                            pieces, a whole number
    attributes                       object of name to text, number, true/false or a list of those
    url, image                       http(s) or without a scheme
    variants                         list of {sku, size, color, price, sale_price, stock}; sku required

null, blank text and an absent field all mean unknown. Every wrong row is reported; one is enough to publish
nothing. Unknown fields are ignored with a warning. Markup and control characters are taken out of text.
"""

import html
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from shopbot.errors import FeedError, InputError, RowError
from shopbot.facts import MOST_PIECES, FactUpdate
from shopbot.jsonl import Line, Row, is_unknown, read_lines, row_errors, shown, without_unknowns
from shopbot.money import to_minor
from shopbot.types import AttributeValue, Product, Variant

HIDDEN = re.compile(r"<(script|style)\b[^<>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
BREAKING = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|td|th|table|h[1-6]|hr)\b[^<>]*>", re.IGNORECASE)
TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<![^<>]*>")
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def clean_text(text: str) -> str:
    """Return one line of plain text: no tags, entities, control or direction-changing characters.

    "x < 5 and y > 3" stays: only what looks like a tag is one. Unescaping can uncover a tag: tags go twice.
    """
    plain = _without_tags(html.unescape(_without_tags(text)))
    kept = "".join(" " if char.isspace() else char for char in plain if char.isspace() or _is_printed(char))
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _without_tags(text: str) -> str:
    return TAG.sub("", BREAKING.sub(" ", HIDDEN.sub(" ", text)))


def _is_printed(char: str) -> bool:
    """Control characters, lone surrogates and direction overrides are not; a joiner inside an emoji is."""
    return unicodedata.category(char) not in ("Cc", "Cs") and char not in BIDI


def _text_of_number(value: object) -> object:
    """Take 42 for "42": sizes and ids are often exported as numbers."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _check_id(value: str) -> str:
    if any(not _is_printed(char) for char in value):
        raise ValueError("has a control character in it")
    return value.strip()


def _check_link(value: str) -> str:
    if (scheme := SCHEME.match(value)) and scheme[0].lower() not in ("http:", "https:"):
        raise ValueError(f"has the scheme {scheme[0]!r}; only http and https are shown to customers")
    return value


def _check_title(value: str) -> str:
    if not value:
        raise ValueError("is empty once markup is taken out")
    return value


def _clean_attributes(value: object) -> dict[str, AttributeValue]:
    if not isinstance(value, dict):
        raise ValueError("is not an object")
    cleaned = {clean_text(str(name)): _clean_attribute(str(name), item) for name, item in value.items()}
    return {name: item for name, item in cleaned.items() if name and item is not None}


def _clean_attribute(name: str, value: object) -> AttributeValue | None:
    if isinstance(value, list):
        items = [_clean_scalar(name, item) for item in value if not is_unknown(item)]
        if any(isinstance(item, bool) for item in items):
            raise ValueError(f"attribute {name!r}: true and false don't belong into a list")
        return [item for item in items if not is_unknown(item)] or None
    cleaned = None if is_unknown(value) else _clean_scalar(name, value)
    return None if is_unknown(cleaned) else cleaned


def _clean_scalar(name: str, value: object) -> str | int | float | bool:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f"attribute {name!r}: {shown(value)} is no text, number, true/false or list of those")


Id = Annotated[str, BeforeValidator(_text_of_number), Field(min_length=1, max_length=200), AfterValidator(_check_id)]
Text = Annotated[str, Field(max_length=20_000), AfterValidator(clean_text)]
ShortText = Annotated[str, BeforeValidator(_text_of_number), Field(max_length=500), AfterValidator(clean_text)]
Link = Annotated[str, Field(max_length=2000), AfterValidator(clean_text), AfterValidator(_check_link)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Pieces = Annotated[int, Field(ge=0, le=MOST_PIECES)]


class _FeedModel(BaseModel):
    """Strict types (true is no number, "5" is none either); what is unknown is left out before checking."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_unknowns(cls, row: object) -> object:
        return without_unknowns(row)


class FeedVariant(_FeedModel):
    sku: Id
    size: ShortText | None = None
    color: ShortText | None = None
    price: Amount | None = None
    sale_price: Amount | None = None
    stock: Pieces | None = None


class FeedRow(_FeedModel):
    """One line of the feed, as it is written."""

    id: Id
    title: Annotated[ShortText, AfterValidator(_check_title)]
    description: Text = ""
    category: ShortText = ""
    brand: ShortText = ""
    price: Amount | None = None
    sale_price: Amount | None = None
    currency: Annotated[str, AfterValidator(str.upper)] | None = None
    stock: Pieces | None = None
    attributes: Annotated[dict[str, Any], BeforeValidator(_clean_attributes)] = {}
    url: Link | None = None
    image: Link | None = None
    variants: list[FeedVariant] = []


@dataclass(frozen=True)
class Feed:
    """A feed without errors: the stable part as products, price and stock as facts at `as_of`."""

    source: str
    products: tuple[Product, ...]
    facts: tuple[FactUpdate, ...]
    warnings: tuple[str, ...]


def read_feed(path: Path, currency: str, as_of: datetime) -> Feed:
    """Read a whole feed, line by line; `currency` is for rows that name none, `as_of` the time of its facts.

    Raises FeedError with every wrong row, ConfigError if the file cannot be read.
    """
    reader = _Reader(currency, as_of)
    for line in read_lines(path):
        reader.take(line)
    if not reader.products and not reader.errors:
        nothing = RowError(0, "feed", "nothing", "has no products", "check that this is the right file")
        reader.errors.append(nothing)
    if reader.errors:
        raise FeedError(str(path), reader.errors)
    return Feed(str(path), tuple(reader.products), tuple(reader.facts), tuple(reader.warnings()))


@dataclass
class _Reader:
    currency: str
    as_of: datetime
    products: list[Product] = field(default_factory=list)
    facts: list[FactUpdate] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    _ids: dict[str, int] = field(default_factory=dict)
    _skus: dict[str, int] = field(default_factory=dict)
    _remarks: Counter[str] = field(default_factory=Counter)
    _first: dict[str, int] = field(default_factory=dict)

    def take(self, line: Line) -> None:
        if line.error is not None or line.row is None:
            self.errors += [line.error] if line.error else []
            return
        try:
            row = FeedRow.model_validate(line.row)
        except ValidationError as error:
            self.errors += row_errors(line.number, error)
            return
        if found := [*self._duplicates(line.number, row), *self._wrong_amounts(line.number, row)]:
            self.errors += found
            return
        self._remark(line.number, line.row, row)
        self.products.append(to_product(row, self.currency))
        self.facts += to_facts(row, self.currency, self.as_of)

    def warnings(self) -> Iterator[str]:
        for remark, count in self._remarks.items():
            yield f"{remark} ({count} rows, the first in line {self._first[remark]})"

    def _duplicates(self, number: int, row: FeedRow) -> Iterator[RowError]:
        keys = [("id", row.id, self._ids)]
        keys += [(f"variants.{index}.sku", item.sku, self._skus) for index, item in enumerate(row.variants)]
        for name, value, seen in keys:
            if value in seen:
                reason = f"is used twice, first in line {seen[value]}"
                yield RowError(number, name, shown(value), reason, "make it unique in the feed")
            seen.setdefault(value, number)

    def _wrong_amounts(self, number: int, row: FeedRow) -> Iterator[RowError]:
        currency = row.currency or self.currency
        for name, amount in _amounts(row):
            try:
                to_minor(amount, currency)
            except InputError as error:
                shown_value = shown(currency if error.field == "currency" else amount)
                name = "currency" if error.field == "currency" else name
                yield RowError(number, name, shown_value, str(error), f"write an amount of {currency}")

    def _remark(self, number: int, raw: Row, row: FeedRow) -> None:
        for name in raw.keys() - FeedRow.model_fields.keys():
            self._count(f"unknown field '{name}' ignored", number)
        variants = [item for item in raw.get("variants") or [] if isinstance(item, dict)]
        for name in set().union(*variants) - FeedVariant.model_fields.keys():
            self._count(f"unknown variant field '{name}' ignored", number)
        if row.price is not None and row.sale_price is not None and row.sale_price >= row.price:
            self._count("sale_price is not below price", number)

    def _count(self, remark: str, number: int) -> None:
        self._remarks[remark] += 1
        self._first.setdefault(remark, number)


def to_product(row: FeedRow, currency: str) -> Product:
    """Return the stable part of a row: what is embedded and versioned."""
    return Product(
        id=row.id,
        title=row.title,
        description=row.description,
        category=row.category,
        brand=row.brand,
        currency=row.currency or currency,
        attributes=row.attributes,
        variants=tuple(Variant(sku=item.sku, size=item.size, color=item.color) for item in row.variants),
        url=row.url,
        image=row.image,
    )


def to_facts(row: FeedRow, currency: str, as_of: datetime) -> list[FactUpdate]:
    """Return the live part of a row, complete: what the feed does not know becomes unknown.

    The stock of a product with variants is theirs; a total beside them would go stale with the next sale.
    """
    own_stock = None if row.variants else row.stock
    lines = [("", row.price, row.sale_price, own_stock)]
    lines += [(item.sku, item.price, item.sale_price, item.stock) for item in row.variants]
    chosen = row.currency or currency
    return [
        FactUpdate(
            article_id=row.id,
            sku=sku,
            changes={
                "price_minor": None if price is None else to_minor(price, chosen),
                "sale_price_minor": None if sale_price is None else to_minor(sale_price, chosen),
                "stock": stock,
            },
            as_of=as_of,
            currency=chosen,
        )
        for sku, price, sale_price, stock in lines
    ]


def _amounts(row: FeedRow) -> Iterator[tuple[str, float]]:
    """Yield every amount of a row; a row without any still has its currency checked, with 0."""
    found = [("price", row.price), ("sale_price", row.sale_price)]
    for index, item in enumerate(row.variants):
        found += [(f"variants.{index}.price", item.price), (f"variants.{index}.sale_price", item.sale_price)]
    given = [(name, amount) for name, amount in found if amount is not None]
    yield from given or [("currency", 0.0)]
