import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.feed import Feed, clean_text, read_feed
from shopbot.errors import ConfigError, FeedError, RowError
from tests.fakes_data import NOON, PRODUCTS, PUBLIC_DATA, public_feed, write_feed


def read(path: Path) -> Feed:
    return read_feed(path, "USD", NOON)


def read_rows(tmp_path: Path, *rows: object) -> Feed:
    path = tmp_path / "feed.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return read(path)


def rejected(tmp_path: Path, *rows: object) -> tuple[RowError, ...]:
    with pytest.raises(FeedError) as caught:
        read_rows(tmp_path, *rows)
    return caught.value.rows


def row(**changes: Any) -> dict[str, Any]:
    return {"id": "1", "title": "Pan", "price": 10.0, "stock": 3, **changes}


def test_rows_become_products_and_facts(tmp_path: Path) -> None:
    feed = read(write_feed(tmp_path / "feed.jsonl", PRODUCTS))
    assert [product["id"] for product in PRODUCTS] == [product.id for product in feed.products]
    assert feed.warnings == ()
    facts = {(fact.article_id, fact.sku): fact for fact in feed.facts}
    assert facts["K-1", ""].changes == {"price_minor": 12900, "sale_price_minor": None, "stock": 12}
    assert facts["K-3", ""].changes == {"price_minor": 4900, "sale_price_minor": 3900, "stock": None}
    assert facts["K-3", "K-3-XL"].changes == {"price_minor": 5500, "sale_price_minor": None, "stock": None}
    assert facts["K-8", ""].changes == {"price_minor": None, "sale_price_minor": None, "stock": None}
    assert facts["K-8", ""].currency == "USD"
    assert {fact.as_of for fact in feed.facts} == {NOON}


def test_stock_of_a_product_with_variants_is_theirs(tmp_path: Path) -> None:
    feed = read_rows(tmp_path, row(stock=9, variants=[{"sku": "1-S", "stock": 9}]))
    assert [fact.changes["stock"] for fact in feed.facts] == [None, 9]


@pytest.mark.parametrize("unknown", [None, "", "  "])
def test_null_and_blank_mean_unknown(tmp_path: Path, unknown: str | None) -> None:
    fields = ["price", "stock", "currency", "brand", "description", "category", "url", "attributes", "variants"]
    feed = read_rows(tmp_path, row(**dict.fromkeys(fields, unknown)))
    assert feed.facts[0].changes == {"price_minor": None, "sale_price_minor": None, "stock": None}
    assert feed.products[0].url is None
    assert feed.products[0].brand == ""
    assert feed.products[0].currency == "USD"


def test_unknown_attributes_are_left_out(tmp_path: Path) -> None:
    attributes = {"a": None, "b": "", "c": [], "d": [None, "x", ""], "e": 0, "f": False, "g": "<b></b>"}
    feed = read_rows(tmp_path, row(attributes=attributes))
    assert feed.products[0].attributes == {"d": ["x"], "e": 0, "f": False}


def test_whole_numbers_serve_as_ids_skus_and_sizes(tmp_path: Path) -> None:
    feed = read_rows(tmp_path, row(id=7, variants=[{"sku": 71, "size": 42.5}]))
    assert feed.products[0].id == "7"
    assert feed.products[0].variants[0].sku == "71"
    assert feed.products[0].variants[0].size == "42.5"


def test_a_byte_order_mark_and_blank_lines_are_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(row()).encode() + b"\r\n\r\n")
    assert [product.title for product in read(path).products] == ["Pan"]


def test_unknown_fields_are_warnings(tmp_path: Path) -> None:
    feed = read_rows(tmp_path, row(colour="red", variants=[{"sku": "x", "weight": 3}]), row(id="2", colour="blue"))
    assert feed.warnings == (
        "unknown field 'colour' ignored (2 rows, the first in line 1)",
        "unknown variant field 'weight' ignored (1 rows, the first in line 1)",
    )


def test_a_sale_price_that_saves_nothing_is_a_warning(tmp_path: Path) -> None:
    assert "sale_price" in read_rows(tmp_path, row(sale_price=10.0)).warnings[0]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"id": None}, "id", "required"),
        ({"id": True}, "id", "string"),
        ({"id": "a\u0000b"}, "id", "control character"),
        ({"id": "x" * 201}, "id", "200"),
        ({"title": "  "}, "title", "required"),
        ({"title": "<p></p>"}, "title", "empty"),
        ({"title": ["Pan"]}, "title", "string"),
        ({"price": "10"}, "price", "number"),
        ({"price": True}, "price", "number"),
        ({"price": -1}, "price", "greater than or equal to 0"),
        ({"price": 1.999}, "price", "decimal digits of USD"),
        ({"price": 1e300}, "price", "range"),
        ({"sale_price": -0.01}, "sale_price", "greater than or equal to 0"),
        ({"stock": 2.5}, "stock", "integer"),
        ({"stock": True}, "stock", "integer"),
        ({"stock": -1}, "stock", "greater than or equal to 0"),
        ({"stock": 10**30}, "stock", "1000000000"),
        ({"currency": "Dollar"}, "currency", "ISO 4217"),
        ({"price": None, "currency": "XYZ"}, "currency", "ISO 4217"),
        ({"attributes": ["a"]}, "attributes", "not an object"),
        ({"attributes": {"a": {"b": 1}}}, "attributes", "attribute 'a'"),
        ({"attributes": {"a": [True]}}, "attributes", "attribute 'a'"),
        ({"url": "javascript:alert(1)"}, "url", "javascript"),
        ({"image": "data:image/png;base64,x"}, "image", "data:"),
        ({"variants": {"sku": "x"}}, "variants", "list"),
        ({"variants": [{"size": "S"}]}, "variants.0.sku", "required"),
        ({"variants": [{"sku": "x", "stock": "3"}]}, "variants.0.stock", "integer"),
        ({"variants": [{"sku": "x", "price": 0.001}]}, "variants.0.price", "decimal digits"),
    ],
)
def test_a_wrong_value_is_reported_with_line_field_and_remedy(
    tmp_path: Path, changes: dict[str, Any], field: str, reason: str
) -> None:
    (error,) = rejected(tmp_path, row(id="0"), row(**changes))
    assert (2, field) == (error.line, error.field)
    assert reason in error.reason
    assert error.remedy


def test_every_wrong_row_is_reported_at_once(tmp_path: Path) -> None:
    errors = rejected(tmp_path, row(price=-1, stock="x"), row(id="2"), row(id="3", title=None))
    assert [(error.line, error.field) for error in errors] == [(1, "price"), (1, "stock"), (3, "title")]


def test_ids_and_skus_are_used_once(tmp_path: Path) -> None:
    variants = [{"sku": "a"}, {"sku": "a"}]
    errors = rejected(tmp_path, row(), row(variants=variants), row(id="3", variants=[{"sku": "a"}]))
    assert [(e.line, e.field) for e in errors] == [(2, "id"), (2, "variants.1.sku"), (3, "variants.0.sku")]
    assert "first in line 1" in errors[0].reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "caf\xe9"}', "is not UTF-8 (byte 12)"),
        (b"{'id': 1}", "is not JSON"),
        (b'{"id": "1", "title": "Pan", "price": NaN}', "NaN"),
        (b'{"id": "1", "title": "Pan", "price": Infinity}', "Infinity"),
        (b"[1]", "is not an object"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_line_that_is_no_object_is_reported(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(json.dumps(row(id="0")).encode() + b"\n" + line + b"\n")
    with pytest.raises(FeedError) as caught:
        read(path)
    (error,) = caught.value.rows
    assert error.line == 2
    assert reason in error.reason


def test_an_overflowing_number_is_no_price(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_text('{"id": "1", "title": "Pan", "price": 1e999}')
    with pytest.raises(FeedError, match="finite"):
        read(path)


def test_an_empty_feed_never_empties_the_shop(tmp_path: Path) -> None:
    assert rejected(tmp_path)[0].reason == "has no products"


def test_a_missing_feed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.jsonl"):
        read(tmp_path / "nowhere.jsonl")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>Warm &amp; <b>light</b></p><ul><li>one</li><li>two</li></ul>", "Warm & light one two"),
        ("H<sub>2</sub>O", "H2O"),
        ("x < 5 and y > 3", "x < 5 and y > 3"),
        ("a <script>alert(1)</script> b", "a b"),
        ("&lt;img src=x onerror=alert(1)&gt;pan", "pan"),
        ("a<!-- hidden -->b", "ab"),
        ("tab\tnew\nline\u2028sep\x00nul\x1b[31m", "tab new line sepnul[31m"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("family 👨‍👩‍👧", "family 👨‍👩‍👧"),
        ("e\u0301", "é"),
    ],
)
def test_text_is_cleaned(text: str, expected: str) -> None:
    assert expected == clean_text(text)


@given(st.text())
def test_cleaned_text_can_be_stored_anywhere(text: str) -> None:
    cleaned = clean_text(text)
    assert "\x00" not in cleaned
    assert cleaned == " ".join(cleaned.encode().decode().split())


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["<script>", "<!--", "<a ", "&lt;", "<p"])
def test_hostile_markup_takes_no_time(unit: str) -> None:
    clean_text(unit * (20_000 // len(unit)))


@pytest.mark.public_data
@pytest.mark.parametrize(("name", "count"), [("eshop_products.jsonl", 101), ("dummyjson_products.jsonl", 194)])
def test_catalogs_that_others_wrote_are_read(name: str, count: int) -> None:
    feed = read(public_feed(name))
    assert count == len(feed.products)
    assert feed.warnings == ()


@pytest.mark.public_data
def test_naughty_strings_are_rows_or_errors_never_crashes(tmp_path: Path) -> None:
    public_feed("naughty_strings.json")
    strings = json.loads((PUBLIC_DATA / "naughty_strings.json").read_text(encoding="utf-8"))
    rows = [row(id=f"n-{number}", description=text) for number, text in enumerate(strings)]
    feed = read_rows(tmp_path, *rows)
    assert len(strings) == len(feed.products)
