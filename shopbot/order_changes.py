"""Changes to orders: proposed, confirmed by the customer, applied once, and kept as an audit.

Whoever calls this has the customer from the session. A change is decided anew in the transaction that writes it: the
hour may have passed between question and answer. Its id is the key by which a second try changes nothing.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from sqlalchemy import Connection, Engine, insert, select, update

from shopbot.database import writing
from shopbot.errors import ChangeRefused, OrderNotFound
from shopbot.money import currency_precision, to_major
from shopbot.order_rules import Decision, OrderRules
from shopbot.orders import Event, Item, Order, Return
from shopbot.tables import order_changes, orders
from shopbot.types import Frozen

Action = Literal["cancel", "return", "exchange", "address"]
STORE_CREDIT, ORIGINAL = "store credit", "original payment method"


class Change(Frozen):
    """What is to be done with an order; `sku` is the item, `new_sku` what it is exchanged for."""

    id: str
    action: Action
    order_id: str
    sku: str | None = None
    new_sku: str | None = None
    address: dict[str, str] | None = None
    refund_method: str = ORIGINAL

    @classmethod
    def new(cls, action: Action, order_id: str, **details: Any) -> Self:
        return cls(id=secrets.token_urlsafe(12), action=action, order_id=order_id, **details)

    def item_of(self, order: Order) -> Item:
        return next(item for item in order.items if item.sku == self.sku)


def decide(change: Change, order: Order, tier: str | None, rules: OrderRules, now: datetime) -> Decision:
    """Whether the policies allow a change now."""
    if change.action in ("cancel", "address"):
        return rules.may_change(order, now)
    if change.action == "exchange":
        return rules.may_exchange(order, change.item_of(order), now)
    free = change.refund_method == STORE_CREDIT
    decision = rules.may_return(order, change.item_of(order), tier, now)
    return Decision(
        decision.allowed, decision.section, decision.reason, 0 if free else decision.fee_minor, decision.until
    )


def apply_change(
    engine: Engine, change: Change, customer_id: str, tier: str | None, rules: OrderRules, now: datetime, source: str
) -> Order:
    """Write a confirmed change and its audit entry in one transaction; return the order as it is then.

    Applying it again changes nothing. Raises OrderNotFound for an order that is not the customer's, ChangeRefused if
    the rules do not allow it any more.
    """
    with writing(engine) as connection:
        order = _own_order(connection, change.order_id, customer_id)
        if connection.scalar(select(order_changes.c.id).where(order_changes.c.id == change.id)):
            return order
        decision = decide(change, order, tier, rules, now)
        if not decision.allowed:
            raise ChangeRefused(decision.section, decision.reason)
        changed = _APPLY[change.action](order, change, decision, rules, now)
        values = {"status": changed.status, "payload": changed.model_dump(mode="json", by_alias=True)}
        connection.execute(update(orders).where(orders.c.id == order.id).values(**values))
        entry = {
            "id": change.id, "order_id": order.id, "customer_id": customer_id, "action": change.action,
            "section": decision.section, "details": change.model_dump(mode="json"), "source": source, "at": now,
        }  # fmt: skip
        connection.execute(insert(order_changes).values(**entry))
    return changed


def _own_order(connection: Connection, order_id: str, customer_id: str) -> Order:
    query = select(orders.c.payload).where(orders.c.id == order_id, orders.c.customer_id == customer_id)
    payload = connection.scalar(query.with_for_update())
    if payload is None:
        raise OrderNotFound(f"no order {order_id!r} of this customer")
    return Order.model_validate(payload)


def _with_event(order: Order, now: datetime, status: str, note: str, **values: Any) -> Order:
    event = Event(at=now, status=status, note=note)
    return order.model_copy(update={"status": status, "events": (*order.events, event), **values})


def _cancelled(order: Order, change: Change, decision: Decision, rules: OrderRules, now: datetime) -> Order:
    return _with_event(order, now, "cancelled", "Cancelled by the customer in the chat")


def _readdressed(order: Order, change: Change, decision: Decision, rules: OrderRules, now: datetime) -> Order:
    address = {**order.address, **(change.address or {})}
    return _with_event(order, now, order.status, "Address changed by the customer in the chat", address=address)


def _sent_back(order: Order, change: Change, decision: Decision, rules: OrderRules, now: datetime) -> Order:
    item, is_exchange = change.item_of(order), change.action == "exchange"
    days = rules.exchange_hand_over_days if is_exchange else rules.return_hand_over_days
    back = Return(
        type="exchange" if is_exchange else "return",
        items=(item.sku,),
        requested_at=now,
        refund_amount=0.0 if is_exchange else refund_of(order, item, decision.fee_minor),
        refund_method=None if is_exchange else change.refund_method,
        label=f"RL-{secrets.randbelow(10**8):08d}",
        label_valid_until=(now + timedelta(days=days)).astimezone(rules.zone).date(),
        exchange={"sku": change.new_sku} if is_exchange else None,
    )
    note = f"{'Exchange' if is_exchange else 'Return'} of {item.title} asked for in the chat. Return label {back.label}"
    return _with_event(order, now, "return_requested", note, returned=back)


def refund_of(order: Order, item: Item, fee_minor: int) -> float:
    """What is paid back for an item, in major units: its price with its share of discount and tax, less the label."""
    price = item.unit_price * item.quantity
    share = price / order.subtotal if order.subtotal else 1.0
    paid = price + share * ((order.tax or 0.0) - (order.discount or 0.0))
    return round(paid - float(to_major(fee_minor, order.currency)), currency_precision(order.currency))


_APPLY: Mapping[Action, Callable[[Order, Change, Decision, OrderRules, datetime], Order]] = {
    "cancel": _cancelled,
    "address": _readdressed,
    "return": _sent_back,
    "exchange": _sent_back,
}
