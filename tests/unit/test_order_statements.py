"""An order as sentences: whole ones, with the shop's days and the order's money, and nothing that is not known."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shopbot.order_statements import OVER, STATES, order_source, said_date, said_items
from shopbot.orders import Event, Item, Order, Return
from shopbot.settings import REPOSITORY

DENVER = ZoneInfo("America/Denver")
LINES = (REPOSITORY / "data" / "cairn" / "orders.jsonl").read_text(encoding="utf-8").splitlines()
SAMPLES = {order.id: order for order in map(Order.model_validate_json, LINES)}
NOON = datetime(2026, 6, 5, 18, 0, tzinfo=UTC)
NIGHT = datetime(2026, 6, 6, 5, 59, tzinfo=UTC)
"""11:59 p.m. on June 5 in Denver."""
JACKET = Item(product_id="P1", sku="P1-M", title="Fulmar Jacket", unit_price=1249.5)
SOCKS = Item(product_id="P2", sku="P2-M", title="Wren Socks", unit_price=20.0, quantity=3)


def order(status: str = "delivered", **values: Any) -> Order:
    return Order(id="A-10001", customer_id="C-1", status=status, **{"placed_at": NOON, "items": (JACKET,), **values})


def told(item: Order, *fields: str, locale: str = "en-US", zone: ZoneInfo = DENVER) -> list[str]:
    source = order_source(1, item, locale, zone)
    return [statement.text for statement in (source.of(*fields) if fields else source.statements)]


def unsound(texts: Sequence[str]) -> list[str]:
    """Those that are no whole sentences, or were made of what is not known."""
    broken = ("None", "()", "( ", "  ", " .", " ,", ", ,", ": .", "..", "datetime")
    return [text for text in texts if not text.endswith(".") or any(mark in text for mark in broken)]


# ---------------------------------------------------------------- the sample orders


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_a_sample_order_is_told_in_whole_sentences(sample: Order) -> None:
    texts = told(sample)
    assert texts[0].startswith(f"Order {sample.id} of ")
    assert unsound(texts) == []


@pytest.mark.parametrize(
    ("sample", "texts"),
    [
        ("A-74004", ["Order A-74004 of November 19 has been placed and is not packed yet."]),
        ("A-58452", ["Order A-58452 of November 19 is paid and not packed yet.", "It is due by December 1."]),
        ("A-74675", ["Order A-74675 of November 20 is packed and waits for the carrier.", "It is due by December 1."]),
        ("A-41745", [
            "Order A-41745 of November 4 is on its way.",
            "It is due by December 4.",
            "It goes with Switchback Post; the tracking number is SBP33202833684.",
        ]),
        ("A-53454", [
            "Order A-53454 of November 11 is out for delivery.",
            "It is due by November 25.",
            "It goes with Switchback Post; the tracking number is SBP07413973897.",
        ]),
        ("A-50763", [
            "Order A-50763 of August 3 was delivered on August 24.",
            "It went with Switchback Post; the tracking number is SBP34317432802.",
        ]),
        ("A-77963", [
            "Order A-77963 of October 14 is delayed.",
            "It is due by November 12.",
            "It goes with Switchback Post; the tracking number is SBP52111724773.",
        ]),
        ("A-57339", ["Order A-57339 of August 20 was cancelled."]),
        ("A-67514", ["Order A-67514 of October 30 waits for an item that is sold out.", "It is due by December 28."]),
        ("A-67237", [
            "Order A-67237 of October 2 was delivered, and a return or exchange was asked for.",
            "It went with Tamarack Parcel; the tracking number is TMK95161754124.",
            "A return of Dunlin 26 Daypack was asked for on November 12.",
            "It has not reached us yet; the return label RL-57450782 is valid until December 3.",
            "$112.75 will be refunded to original payment method.",
        ]),
        ("A-54769", [
            "Order A-54769 of October 26 came back to us.",
            "It went with Tamarack Parcel; the tracking number is TMK96494666290.",
            "A return of Hoarfrost Hooded Down Jacket was asked for on November 9.",
            "The parcel reached us on November 19.",
            "$189.48 will be refunded to original payment method.",
        ]),
        ("A-51090", [
            "Order A-51090 of August 24 came back to us and was refunded.",
            "It went with Boreal Parcel International; the tracking number is BPI526700205CA.",
            "A return of Tarnside Hiking Leggings and Skylark Merino Tee was asked for on September 10.",
            "The parcel reached us on September 23.",
            "$159.90 was refunded to original payment method on September 25.",
        ]),
        ("A-50377", [
            "Order A-50377 of August 28 was exchanged.",
            "It went with Tamarack Parcel; the tracking number is TMK47314989932.",
            "An exchange of Alder Zip-Off Trousers was asked for on September 8.",
            "The parcel reached us on September 15.",
        ]),
    ],
)  # fmt: skip
def test_a_sample_order_is_told_as_it_stands(sample: str, texts: list[str]) -> None:
    assert told(SAMPLES[sample], "status", "due", "tracking", "return") == texts


def test_every_state_of_the_sample_orders_has_its_words() -> None:
    assert {sample.status for sample in SAMPLES.values()} == set(STATES)
    assert set(STATES) > OVER


@pytest.mark.parametrize("status", STATES)
def test_each_state_is_told_in_its_own_words(status: str) -> None:
    assert told(order(status), "status") == [f"Order A-10001 of June 5 {STATES[status]}."]


def test_a_state_that_is_not_known_is_told_by_its_name() -> None:
    assert told(order("on_hold"), "status") == ["Order A-10001 of June 5 has the state on_hold."]


@pytest.mark.parametrize(
    "field",
    [
        "subtotal", "discount", "shipping", "tax", "total", "shipping_method", "carrier", "tracking", "address",
        "promised_by", "shipped_at", "delivered_at", "returned", "events",
    ],
)  # fmt: skip
def test_a_sample_order_that_lacks_something_is_told_without_it(field: str) -> None:
    default = Order.model_fields[field].get_default(call_default_factory=True)
    for sample in SAMPLES.values():
        assert unsound(told(sample.model_copy(update={field: default}))) == [], sample.id


@pytest.mark.parametrize("field", [name for name, info in Return.model_fields.items() if not info.is_required()])
def test_a_return_that_lacks_something_is_told_without_it(field: str) -> None:
    returned = [sample for sample in SAMPLES.values() if sample.returned]
    assert returned
    for sample in returned:
        assert sample.returned is not None
        less = sample.model_copy(update={"returned": sample.returned.model_copy(update={field: None})})
        assert unsound(told(less)) == [], sample.id


# ---------------------------------------------------------------- one order, field by field


def test_the_source_is_the_order_under_its_number() -> None:
    source = order_source(3, order(), "en-US", DENVER)
    assert (source.number, source.id, source.kind, source.title) == (3, "A-10001", "order", "order A-10001")
    assert [statement.field for statement in source.statements] == ["status", "items", "position"]


def test_an_order_of_which_little_is_known_is_told_briefly() -> None:
    assert told(order("paid", items=())) == ["Order A-10001 of June 5 is paid and not packed yet."]


@pytest.mark.parametrize("status", sorted(set(STATES) - {"lost"}))
def test_only_what_is_still_to_come_is_due(status: str) -> None:
    due = told(order(status, promised_by=date(2026, 6, 9)), "due")
    assert due == ([] if status in OVER else ["It is due by June 9."])


@pytest.mark.parametrize(
    ("status", "carrier", "text"),
    [
        ("shipped", "Merlin Run", "It goes with Merlin Run; the tracking number is T-1."),
        ("delivered", "Merlin Run", "It went with Merlin Run; the tracking number is T-1."),
        ("shipped", None, "The tracking number is T-1."),
    ],
)
def test_a_tracking_number_is_told_with_the_carrier_if_there_is_one(
    status: str, carrier: str | None, text: str
) -> None:
    assert told(order(status, tracking="T-1", carrier=carrier), "tracking") == [text]


def test_without_a_tracking_number_nothing_is_told_of_the_carrier() -> None:
    assert told(order("shipped", carrier="Merlin Run"), "tracking") == []


def test_the_last_entry_is_the_news_with_one_full_stop() -> None:
    events = (Event(at=NOON, status="paid", note="Paid."), Event(at=NIGHT, status="packed", note="Packed in town."))
    assert told(order(events=events), "news") == ["Last entry, June 5: Packed in town."]


def test_items_are_listed_with_their_number_and_positions_with_their_price() -> None:
    both = order(items=(JACKET, SOCKS))
    assert told(both, "items") == ["In it: Fulmar Jacket and 3 × Wren Socks."]
    assert told(both, "position") == [
        "1 × Fulmar Jacket (P1-M): $1,249.50 each.", "3 × Wren Socks (P2-M): $20.00 each.",
    ]  # fmt: skip
    assert said_items([JACKET, SOCKS, JACKET]) == "Fulmar Jacket, 3 × Wren Socks and Fulmar Jacket"


# ---------------------------------------------------------------- money


def test_the_total_is_told_with_what_it_is_made_of_and_without_what_is_nothing() -> None:
    free = order(subtotal=1249.5, discount=0.0, shipping=0.0, tax=9.0, total=1258.5)
    assert told(free, "total") == ["The total is $1,258.50 (goods $1,249.50, tax $9.00)."]
    whole = order(subtotal=1249.5, discount=49.5, shipping=5.0, tax=9.0, total=1214.0)
    assert told(whole, "total") == [
        "The total is $1,214.00 (goods $1,249.50, discount $49.50, shipping $5.00, tax $9.00).",
    ]  # fmt: skip


def test_a_total_of_unknown_parts_is_told_alone_and_an_unknown_total_not_at_all() -> None:
    assert told(order(total=5.0), "total") == ["The total is $5.00."]
    assert told(order(total=0.0), "total") == ["The total is $0.00."]
    assert told(order(subtotal=5.0), "total") == []


@pytest.mark.parametrize(
    ("currency", "locale", "price", "text"),
    [
        ("EUR", "en-US", 1249.5, "€1,249.50"),
        ("JPY", "en-US", 1250.0, "¥1,250"),
        ("EUR", "de-DE", 1249.5, "1.249,50\xa0€"),
        ("CAD", "en-US", 1249.5, "CA$1,249.50"),
    ],
)
def test_an_amount_is_in_the_orders_currency_written_the_way_of_the_locale(
    currency: str, locale: str, price: float, text: str
) -> None:
    item = JACKET.model_copy(update={"unit_price": price})
    back = Return(type="return", items=("P1-M",), requested_at=NOON, refund_amount=price)
    whole = order(items=(item,), currency=currency, total=price, returned=back)
    assert told(whole, "position", locale=locale) == [f"1 × Fulmar Jacket (P1-M): {text} each."]
    assert told(whole, "total", locale=locale) == [f"The total is {text}."]
    assert told(whole, "return", locale=locale)[-1] == f"{text} will be refunded."


# ---------------------------------------------------------------- days


def test_every_moment_is_told_as_the_day_it_was_in_the_shop() -> None:
    back = Return(
        type="return", items=("P1-M",), requested_at=NIGHT, received_at=NIGHT, refunded_at=NIGHT, refund_amount=20.0
    )
    late = order(placed_at=NIGHT, delivered_at=NIGHT, returned=back, events=(Event(at=NIGHT, status="x", note="Here"),))
    for zone, day in ((DENVER, "June 5"), (ZoneInfo("UTC"), "June 6")):
        assert told(late, "status", "news", "return", zone=zone) == [
            f"Order A-10001 of {day} was delivered on {day}.",
            f"Last entry, {day}: Here.",
            f"A return of Fulmar Jacket was asked for on {day}.",
            f"The parcel reached us on {day}.",
            f"$20.00 was refunded on {day}.",
        ]


def test_a_day_without_an_hour_is_the_same_everywhere() -> None:
    for zone in (DENVER, ZoneInfo("UTC"), ZoneInfo("Pacific/Auckland")):
        assert said_date(date(2026, 6, 5), "en-US", zone) == "June 5"
        assert told(order("shipped", promised_by=date(2026, 6, 9)), "due", zone=zone) == ["It is due by June 9."]


# ---------------------------------------------------------------- where it goes


ADDRESS = {"street": "418 Granite Mill Road", "city": "Alder Falls", "state": "CO", "zip": "80399", "country": "USA"}


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (("street", "city", "state", "zip"), ["It goes to 418 Granite Mill Road, Alder Falls, CO 80399."]),
        (("street", "city", "zip", "country"), ["It goes to 418 Granite Mill Road, Alder Falls, 80399."]),
        (("city", "state"), ["It goes to Alder Falls, CO."]),
        (("zip",), ["It goes to 80399."]),
        (("country",), []),
        ((), []),
    ],
)
def test_of_an_address_is_told_what_is_known(known: tuple[str, ...], text: list[str]) -> None:
    assert told(order("paid", address={key: ADDRESS[key] for key in known}), "address") == text


@pytest.mark.parametrize("status", sorted(OVER))
def test_what_is_over_goes_nowhere(status: str) -> None:
    (text,) = told(order(status, address=ADDRESS), "address")
    assert text == "Its address is 418 Granite Mill Road, Alder Falls, CO 80399."


# ---------------------------------------------------------------- what goes back


def returned(**values: Any) -> list[str]:
    back: dict[str, Any] = {"type": "return", "items": ("P2-M",), "requested_at": NOON, **values}
    return told(order("return_requested", items=(JACKET, SOCKS), returned=Return(**back)), "return")


def test_of_an_order_that_nothing_of_goes_back_no_return_is_told() -> None:
    assert told(order(), "return") == []


def test_a_return_is_of_its_items_only_and_its_label_has_a_last_day() -> None:
    assert returned(label="RL-1", label_valid_until=date(2026, 6, 26)) == [
        "A return of 3 × Wren Socks was asked for on June 5.",
        "It has not reached us yet; the return label RL-1 is valid until June 26.",
    ]
    assert returned(label_valid_until=date(2026, 6, 26))[-1] == (
        "It has not reached us yet; the return label is valid until June 26."
    )


def test_a_label_is_not_told_any_more_when_the_parcel_is_here() -> None:
    texts = returned(label="RL-1", label_valid_until=date(2026, 6, 26), received_at=NOON)
    assert texts[1:] == ["The parcel reached us on June 5."]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"refund_method": "store credit"}, "$54.05 will be refunded to store credit."),
        ({"refund_method": "store credit", "refunded_at": NOON}, "$54.05 was refunded to store credit on June 5."),
        ({}, "$54.05 will be refunded."),
        ({"refunded_at": NOON}, "$54.05 was refunded on June 5."),
    ],
)
def test_a_refund_is_still_to_come_until_its_day_is_known(values: dict[str, Any], text: str) -> None:
    assert returned(refund_amount=54.05, **values)[1:] == [text]


@pytest.mark.parametrize("amount", [0.0, None])
def test_an_exchange_is_called_one_and_promises_no_money(amount: float | None) -> None:
    texts = returned(type="exchange", exchange={"sku": "P2-L"}, refund_amount=amount, refunded_at=NOON)
    assert texts == ["An exchange of 3 × Wren Socks was asked for on June 5."]
