"""What stands above every page: the shop, and that an AI is talking."""

from html import escape
from urllib.parse import quote, urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.signin import SIGN_IN, SIGN_OUT
from app.ui import render
from app.ui.signed_in import session_of
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
    _who(bar, services)
    return bar


def _who(bar: DeltaGenerator, services: Services) -> None:
    """Who has signed in, and the way in or out; the conversation goes along."""
    session = session_of(services)
    back = f"/?{urlencode(st.query_params.to_dict())}" if st.query_params else "/"
    href = f"{SIGN_OUT}?next=/" if session else f"{SIGN_IN}?next={quote(back)}"
    label = "Sign out" if session else "Sign in"
    who = f'<span class="who">{escape(session.name)}</span> ' if session else ""
    inbox = '<a class="sign" href="/inbox" target="_self">Inbox</a> · ' if session and session.role == "agent" else ""
    bar.html(
        f'{who}{inbox}<a class="sign" href="{escape(href, quote=True)}" target="_self">{label}</a>', width="content"
    )
