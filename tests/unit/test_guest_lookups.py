"""Guests may guess a few times only: by order, by e-mail, by conversation; a window later they may again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from shopbot.database import open_database
from shopbot.errors import OrderNotFound, TooManyTries
from shopbot.guest_lookups import MOST_FAILURES, WINDOW, guest_order
from shopbot.orders import Orders, seed_orders
from shopbot.settings import REPOSITORY
from shopbot.tables import lookup_failures

CAIRN = REPOSITORY / "data" / "cairn"
NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
ORDER, EMAIL = "A-48213", "maya.lindqvist@example.com"


@pytest.fixture
def orders(tmp_path: Path) -> Iterator[Orders]:
    engine = open_database(f"sqlite:///{tmp_path}/shopbot.sqlite3")
    seed_orders(engine, CAIRN / "customers.jsonl", CAIRN / "orders.jsonl")
    yield Orders(engine)
    engine.dispose()


def fail(orders: Orders, order_id: str, email: str, conversation_id: str = "c", now: datetime = NOW) -> None:
    with pytest.raises(OrderNotFound):
        guest_order(orders, order_id, email, conversation_id, now)


@pytest.mark.parametrize("by", ["order", "email", "conversation"])
def test_after_a_few_failures_even_the_right_pair_is_refused_until_the_window_has_passed(
    by: str, orders: Orders
) -> None:
    for number in range(MOST_FAILURES):
        fail(
            orders,
            ORDER if by == "order" else f"A-1000{number}",
            EMAIL if by == "email" else f"guess-{number}@x.example",
            "c" if by == "conversation" else f"c{number}",
        )
    with pytest.raises(TooManyTries, match="15 minutes"):
        guest_order(orders, ORDER, EMAIL, "c", NOW + WINDOW - timedelta(seconds=1))
    assert guest_order(orders, ORDER, EMAIL, "c", NOW + WINDOW).id == ORDER


def test_others_are_not_kept_waiting(orders: Orders) -> None:
    for number in range(MOST_FAILURES):
        fail(orders, ORDER, f"guess-{number}@x.example")
    other = guest_order(orders, "A-57089", "Priya.Raghunathan@example.org ", "another conversation", NOW)
    assert other.customer_id == "C-1003"


def test_the_same_wrong_pair_counts_once(orders: Orders) -> None:
    """What was told once stands in the conversation, and is looked up again with every question."""
    for _ in range(3 * MOST_FAILURES):
        fail(orders, ORDER, "typo@x.example")
    assert guest_order(orders, ORDER, EMAIL, "c", NOW).id == ORDER


def test_who_asks_for_many_at_once_is_counted_one_by_one(orders: Orders) -> None:
    def guess(number: int) -> type[Exception]:
        try:
            guest_order(orders, ORDER, f"guess-{number}@x.example", f"c{number}", NOW)
        except (OrderNotFound, TooManyTries) as error:
            return type(error)
        raise AssertionError("a guess was right")

    with ThreadPoolExecutor(8) as guests:
        met = list(guests.map(guess, range(24)))
    assert met.count(OrderNotFound) == MOST_FAILURES


def test_what_is_kept_of_a_try_is_hashed_and_goes_with_its_window(orders: Orders) -> None:
    fail(orders, ORDER, "somebody@x.example")
    fail(orders, "A-00001", "later@x.example", "d", NOW + WINDOW)
    with orders.engine.connect() as connection:
        rows = connection.execute(select(lookup_failures)).all()
    assert {row.at for row in rows} == {NOW + WINDOW}
    assert all(len(value) == 64 for row in rows for value in (row.subject, row.pair))
    assert "@" not in str(rows)
