"""Customers and their orders. Every question for an order names the customer: there is no way to ask without one."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
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


class Order(BaseModel):
    """One line of a shop's orders.jsonl; what is not named here (items, totals, events ...) is kept as it is."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    customer_id: str
    placed_at: datetime
    status: str

    @property
    def details(self) -> Mapping[str, Any]:
        return self.model_extra or {}


class Orders:
    """Reads orders, each for its own customer only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, customer_id: str) -> list[Order]:
        """Return a customer's orders, newest first."""
        query = select(orders.c.payload).where(orders.c.customer_id == customer_id)
        with self._engine.connect() as connection:
            found = connection.scalars(query.order_by(orders.c.placed_at.desc(), orders.c.id))
            return [Order.model_validate(payload) for payload in found]

    def find(self, order_id: str, customer_id: str) -> Order:
        """Return one order. Raises OrderNotFound for another customer's just as for one that does not exist."""
        query = select(orders.c.payload).where(orders.c.id == order_id, orders.c.customer_id == customer_id)
        with self._engine.connect() as connection:
            payload = connection.scalar(query)
        if payload is None:
            raise OrderNotFound(f"no order {order_id!r} of this customer")
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
    return {**core, "payload": order.model_dump(mode="json")}


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
