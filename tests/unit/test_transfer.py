"""Cases made from a catalog's records: drawn by seed, and nothing asked that the record could not answer."""

from typing import Any

import pytest

from evals.cases import Case
from evals.metrics import facts_right, says
from evals.transfer import catalog_cases
from shopbot.references import Reference, value_of
from shopbot.statements import Source, product_source
from shopbot.types import Product, ProductFacts
from tests.fakes_data import fact
from tests.unit.test_verify_catalog import catalog

LOCALE = "en-US"


def product(key: str, title: str | None = None, **attributes: Any) -> Product:
    return Product(
        id=key, title=title or f"Saucepan {key}", description="A pan.", category="Pans", brand="Harbor",
        currency="USD", attributes=attributes,
    )  # fmt: skip


def known(price: int | None = 34900, stock: int | None = 3, sale: int | None = None) -> ProductFacts:
    return ProductFacts(own=fact(price=price, stock=stock, sale=sale))


def cases(*products: Product, count: int = 10, seed: int = 0, **facts: ProductFacts) -> list[Case]:
    """Cases of these products; every one has a price and a stock if `facts` does not say otherwise."""
    told = {item.id: known() for item in products} | facts
    return catalog_cases({item.id: item for item in products}, told, LOCALE, count, seed)


def expected(found: list[Case]) -> dict[str, tuple[tuple[str, ...], ...]]:
    return {case.fields[0]: case.expects for case in found}


def test_a_product_is_asked_for_price_stock_and_one_field_of_its_record() -> None:
    found = cases(product("K1", weight_g=515, lid="glass"))
    assert [(case.slice, case.product) for case in found] == [("facts", "K1")] * 3
    assert [case.fields[0] for case in found][:2] == ["price", "stock"]
    assert found[2].fields[0] in ("weight", "lid")
    assert [case.id for case in found if "Saucepan K1" not in case.question or not case.id.startswith("K1-")] == []
    assert len({case.id for case in found}) == 3


def test_a_seed_draws_the_same_cases_whatever_the_order_of_the_catalog_and_another_seed_others() -> None:
    items = [product(f"K{n}", weight_g=100 + n, lid="glass", handle="steel") for n in range(40)]
    first = cases(*items, count=5, seed=1)
    assert cases(*reversed(items), count=5, seed=1) == first
    assert cases(*items, count=5, seed=2) != first
    assert len({case.product for case in first}) == 5


def test_no_more_products_are_drawn_than_there_are() -> None:
    assert {case.product for case in cases(product("K1"), product("K2"), count=9)} == {"K1", "K2"}


def test_products_that_share_their_title_are_left_out() -> None:
    found = cases(product("K1", "Tea Towel"), product("K2", "Tea Towel"), product("K3", "Apron"))
    assert {case.product for case in found} == {"K3"}


@pytest.mark.parametrize(
    ("facts", "fields"),
    [
        (known(), {"price", "stock", "weight"}),
        (known(stock=0), {"price", "stock", "weight"}),
        (known(stock=None), {"price", "weight"}),
        (known(price=None), {"stock", "weight"}),
        (known(price=None, stock=None), {"weight"}),
    ],
)
def test_a_price_or_stock_that_the_feed_does_not_tell_is_not_asked_for(facts: ProductFacts, fields: set[str]) -> None:
    assert set(expected(cases(product("K1", weight_g=515), K1=facts))) == fields


def test_without_any_facts_only_the_record_is_asked() -> None:
    item = product("K1", weight_g=515)
    assert set(expected(catalog_cases({"K1": item}, {}, LOCALE, 1, 0))) == {"weight"}


@pytest.mark.parametrize(
    ("finish", "is_asked"), [("one two three four five six", True), ("one two three four five six seven", False)]
)
def test_a_value_of_more_than_six_words_is_left_out(finish: str, is_asked: bool) -> None:
    assert ("finish" in expected(cases(product("K1", finish=finish)))) is is_asked


@pytest.mark.parametrize(
    ("facts", "key"),
    [
        (known(34900), "349"),
        (known(34950), "349.50"),
        (known(129900), "1,299"),
        (known(34900, sale=27900), "279"),
        (known(34900, sale=40000), "349"),
    ],
)
def test_the_payable_price_is_expected_without_its_sign_and_even_cents(facts: ProductFacts, key: str) -> None:
    """So that an answer may write $349 or $349.00."""
    (case,) = [case for case in cases(product("K1"), K1=facts) if case.fields == ("price",)]
    assert case.expects == ((key,),)
    assert facts_right(case, f"It costs ${key}.")


@pytest.mark.parametrize(("stock", "key"), [(3, "in stock"), (0, "sold out")])
def test_a_stock_is_expected_as_it_is_said(stock: int, key: str) -> None:
    assert expected(cases(product("K1"), K1=known(stock=stock)))["stock"] == ((key,),)


# ---------------------------------------------------------------- a real catalog


def cairn() -> list[Case]:
    products, facts = catalog()
    return catalog_cases(products, facts, LOCALE, len(products), 0)


def record_of(case: Case) -> Source:
    assert case.product
    products, facts = catalog()
    return product_source(1, products[case.product], facts[case.product], LOCALE)


def test_a_whole_catalog_makes_two_to_three_cases_a_product() -> None:
    products = {case.product for case in cairn()}
    assert len(products) > 150
    assert 2 * len(products) < len(cairn()) <= 3 * len(products)


def test_a_case_is_answered_right_by_the_value_that_stands_for_a_reference() -> None:
    wrong = []
    for case in cairn():
        value = value_of(Reference(1, case.fields[0]), record_of(case), LOCALE)
        wrong += [] if facts_right(case, f"It is {value}.") else [(case.id, value)]
    assert wrong == []


def test_the_keys_of_a_case_stand_in_its_record() -> None:
    """Also an arm that does not refer to values, but copies the record's sentences, has to be able to say them."""
    missed = []
    for case in cairn():
        told = " ".join(statement.text for statement in record_of(case).statements)
        missed += [(case.id, key) for keys in case.expects for key in keys if not says(told, key)]
    assert missed == []
