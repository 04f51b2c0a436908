"""The nouns of the shop. Plain, immutable, without behaviour that needs a database or a model."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

AttributeValue = str | int | float | bool | list[str | int | float]
RecordKind = Literal["product", "policy"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Variant(Frozen):
    """One sellable size and colour; `price_minor` is None where the product's own price holds."""

    sku: str
    size: str | None = None
    color: str | None = None


class Product(Frozen):
    """The stable part of a catalog row: what is embedded and versioned. Price and stock are live facts."""

    id: str
    title: str
    description: str
    category: str
    brand: str
    currency: str
    attributes: dict[str, AttributeValue]
    variants: tuple[Variant, ...] = ()
    url: str | None = None
    image: str | None = None


class PolicySection(Frozen):
    """One section of a policy or size guide; `text` is its Markdown, without the heading."""

    id: str
    policy: str
    heading: str
    text: str
    questions: tuple[str, ...] = ()


class Fact(Frozen):
    """Live price and stock of one article (`sku` is "" for the product itself) at `as_of` (UTC, aware).

    None means unknown: never zero, never "in stock". Amounts are in minor units (cents) of `currency`.
    """

    article_id: str
    sku: str
    price_minor: int | None
    sale_price_minor: int | None
    currency: str
    stock: int | None
    as_of: datetime


class ProductFacts(Frozen):
    """All live facts of one product: its own and, by sku, its variants'."""

    own: Fact
    variants: dict[str, Fact] = {}

    def stock_of(self, sku: str) -> int | None:
        return self.variants[sku].stock if sku in self.variants else None

    @property
    def stock(self) -> int | None:
        """Pieces of all variants together; unknown if any of them is unknown."""
        if not self.variants:
            return self.own.stock
        counts = [fact.stock for fact in self.variants.values()]
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def as_of(self) -> datetime:
        """The oldest confirmation among the facts shown."""
        return min([self.own.as_of, *(fact.as_of for fact in self.variants.values())])


class Hit(Frozen):
    """One search result; `score` is the fused reciprocal rank (higher is better), `cosine` is in [-1, 1] or None."""

    id: str
    score: float
    cosine: float | None = None


class Promotion(Frozen):
    id: str
    title: str
    text: str
    starts: date
    ends: date
    code: str | None = None
    categories: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    percent_off: int | None = None
    amount_off: float | None = None
    approved: bool = False
    conditions: str | None = None
