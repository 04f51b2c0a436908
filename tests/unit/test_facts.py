import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from shopbot.database import open_database, writing
from shopbot.errors import FeedError, InputError, RowError
from shopbot.facts import (
    Facts,
    FactsReport,
    FactUpdate,
    Known,
    effective_price,
    parse_facts,
    parse_facts_file,
)
from shopbot.tables import ACTIVE, catalog_pointer, catalog_versions, records
from tests.fakes_data import NOON, at

KNOWN = Known(currencies={("K-1", ""): "USD", ("K-3", ""): "USD", ("K-3", "K-3-S"): "USD"}, now=NOON)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/shopbot.sqlite3")
    yield engine
    engine.dispose()


def update(
    article: str = "K-1", sku: str = "", minutes: float = 0, currency: str | None = "USD", **changes: int | None
) -> FactUpdate:
    return FactUpdate(article, sku, changes, NOON + timedelta(minutes=minutes), currency)


def test_facts_come_back_with_an_aware_time(engine: Engine) -> None:
    facts = Facts(engine, at(NOON))
    facts.apply([update(price_minor=12900, stock=12), update("K-3"), update("K-3", "K-3-S", stock=4)], "test")
    found = facts.read(["K-1", "K-3", "K-1", "nowhere"])
    assert found.keys() == {"K-1", "K-3"}
    own = found["K-1"].own
    assert (own.price_minor, own.stock, own.currency, own.as_of) == (12900, 12, "USD", NOON)
    assert found["K-3"].stock_of("K-3-S") == 4
    assert found["K-3"].stock == 4


def test_an_absent_key_is_unchanged_and_none_is_unknown(engine: Engine) -> None:
    facts = Facts(engine, at(NOON))
    facts.apply([update(price_minor=100, stock=5)], "test")
    facts.apply([update(stock=None, minutes=1)], "test")
    own = facts.read(["K-1"])["K-1"].own
    assert (own.price_minor, own.stock) == (100, None)


@pytest.mark.parametrize(
    ("minutes", "stock", "report"),
    [(-1, 5, FactsReport(0, 1)), (0, 7, FactsReport(1, 0)), (1, 7, FactsReport(1, 0))],
)
def test_the_newer_or_equal_fact_wins(engine: Engine, minutes: float, stock: int, report: FactsReport) -> None:
    facts = Facts(engine, at(NOON))
    facts.apply([update(stock=5)], "test")
    assert report == facts.apply([update(stock=7, minutes=minutes)], "test")
    assert stock == facts.read(["K-1"])["K-1"].own.stock


def test_within_one_batch_the_newest_wins_in_any_order(engine: Engine) -> None:
    facts = Facts(engine, at(NOON))
    report = facts.apply([update(stock=3, minutes=2), update(stock=1), update(stock=2, minutes=2)], "test")
    assert report == FactsReport(applied=2, ignored_older=1)
    assert facts.read(["K-1"])["K-1"].own.stock == 2


def test_a_variant_is_newer_or_older_on_its_own(engine: Engine) -> None:
    facts = Facts(engine, at(NOON))
    facts.apply([update("K-3", stock=None, minutes=3), update("K-3", "K-3-S", stock=1)], "test")
    facts.apply([update("K-3", "K-3-S", stock=2, minutes=1)], "test")
    assert facts.read(["K-3"])["K-3"].stock_of("K-3-S") == 2


def test_a_fact_from_the_future_is_refused(engine: Engine) -> None:
    facts = Facts(engine, at(NOON))
    with pytest.raises(InputError, match="in the future"):
        facts.apply([update(stock=1), update(stock=1, minutes=6)], "test")
    assert facts.read(["K-1"]) == {}
    facts.apply([update(stock=1, minutes=4)], "test")


def test_nothing_is_half_applied(engine: Engine) -> None:
    facts = Facts(engine, at(NOON))
    with pytest.raises(InputError, match="currency"):
        facts.apply([update(stock=1), update("K-9", currency=None, stock=1)], "test")
    assert facts.read(["K-1", "K-9"]) == {}


def test_a_variant_without_a_price_costs_what_the_product_costs(engine: Engine) -> None:
    facts = Facts(engine, at(NOON))
    facts.apply(
        [
            update("K-3", price_minor=4900, sale_price_minor=3900),
            update("K-3", "K-3-S", stock=1),
            update("K-3", "K-3-XL", price_minor=5500),
        ],
        "test",
    )
    found = facts.read(["K-3"])["K-3"]
    assert effective_price(found) == (4900, 3900)
    assert effective_price(found, "K-3-S") == (4900, 3900)
    assert effective_price(found, "K-3-XL") == (5500, None)


def test_thousands_of_facts_are_written_and_read_at_once(engine: Engine) -> None:
    facts = Facts(engine, at(NOON))
    facts.apply([update(f"A-{number}", stock=number) for number in range(3000)], "test")
    assert len(facts.read([f"A-{number}" for number in range(3000)])) == 3000


def test_known_articles_are_those_of_the_active_version(engine: Engine) -> None:
    with writing(engine) as connection:
        version = {"created_at": NOON, "state": "ready", "feed_source": "x", "input_hash": "x"}
        connection.execute(insert(catalog_versions).values(id="v1", **version))
        row = {"version_id": "v1", "kind": "product", "ordinal": 0, "payload": {}, "embed_hash": "x"}
        connection.execute(insert(records), [{**row, "record_id": "K-1"}, {**row, "record_id": "K-3"}])
        connection.execute(insert(catalog_pointer).values(name=ACTIVE, version_id="v1"))
    facts = Facts(engine, at(NOON))
    facts.apply([update(), update("K-3"), update("K-3", "K-3-S"), update("GONE", stock=1)], "test")
    assert facts.known() == KNOWN


def parse(*rows: dict[str, Any]) -> list[FactUpdate]:
    return parse_facts([json.dumps(row) for row in rows], "test", KNOWN)


def rejected(*rows: dict[str, Any]) -> tuple[RowError, ...]:
    with pytest.raises(FeedError) as caught:
        parse(*rows)
    return caught.value.rows


def test_rows_become_updates_of_the_keys_that_are_present() -> None:
    assert parse(
        {"id": "K-1", "price": 12.5, "stock": None},
        {"id": "K-3", "sku": "K-3-S", "stock": 3, "as_of": "2026-05-01T10:00:00+02:00"},
        {"id": "K-1", "sku": None, "sale_price": "", "as_of": "2026-05-01T09:00:00"},
    ) == [
        FactUpdate("K-1", "", {"price_minor": 1250, "stock": None}, NOON, "USD"),
        FactUpdate("K-3", "K-3-S", {"stock": 3}, datetime(2026, 5, 1, 8, tzinfo=UTC), "USD"),
        FactUpdate("K-1", "", {"sale_price_minor": None}, datetime(2026, 5, 1, 9, tzinfo=UTC), "USD"),
    ]


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ({"stock": 1}, "id", "required"),
        ({"id": "K-9", "stock": 1}, "id", "not in the active catalog"),
        ({"id": "K-1", "sku": "K-3-S", "stock": 1}, "sku", "no variant of article K-1"),
        ({"id": "K-1"}, "row", "changes nothing"),
        ({"id": "K-1", "price": -1}, "price", "greater than or equal to 0"),
        ({"id": "K-1", "price": 1.999}, "price", "decimal digits"),
        ({"id": "K-1", "price": "5"}, "price", "number"),
        ({"id": "K-1", "price": True}, "price", "true or false"),
        ({"id": "K-1", "stock": False}, "stock", "true or false"),
        ({"id": "K-1", "stock": -1}, "stock", "greater than or equal to 0"),
        ({"id": "K-1", "stock": 1.5}, "stock", "integer"),
        ({"id": "K-1", "stock": 1, "prize": 2}, "prize", "not permitted"),
        ({"id": "K-1", "stock": 1, "as_of": "yesterday"}, "as_of", "ISO 8601"),
        ({"id": "K-1", "stock": 1, "as_of": 1_777_000_000}, "as_of", "ISO 8601"),
        ({"id": "K-1", "stock": 1, "as_of": "2026-05-01T12:05:01Z"}, "as_of", "in the future"),
    ],
)
def test_a_wrong_row_is_named(row: dict[str, Any], field: str, reason: str) -> None:
    (error,) = rejected({"id": "K-1", "stock": 1}, row)
    assert (2, field) == (error.line, error.field)
    assert reason in error.reason
    assert error.remedy


def test_all_wrong_rows_are_reported_together(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text('{"id": "K-1", "price": NaN}\n\n{"id": "K-9", "stock": 1}\n')
    with pytest.raises(FeedError) as caught:
        parse_facts_file(path, KNOWN)
    assert [error.line for error in caught.value.rows] == [1, 3]


def test_a_product_price_may_change_though_it_has_variants() -> None:
    assert parse({"id": "K-3", "price": 50})[0].changes == {"price_minor": 5000}


def test_a_new_price_says_nothing_about_the_stock(engine: Engine) -> None:
    """A price from one o'clock must not keep out a stock from half past twelve."""
    facts = Facts(engine, at(NOON + timedelta(hours=2)))
    facts.apply([update(price_minor=100, stock=1)], "test")
    facts.apply([update(price_minor=200, minutes=60)], "test")
    facts.apply([update(stock=3, minutes=30)], "test")
    own = facts.read(["K-1"])["K-1"].own
    assert (own.price_minor, own.stock) == (200, 3)
    assert own.stock_as_of == NOON + timedelta(minutes=30)


@pytest.mark.parametrize(("total", "one_size", "known_by_size"), [(0, 0, False), (7, None, False)])
def test_a_newer_total_overrides_the_variants(
    engine: Engine, total: int, one_size: int | None, known_by_size: bool
) -> None:
    """Nothing left means nothing in any size; some left does not say in which."""
    facts = Facts(engine, at(NOON + timedelta(hours=2)))
    facts.apply([update("K-3"), update("K-3", "K-3-S", stock=4)], "test")
    facts.apply([update("K-3", stock=total, minutes=1)], "test")
    found = facts.read(["K-3"])["K-3"]
    assert (found.stock, found.stock_of("K-3-S"), found.is_stock_by_variant) == (total, one_size, known_by_size)
    facts.apply([update("K-3", "K-3-S", stock=2, minutes=2)], "test")
    assert facts.read(["K-3"])["K-3"].stock_of("K-3-S") == 2
