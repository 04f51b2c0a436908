"""The product's page, run by itself: AppTest can not follow a link to another page of the application."""

import pytest
from streamlit.testing.v1 import AppTest

from app.wiring import Services
from tests.ui.shopfront import GUST, FakeFacts, facts_of


def _script() -> None:
    import streamlit as st

    from app import running
    from app.ui import product_page

    chat = st.Page(lambda: None, title="Chat", url_path="chat")
    product = st.Page(lambda: product_page.show(running.current(), chat), title="Product", default=True)
    st.navigation([product, chat], position="hidden").run()


@pytest.fixture
def page(services: Services) -> AppTest:
    return AppTest.from_function(_script, default_timeout=30)


def opened(page: AppTest, product_id: str) -> AppTest:
    page.query_params["id"] = product_id
    page.run()
    assert not page.exception
    return page


def test_a_product_is_shown_with_live_price_and_stock(page: AppTest) -> None:
    opened(page, "K-1")
    assert [title.value for title in page.title] == [r"Kite \& Keel", "Gust Kite"]
    assert page.markdown[0].value == r"**€49\.00**  :green-badge[In stock]"
    assert "as of Jan 15" in page.caption[-1].value
    assert page.text[0].value == GUST.description


def test_variants_and_attributes_are_listed(page: AppTest) -> None:
    variants, details = (table.value for table in opened(page, "K-1").table)
    assert list(variants["Size"]) == ["S", "M", "L"]
    assert list(variants["Stock"]) == ["3 in stock"] * 3
    assert details.to_numpy().tolist()[0] == ["**Weight**", "240 g"]


def test_a_product_without_facts_claims_nothing(page: AppTest, services: Services) -> None:
    services.store.facts = FakeFacts()  # type: ignore[assignment]
    opened(page, "K-1")
    assert page.markdown[0].value == ":gray[Price to be confirmed]  :gray-badge[Stock to be confirmed]"
    assert set(page.table[0].value["Stock"]) == {"To be confirmed"}


def test_a_sale_is_shown(page: AppTest, services: Services) -> None:
    services.store.facts = FakeFacts(facts_of(GUST, price=4900, sale=3900))  # type: ignore[assignment]
    assert "~~€49\\.00~~" in opened(page, "K-1").markdown[0].value


@pytest.mark.parametrize("product_id", ["", "nothing", "../K-1"])
def test_an_unknown_product_is_said_to_be_unknown(page: AppTest, product_id: str) -> None:
    assert "not in our catalog" in opened(page, product_id).info[0].value


def test_without_a_catalog_no_product_is_denied(page: AppTest, services: Services) -> None:
    services.store.catalog.products.clear()  # type: ignore[attr-defined]
    opened(page, "K-1")
    assert "can't look anything up" in page.error[0].value
    assert not page.info
