"""Records on the page: product cards, and the source behind a citation in a dialog of its own."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.navigation.page import Page

from app.chat import Exchange
from app.pictures import picture_of
from app.ui import render
from app.ui.records import Records, citations_of
from app.ui.signed_in import session_of
from app.wiring import Services
from graph.turn import Citation
from shopbot.errors import OrderNotFound
from shopbot.order_statements import order_source
from shopbot.shop import ShopConfig
from shopbot.types import Product, ProductFacts

ICONS = {
    "product": ":material/backpack:",
    "fact": ":material/sell:",
    "policy": ":material/description:",
    "order": ":material/local_shipping:",
    "promotion": ":material/percent:",
}


def choose_source(run_id: str, number: int) -> None:
    st.session_state["source"] = (run_id, number)


def _close_source() -> None:
    st.session_state.pop("source", None)


def open_source(services: Services, exchanges: Sequence[Exchange], records: Records, product_page: Page) -> None:
    """Open the dialog on the chosen source; it stays open over reruns until the customer closes it."""
    run_id, number = st.session_state.get("source", ("", 0))
    for exchange in exchanges:
        if exchange.run_id == run_id and number <= len(citations := citations_of(exchange)):
            citation = citations[number - 1]
            title = f"{number} · {render.plain(records.title(citation))}"
            st.dialog(title, width="medium", on_dismiss=_close_source)(_source)(
                services, citation, records, product_page
            )


def _source(services: Services, citation: Citation, records: Records, product_page: Page) -> None:
    if citation.kind == "policy" and citation.id in records.policies:
        _policy(services, records, citation.id)
    elif citation.kind == "order":
        _order(services, citation.id)
    elif citation.kind == "promotion":
        _promotion(services, citation.id)
    elif citation.id in records.products:
        _product(services, citation, records, product_page)
    else:
        st.markdown("This record has changed since the answer was written and can't be shown any more.")


def _order(services: Services, order_id: str) -> None:
    """The order as it is now, for the customer whose it is."""
    session = session_of(services)
    try:
        order = services.deps.orders.find(order_id, (session.customer_id if session else None) or "")
    except OrderNotFound:
        st.markdown("Sign in to see this order.")
        return
    config = services.store.shop.config
    source = order_source(1, order, config.locale, ZoneInfo(config.timezone))
    st.markdown("\n".join(f"- {render.plain(statement.text)}" for statement in source.statements))


def _promotion(services: Services, promotion_id: str) -> None:
    found = [item for item in services.store.shop.promotions if item.id == promotion_id and item.approved]
    for promotion in found:
        st.text(promotion.text)
        st.caption(render.plain(promotion.conditions or ""))


def _policy(services: Services, records: Records, section_id: str) -> None:
    shop, section = services.store.shop, records.policies[section_id]
    document = next((document.title for document in shop.documents if document.id == section.policy), section.policy)
    st.caption(f"From our page on {render.plain(document)}")
    st.markdown(render.section(section.text, render.own_hosts(shop.config)))


def _product(services: Services, citation: Citation, records: Records, product_page: Page) -> None:
    product, facts = records.products[citation.id], records.facts.get(citation.id)
    config = services.store.shop.config
    if citation.kind == "fact":
        price_and_stock(product, facts, config)
        if citation.as_of and facts and citation.as_of not in (facts.price_as_of, facts.stock_as_of):
            then = render.plain(render.as_of(citation.as_of, config))
            st.caption(f"These have changed: the answer was written with what was known {then}.")
        variants(product, facts, config)
    else:
        st.text(product.description)
        attributes(product)
    st.page_link(
        product_page,
        label="Open the product page",
        icon=":material/arrow_forward:",
        query_params=_to(product.id),
    )


def _to(product_id: str) -> dict[str, str]:
    """Query parameters of a product's page; the conversation goes along, for the way back."""
    return {"id": product_id, **({"c": st.query_params["c"]} if "c" in st.query_params else {})}


def card(services: Services, records: Records, product_id: str, product_page: Page) -> None:
    product, facts = records.products[product_id], records.facts.get(product_id)
    config = services.store.shop.config
    picture(services, product, width=132)
    with st.container(gap="xsmall", width="stretch"):
        st.page_link(
            product_page,
            label=f"**{render.plain(product.title)}**",
            icon=":material/chevron_right:",
            icon_position="right",
            query_params=_to(product_id),
        )
        price_and_stock(product, facts, config)


def picture(services: Services, product: Product, width: int) -> None:
    drawing = picture_of(product, services.store.shop.pictures)
    if drawing:
        st.image(drawing, width=width, alt=f"Drawing of the {product.title}")


def price_and_stock(product: Product, facts: ProductFacts | None, config: ShopConfig) -> None:
    stock = render.stock_of(product, facts)
    st.markdown(f"{render.price_line(render.price_of(facts, config.locale))}  {stock.badge}")
    details = [stock.detail, render.as_of_line(facts, config) if facts else ""]
    st.caption(" · ".join(render.plain(detail) for detail in details if detail))


def attributes(product: Product) -> None:
    rows = [
        {"": f"**{render.plain(label)}**", " ": render.plain(value)} for label, value in render.attribute_rows(product)
    ]
    if rows:
        st.table(rows, border="horizontal", hide_index=True, hide_header=True)


def variants(product: Product, facts: ProductFacts | None, config: ShopConfig) -> None:
    rows = render.variant_rows(product, facts, config.locale)
    if rows:
        st.table(
            [{name: render.plain(value) for name, value in row.items()} for row in rows],
            border="horizontal",
            hide_index=True,
        )
