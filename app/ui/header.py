"""What stands above every page: the shop, and that an AI is talking."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.ui import render
from app.wiring import Services


def header(services: Services) -> DeltaGenerator:
    """Draw the header; what is drawn into the returned container stands at its right."""
    shop = services.store.shop
    bar = st.container(key="header", horizontal=True, wrap=False, vertical_alignment="center", gap="small")
    logo = shop.pictures / "logo.svg"
    if logo.exists():
        bar.image(logo, width=48, alt=f"Logo of {shop.config.name}")
    name = bar.container(key="name", gap=None)
    name.title(render.plain(shop.config.name), anchor=False)
    name.caption(f"AI assistant · helps in {render.plain(render.language_names(shop.config))}")
    return bar
