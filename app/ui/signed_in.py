"""Who is looking at the page: the session of its cookie."""

import streamlit as st

from app.signin import COOKIE
from app.wiring import Services
from shopbot.accounts import Session


def session_of(services: Services) -> Session | None:
    return services.accounts.session(st.context.cookies.get(COOKIE))
