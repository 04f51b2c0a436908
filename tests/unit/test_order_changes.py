"""Changes to orders: written once, by the rules, in one transaction with their audit."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from shopbot.database import open_database
from shopbot.errors import ChangeRefused, OrderNotFound
from shopbot.order_changes import STORE_CREDIT, Action, Change, apply_change, refund_of
from shopbot.order_statements import order_source
from shopbot.orders import Order, Orders, seed_orders
from shopbot.settings import REPOSITORY
from shopbot.tables import order_changes
from tests.unit.test_order_rules import DELIVERED, DENVER, JACKET, PLACED, order, rules


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/shopbot.sqlite3")
    people, placed = tmp_path / "customers.jsonl", tmp_path / "orders.jsonl"
    people.write_text(
        "".join(json.dumps({"id": c, "name": c, "email": f"{c}@x.example"}) + "\n" for c in ("C-1", "C-2"))
    )
    new = order("placed", delivered_at=None, total=118.0)
    here = order(subtotal=150.0, discount=15.0, tax=9.0, shipping=5.0, total=149.0).model_copy(update={"id": "A-10002"})
    placed.write_text("".join(item.model_dump_json(by_alias=True) + "\n" for item in (new, here)))
    seed_orders(engine, people, placed)
    yield engine
    engine.dispose()


def apply(
    engine: Engine, change: Change, customer: str = "C-1", tier: str | None = None, at: datetime = PLACED
) -> Order:
    return apply_change(engine, change, customer, tier, rules(), at, "a test")


def audit(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(order_changes)))


def test_a_cancelled_order_is_cancelled_and_its_audit_names_the_rule(engine: Engine) -> None:
    change = Change.new("cancel", "A-10001")
    assert apply(engine, change).status == "cancelled"
    kept = Orders(engine).find("A-10001", "C-1")
    assert (kept.status, kept.events[-1].status) == ("cancelled", "cancelled")
    (entry,) = audit(engine)
    assert (entry.id, entry.section, entry.details["action"], entry.source) == (
        change.id, "shipping.cutoff", "cancel", "a test",
    )  # fmt: skip


def test_an_address_is_changed_part_by_part(engine: Engine) -> None:
    changed = apply(engine, Change.new("address", "A-10001", address={"street": "1 New Road", "zip": "80301"}))
    assert changed.address == {"country": "USA", "street": "1 New Road", "zip": "80301"}
    assert changed.status == "placed"


@pytest.mark.parametrize(
    ("tier", "method", "refund"),
    [
        (None, "original payment method", 90.05),  # 100 of 150: less a share of 10.00, plus 6.00 tax, less the label
        ("Peak", "original payment method", 96.0),
        (None, STORE_CREDIT, 96.0),
    ],
)
def test_a_return_pays_back_the_price_with_its_share_less_the_label(
    tier: str | None, method: str, refund: float, engine: Engine
) -> None:
    changed = apply(engine, Change.new("return", "A-10002", sku="P1-M", refund_method=method), tier=tier, at=DELIVERED)
    back = changed.returned
    assert back is not None
    assert (back.type, back.refund_amount, back.refund_method) == ("return", refund, method)
    assert back.label_valid_until == (DELIVERED + timedelta(days=21)).date()
    assert changed.status == "return_requested"


def test_an_exchange_notes_what_it_is_for_and_refunds_nothing(engine: Engine) -> None:
    changed = apply(engine, Change.new("exchange", "A-10002", sku="P1-M", new_sku="P1-L"), at=DELIVERED)
    assert changed.returned is not None
    assert (changed.returned.exchange, changed.returned.refund_amount) == ({"sku": "P1-L"}, 0.0)


def test_a_change_is_written_once_however_often_and_by_however_many(engine: Engine) -> None:
    change = Change.new("return", "A-10002", sku="P1-M")
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: apply(engine, change, at=DELIVERED), range(16)))
    assert len(audit(engine)) == 1
    assert len({item.returned.label for item in done if item.returned}) == 1
    assert len(Orders(engine).find("A-10002", "C-1").events) == 1


@pytest.mark.parametrize("action", ["cancel", "address", "return", "exchange"])
def test_the_order_of_another_customer_is_not_found_and_not_changed(action: Action, engine: Engine) -> None:
    order_id = "A-10001" if action in ("cancel", "address") else "A-10002"
    before = Orders(engine).find(order_id, "C-1")
    with pytest.raises(OrderNotFound):
        apply(engine, Change.new(action, order_id, sku="P1-M", new_sku="P1-L", address={"street": "9 My Road"}), "C-2")
    assert Orders(engine).find(order_id, "C-1") == before
    assert audit(engine) == []


def test_what_the_rules_refuse_by_then_is_not_written(engine: Engine) -> None:
    change = Change.new("cancel", "A-10001")
    with pytest.raises(ChangeRefused, match=r"shipping\.cutoff"):
        apply(engine, change, at=PLACED + timedelta(minutes=61))
    assert Orders(engine).find("A-10001", "C-1").status == "placed"
    assert audit(engine) == []


@given(
    price=st.integers(1, 100_000), others=st.integers(0, 100_000), discount=st.integers(0, 100), tax=st.integers(0, 25)
)
def test_never_more_is_refunded_than_was_paid_for_the_goods(price: int, others: int, discount: int, tax: int) -> None:
    item = JACKET.model_copy(update={"unit_price": price / 100})
    subtotal = (price + others) / 100
    off, taxed = round(subtotal * discount / 100, 2), round(subtotal * tax / 100, 2)
    whole = order(items=(item,), subtotal=subtotal, discount=off, tax=taxed, total=round(subtotal - off + taxed, 2))
    assert -5.96 <= refund_of(whole, item, 595) <= refund_of(whole, item, 0) <= (whole.total or 0) + 0.01


# ---------------------------------------------------------------- what is told


def test_every_sample_order_can_be_told_in_whole_sentences() -> None:
    lines = (REPOSITORY / "data" / "cairn" / "orders.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        told = [s.text for s in order_source(1, Order.model_validate_json(line), "en-US", DENVER).statements]
        assert told
        assert [text for text in told if not text.endswith(".") or "None" in text] == []


def test_an_order_is_told_with_amounts_and_days_of_the_shop() -> None:
    here = order(total=149.0, subtotal=150.0, tax=9.0, discount=15.0, shipping=5.0, delivered_at=DELIVERED)
    told = {s.field: s.text for s in order_source(1, here, "en-US", DENVER).statements}
    assert told["status"] == "Order A-10001 of June 1 was delivered on June 5."
    assert told["total"] == "The total is $149.00 (goods $150.00, discount $15.00, shipping $5.00, tax $9.00)."


def test_a_visitor_needs_number_and_email_of_the_same_order(engine: Engine) -> None:
    assert Orders(engine).of_guest("A-10001", " c-1@X.example ").id == "A-10001"
    for number, email in (("A-10001", "C-2@x.example"), ("A-9", "C-1@x.example"), ("A-10001", "%")):
        with pytest.raises(OrderNotFound):
            Orders(engine).of_guest(number, email)
