"""An order as sentences, as records are (`shopbot.statements`): the only material of an answer about it."""

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date

from shopbot.language import joined
from shopbot.money import format_money, to_minor
from shopbot.orders import Item, Order
from shopbot.statements import Source, Statement

# What a state means, after "Order A-48213 ".
DELAYED, LOST = "delayed", "lost"
STATES = {
    "placed": "has been placed and is not packed yet",
    "paid": "is paid and not packed yet",
    "packed": "is packed and waits for the carrier",
    "shipped": "is on its way",
    "out_for_delivery": "is out for delivery",
    "delivered": "was delivered",
    DELAYED: "is delayed",
    LOST: "counts as lost",
    "cancelled": "was cancelled",
    "backordered": "waits for an item that is sold out",
    "return_requested": "was delivered, and a return or exchange was asked for",
    "return_received": "came back to us",
    "refunded": "came back to us and was refunded",
    "exchanged": "was exchanged",
}
OVER = frozenset({"delivered", "cancelled", "return_requested", "return_received", "refunded", "exchanged"})
"""States after which nothing is on its way to the customer any more."""


def order_source(number: int, order: Order, locale: str, zone: ZoneInfo) -> Source:
    """Say everything that is known of an order; dates are the shop's, amounts in the order's currency."""
    telling = _Telling(order, locale, zone)
    return Source(number, order.id, "order", f"order {order.id}", tuple(telling.statements()))


def said_date(moment: datetime | date, locale: str, zone: ZoneInfo) -> str:
    day = moment.astimezone(zone).date() if isinstance(moment, datetime) else moment
    return format_date(day, "MMMM d", locale=locale.replace("-", "_"))


def said_items(items: tuple[Item, ...] | list[Item]) -> str:
    return joined(f"{item.quantity} × {item.title}" if item.quantity > 1 else item.title for item in items)


class _Telling:
    def __init__(self, order: Order, locale: str, zone: ZoneInfo) -> None:
        self._order, self._locale, self._zone = order, locale, zone

    def statements(self) -> Iterator[Statement]:
        for field, text in self._lines():
            yield Statement(text, field)

    def _lines(self) -> Iterator[tuple[str, str]]:
        order = self._order
        state = STATES.get(order.status, f"has the state {order.status}")
        when = f" on {self._date(order.delivered_at)}" if order.status == "delivered" and order.delivered_at else ""
        yield "status", f"Order {order.id} of {self._date(order.placed_at)} {state}{when}."
        if order.promised_by and order.status not in OVER | {LOST}:
            yield "due", f"It is due by {self._date(order.promised_by)}."
        if order.tracking:
            carried = "went" if order.status in OVER else "goes"
            carrier = f"It {carried} with {order.carrier}; the" if order.carrier else "The"
            yield "tracking", f"{carrier} tracking number is {order.tracking}."
        if order.events:
            last = order.events[-1]
            began = next((event for event in order.events if event.status == order.status), last)
            if order.status == DELAYED and began is not last:
                yield "news", f"Since {self._date(began.at)}: {began.note.rstrip('.')}."
            yield "news", f"Last entry, {self._date(last.at)}: {last.note.rstrip('.')}."
        if order.items:
            yield "items", f"In it: {said_items(order.items)}."
        yield from self._amounts()
        if address := self._address():
            yield "address", f"{'Its address is' if order.status in OVER else 'It goes to'} {address}."
        yield from self._return()

    def _amounts(self) -> Iterator[tuple[str, str]]:
        order = self._order
        for item in order.items:
            yield "position", f"{item.quantity} × {item.title} ({item.sku}): {self._money(item.unit_price)} each."
        parts = [
            f"{name} {self._money(amount)}"
            for name, amount in (
                ("goods", order.subtotal), ("discount", order.discount), ("shipping", order.shipping),
                ("tax", order.tax),
            )
            if amount
        ]  # fmt: skip
        if order.total is not None:
            summed = f" ({', '.join(parts)})" if parts else ""
            yield "total", f"The total is {self._money(order.total)}{summed}."

    def _return(self) -> Iterator[tuple[str, str]]:
        back = self._order.returned
        if back is None:
            return
        titles = [item for item in self._order.items if item.sku in back.items]
        kind = "An exchange" if back.type == "exchange" else "A return"
        yield "return", f"{kind} of {said_items(titles)} was asked for on {self._date(back.requested_at)}."
        if back.received_at:
            yield "return", f"The parcel reached us on {self._date(back.received_at)}."
        elif back.label_valid_until:
            label, until = f"label {back.label}" if back.label else "label", self._date(back.label_valid_until)
            yield "return", f"It has not reached us yet; the return {label} is valid until {until}."
        where = f" to {back.refund_method}" if back.refund_method else ""
        if back.refunded_at and back.refund_amount:
            money, day = self._money(back.refund_amount), self._date(back.refunded_at)
            yield "return", f"{money} was refunded{where} on {day}."
        elif back.refund_amount:
            yield "return", f"{self._money(back.refund_amount)} will be refunded{where}."

    def _address(self) -> str:
        to = self._order.address
        return ", ".join(
            part
            for part in (to.get("street"), to.get("city"), f"{to.get('state', '')} {to.get('zip', '')}".strip())
            if part
        )

    def _money(self, amount: float) -> str:
        return format_money(to_minor(amount, self._order.currency), self._order.currency, self._locale)

    def _date(self, moment: datetime | date) -> str:
        return said_date(moment, self._locale, self._zone)
