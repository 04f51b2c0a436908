"""Customers and their orders. Every question for an order names the customer: there is no way to ask without one."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Engine, func, insert, select

from shopbot.database import writing
from shopbot.errors import FeedError, OrderNotFound, RowError
from shopbot.jsonl import read_lines, row_errors
from shopbot.tables import customers, orders

Row = TypeVar("Row", bound=BaseModel)


class Customer(BaseModel):
    """One line of a shop's customers.jsonl."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    email: str
    phone: str | None = None
    joined: date | None = None
    tier: str | None = None
    address: dict[str, str] | None = None


class Item(BaseModel):
    """One position of an order; `unit_price` is in major units of the order's currency."""

    model_config = ConfigDict(frozen=True)

    product_id: str
    sku: str
    title: str
    quantity: int = 1
    unit_price: float


class Return(BaseModel):
    """A return or exchange that was asked for; `items` are skus, amounts are in major units."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: Literal["return", "exchange"]
    items: tuple[str, ...]
    requested_at: datetime
    refund_amount: float | None = None
    refund_method: str | None = None
    label: str | None = None
    label_valid_until: date | None = None
    received_at: datetime | None = None
    refunded_at: datetime | None = None
    exchange: dict[str, Any] | str | None = None


class Event(BaseModel):
    """Something that happened to an order, newest last."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    status: str
    note: str


class Order(BaseModel):
    """One line of a shop's orders.jsonl; amounts are in major units, what is not named here is kept as it is."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    id: str
    customer_id: str
    placed_at: datetime
    status: str
    items: tuple[Item, ...] = ()
    subtotal: float | None = None
    discount: float | None = None
    shipping: float | None = None
    tax: float | None = None
    total: float | None = None
    currency: str = "USD"
    shipping_method: str | None = None
    carrier: str | None = None
    tracking: str | None = None
    address: dict[str, str] = Field(default_factory=dict)
    promised_by: date | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    returned: Return | None = Field(None, alias="return")
    events: tuple[Event, ...] = ()

    @property
    def country(self) -> str | None:
        return self.address.get("country")

    @property
    def going_back(self) -> frozenset[str]:
        """The skus that a return or exchange has been asked for."""
        return frozenset(self.returned.items) if self.returned else frozenset()


class Orders:
    """Reads orders, each for its own customer only."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def of(self, customer_id: str) -> list[Order]:
        """Return a customer's orders, newest first."""
        query = select(orders.c.payload).where(orders.c.customer_id == customer_id)
        with self.engine.connect() as connection:
            found = connection.scalars(query.order_by(orders.c.placed_at.desc(), orders.c.id))
            return [Order.model_validate(payload) for payload in found]

    def find(self, order_id: str, customer_id: str) -> Order:
        """Return one order. Raises OrderNotFound for another customer's just as for one that does not exist."""
        query = select(orders.c.payload).where(orders.c.id == order_id, orders.c.customer_id == customer_id)
        with self.engine.connect() as connection:
            payload = connection.scalar(query)
        if payload is None:
            raise OrderNotFound(f"no order {order_id!r} of this customer")
        return Order.model_validate(payload)

    def customer(self, customer_id: str) -> Customer | None:
        with self.engine.connect() as connection:
            row = connection.execute(select(customers).where(customers.c.id == customer_id)).one_or_none()
        return None if row is None else Customer(**row._mapping)

    def customers(self) -> list[Customer]:
        """All customers, by id."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(customers).order_by(customers.c.id))
            return [Customer(**row._mapping) for row in rows]

    def of_guest(self, order_id: str, email: str) -> Order:
        """Return the order of somebody who knows its number and its customer's e-mail. Raises OrderNotFound."""
        query = (
            select(orders.c.payload)
            .join(customers, customers.c.id == orders.c.customer_id)
            .where(orders.c.id == order_id, func.lower(customers.c.email) == email.strip().lower())
        )
        with self.engine.connect() as connection:
            payload = connection.scalar(query)
        if payload is None:
            raise OrderNotFound(f"no order {order_id!r} with that e-mail")
        return Order.model_validate(payload)


def seed_orders(engine: Engine, customer_file: Path, order_file: Path) -> int:
    """Bring a shop's sample customers and orders into a database that has none; return the number of orders.

    Files that do not exist are no orders. Raises FeedError with every wrong row; then nothing is written.
    """
    with engine.connect() as connection:
        if connection.scalar(select(func.count()).select_from(customers)):
            return 0
    people = _read(customer_file, Customer)
    known = {customer.id for customer in people}
    placed = _read(order_file, Order)
    if strangers := [order for order in placed if order.customer_id not in known]:
        raise FeedError(str(order_file), [_stranger(placed.index(order) + 1, order) for order in strangers])
    with writing(engine) as connection:
        if people:
            connection.execute(insert(customers), [customer.model_dump() for customer in people])
        if placed:
            connection.execute(insert(orders), [_row_of(order) for order in placed])
    return len(placed)


def _row_of(order: Order) -> dict[str, Any]:
    core = {"id": order.id, "customer_id": order.customer_id, "placed_at": order.placed_at, "status": order.status}
    return {**core, "payload": order.model_dump(mode="json", by_alias=True)}


def _stranger(line: int, order: Order) -> RowError:
    return RowError(line, "customer_id", repr(order.customer_id), "is no customer of this shop", "add the customer")


def _read(path: Path, kind: type[Row]) -> Sequence[Row]:
    found: list[Row] = []
    errors: list[RowError] = []
    for line in read_lines(path) if path.is_file() else ():
        if line.error:
            errors.append(line.error)
            continue
        try:
            found.append(kind.model_validate(line.row))
        except ValidationError as error:
            errors += row_errors(line.number, error)
    if errors:
        raise FeedError(str(path), errors)
    return found
