"""Entry script of the pages. Streamlit runs it anew for every click, so it only puts things together."""

from pathlib import Path

import streamlit as st

from app import running
from app.ui import chat_page, inbox_page, product_page
from app.wiring import Services
from shopbot.errors import ConfigError

STYLE = Path(__file__).parent / "style.css"


def main() -> None:
    try:
        services = running.current()
    except ConfigError as error:
        st.error(str(error))
        return
    _set_up(services)
    chat = st.Page(lambda: chat_page.show(services, product), title="Chat", url_path="chat", default=True)
    product = st.Page(lambda: product_page.show(services, chat), title="Product", url_path="product")
    inbox = st.Page(lambda: inbox_page.show(services, chat), title="Inbox", url_path="inbox")
    st.navigation([chat, product, inbox], position="hidden").run()


def _set_up(services: Services) -> None:
    shop = services.store.shop
    logo = shop.pictures / "logo.svg"
    st.set_page_config(page_title=f"{shop.config.name} · Assistant", page_icon=logo if logo.exists() else None)
    st.html(STYLE)


main()
