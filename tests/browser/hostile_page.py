"""A page of texts that would like to be more than text; `test_escaping` looks at what the front end makes of them."""

import streamlit as st

from app.ui import render
from graph.turn import Sentence
from tests.browser.hostile_texts import HOSTS, TEXTS

for number, text in enumerate(TEXTS):
    st.container(key=f"markdown-{number}").markdown(render.plain(text, HOSTS))
    st.container(key=f"section-{number}").markdown(render.section(f"Before {text} after", HOSTS))
    said = [Sentence(text=f"{text} [1].", author="record"), Sentence(text=f"{text} [1].", author="record", block=True)]
    st.container(key=f"answer-{number}").markdown(render.answer(said, 1, HOSTS))
    st.container(key=f"label-{number}").button(render.plain(text), key=f"button-{number}")
    st.container(key=f"caption-{number}").caption(render.plain(text))
    st.container(key=f"table-{number}").table([{"a": render.plain(text)}], hide_index=True, hide_header=True)
