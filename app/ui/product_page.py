"""A product's page at /product?id=...: the record, with price and stock as they are now."""

import streamlit as st
from streamlit.navigation.page import Page

from app.ui import record_view, render
from app.ui.header import header
from app.wiring import Services
from shopbot.errors import ShopbotError
from shopbot.types import Product


def show(services: Services, chat_page: Page) -> None:
    st.session_state.pop("source", None)
    back = {"c": st.query_params["c"]} if "c" in st.query_params else None
    header(services).page_link(chat_page, label="Back to the chat", icon=":material/arrow_back:", query_params=back)
    try:
        product = services.store.catalog.active().products.get(st.query_params.get("id", ""))
    except ShopbotError:
        st.error("I can't look anything up right now. Please try again in a while.", icon=":material/cloud_off:")
        return
    if product is None:
        st.info("That product is not in our catalog.", icon=":material/search_off:")
    else:
        _draw(services, product)


def _draw(services: Services, product: Product) -> None:
    config = services.store.shop.config
    facts = services.store.facts.read([product.id]).get(product.id)
    with st.container(key="product", horizontal=True, gap="large", vertical_alignment="center"):
        record_view.picture(services, product, width=300)
        with st.container(gap="small", width="stretch"):
            st.title(render.plain(product.title), anchor=False)
            st.caption(" · ".join(render.plain(part) for part in (product.brand, product.category) if part))
            record_view.price_and_stock(product, facts, config)
    st.text(product.description)
    if product.variants:
        st.subheader("Sizes and stock", anchor=False)
        record_view.variants(product, facts, config)
    if product.attributes:
        st.subheader("Details", anchor=False)
        record_view.attributes(product)
