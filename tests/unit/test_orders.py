import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from shopbot.database import open_database
from shopbot.errors import FeedError, OrderNotFound
from shopbot.orders import Orders, seed_orders
from shopbot.settings import REPOSITORY

CAIRN = REPOSITORY / "data" / "cairn"
STATES = {
    "placed", "paid", "packed", "shipped", "out_for_delivery", "delivered", "delayed", "lost", "cancelled",
    "return_requested", "return_received", "refunded", "exchanged", "backordered",
}  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/shopbot.sqlite3")
    yield engine
    engine.dispose()


def written(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_sample_shop_has_orders_in_every_state(engine: Engine) -> None:
    placed = seed_orders(engine, CAIRN / "customers.jsonl", CAIRN / "orders.jsonl")
    assert placed >= 60
    customers = [json.loads(line)["id"] for line in (CAIRN / "customers.jsonl").read_text().splitlines()]
    states = Counter(order.status for customer in customers for order in Orders(engine).of(customer))
    assert set(states) == STATES
    assert sum(states.values()) == placed


def test_the_sample_orders_are_of_articles_of_the_catalog_and_add_up() -> None:
    catalog = [json.loads(line) for line in (CAIRN / "catalog.jsonl").read_text().splitlines()]
    skus = {variant["sku"] for product in catalog for variant in product["variants"]}
    for order in map(json.loads, (CAIRN / "orders.jsonl").read_text().splitlines()):
        assert {item["sku"] for item in order["items"]} <= skus
        total = order["subtotal"] - order["discount"] + order["shipping"] + order["tax"]
        assert round(total, 2) == order["total"], order["id"]


def test_an_order_is_found_by_its_own_customer_only(engine: Engine, tmp_path: Path) -> None:
    people = written(
        tmp_path / "c",
        {"id": "C-1", "name": "A", "email": "a@x.example"},
        {"id": "C-2", "name": "B", "email": "b@x.example"},
    )
    row = {"id": "A-1", "customer_id": "C-1", "placed_at": "2026-11-01T10:00:00Z", "status": "paid", "total": 5}
    seed_orders(engine, people, written(tmp_path / "o", row))
    orders = Orders(engine)
    assert orders.find("A-1", "C-1").total == 5
    with pytest.raises(OrderNotFound):
        orders.find("A-1", "C-2")
    with pytest.raises(OrderNotFound):
        orders.find("A-2", "C-1")


def test_seeding_again_changes_nothing(engine: Engine) -> None:
    files = CAIRN / "customers.jsonl", CAIRN / "orders.jsonl"
    assert seed_orders(engine, *files) > 0
    assert seed_orders(engine, *files) == 0


def test_an_order_of_nobody_is_refused_and_nothing_is_written(engine: Engine, tmp_path: Path) -> None:
    people = written(tmp_path / "c", {"id": "C-1", "name": "A", "email": "a@x.example"})
    row = {"id": "A-1", "customer_id": "C-9", "placed_at": "2026-11-01T10:00:00Z", "status": "paid"}
    with pytest.raises(FeedError, match="no customer of this shop"):
        seed_orders(engine, people, written(tmp_path / "o", row))
    assert Orders(engine).of("C-1") == []
    assert seed_orders(engine, people, tmp_path / "absent") == 0
