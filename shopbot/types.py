"""The nouns of the shop. Plain, immutable, without behaviour that needs a database or a model."""

from datetime import date, datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

AttributeValue = str | int | float | bool | list[str | int | float]
Role = Literal["customer", "associate", "merchandiser", "agent"]
"""Who somebody is that has signed in: a customer, or staff."""
ROLES: tuple[Role, ...] = get_args(Role)
Audience = Literal["customer", "associate", "merchandiser"]
"""Whom an answer is for."""
AUDIENCES: tuple[Audience, ...] = get_args(Audience)
RecordKind = Literal["product", "policy", "order", "promotion"]


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
    """Live price and stock of one article (`sku` is "" for the product itself), each as last confirmed (UTC, aware).

    None means unknown: never zero, never "in stock". Amounts are in minor units (cents) of `currency`.
    """

    article_id: str
    sku: str
    price_minor: int | None
    sale_price_minor: int | None
    currency: str
    price_as_of: datetime
    stock: int | None
    stock_as_of: datetime

    @property
    def payable_minor(self) -> int | None:
        """What the customer pays: the sale price where there is a lower one."""
        known = [price for price in (self.price_minor, self.sale_price_minor) if price is not None]
        return min(known, default=None)

    @property
    def as_of(self) -> datetime:
        """The older of the two confirmations."""
        return min(self.price_as_of, self.stock_as_of)


class ProductFacts(Frozen):
    """All live facts of one product: its own and, by sku, its variants'.

    Stock is known by variant where there are any. A stock of the product as a whole that is newer than all of
    theirs overrides them: nothing left means nothing in any size, some left does not say in which.
    """

    own: Fact
    variants: dict[str, Fact] = {}

    @property
    def is_stock_by_variant(self) -> bool:
        if not self.variants or self.own.stock is None:
            return bool(self.variants)
        return max(fact.stock_as_of for fact in self.variants.values()) >= self.own.stock_as_of

    def stock_of(self, sku: str) -> int | None:
        """Pieces of one variant; unknown where only the product's total is."""
        if sku in self.variants and self.is_stock_by_variant:
            return self.variants[sku].stock
        return 0 if self.own.stock == 0 else None

    @property
    def stock(self) -> int | None:
        """Pieces of all variants together; unknown if any of them is unknown."""
        if not self.is_stock_by_variant:
            return self.own.stock
        counts = [fact.stock for fact in self.variants.values()]
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def price_as_of(self) -> datetime:
        return self.own.price_as_of

    @property
    def stock_as_of(self) -> datetime:
        """The oldest confirmation among those that `stock` comes from."""
        if not self.is_stock_by_variant:
            return self.own.stock_as_of
        return min(fact.stock_as_of for fact in self.variants.values())

    @property
    def as_of(self) -> datetime:
        return min(self.price_as_of, self.stock_as_of)


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
