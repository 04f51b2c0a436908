"""One exchange of a conversation: the question, the answer as far as it is written, its sources."""

import time
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import Page

from app.chat import Exchange
from app.ui import record_view, render
from app.ui.records import Records, citations_of
from app.wiring import Services
from graph.turn import Sentence

WATCH_S = 0.9
AGAIN_S = 1.0
STEP_S = 0.1
CARDS = 4
"""Products shown below one answer; an answer that names more than that is a list to read."""

FAILURES = {
    "CatalogEmpty": "Sorry, our catalog is being prepared right now, so I could not look that up.",
    "failed": "Sorry, something went wrong on our side and I could not answer.",
    "interrupted": "Sorry, this answer was cut off when our server restarted.",
}
"""By the type of the error where the customer can make something of it, else by the state of the run."""


def speaker(services: Services) -> DeltaGenerator:
    """The assistant's side of the conversation, under the shop's logo."""
    logo: Path = services.store.shop.pictures / "logo.svg"
    return st.chat_message("assistant", avatar=str(logo) if logo.exists() else None)


def draw(services: Services, records: Records, exchange: Exchange, product_page: Page) -> DeltaGenerator:
    """Draw an exchange; return the answer's place, for `follow` to fill while it is being written."""
    with st.chat_message("user"):
        st.text(exchange.question)
        if exchange.state == "with_agent":  # nobody but a person answers
            st.caption("Sent to our team")
            return st.container()
    with speaker(services):
        place = st.container()
        if exchange.state == "running":
            _stop_button(services, exchange.run_id)
        else:
            with place:
                _finished(services, records, exchange, product_page)
    return place


def _stop_button(services: Services, run_id: str) -> None:
    """Not part of the fragment below it in the page's run: a click in there would wait for the fragment's end."""
    st.button("Stop", icon=":material/stop_circle:", key="stop", on_click=services.chat.stop, args=(run_id,))


@st.fragment(run_every=AGAIN_S)
def follow(services: Services, run_id: str) -> None:
    """Show what is written, as it is written, in watches of WATCH_S until the run has ended.

    Neither one long wait nor a quick poll: a script that waits for the next event does not notice a click, and
    "Stop" has to work while the model says nothing; a page that is redrawn four times a second never gets to
    paint on a busy machine. The run belongs to the server: after a click or a reload this just begins anew.
    """
    exchange = services.chat.exchange(run_id)
    place, ends = st.markdown(_so_far(services, exchange)), time.monotonic() + WATCH_S
    while exchange.state == "running" and time.monotonic() < ends:
        time.sleep(STEP_S)
        _let_clicks_through()
        before, exchange = exchange, services.chat.exchange(run_id)
        if exchange.events != before.events:
            place.markdown(_so_far(services, exchange))
    if exchange.state != "running":
        st.rerun()


def _so_far(services: Services, exchange: Exchange) -> str:
    return _text(services, exchange) or ":gray[Looking it up …]"


def _let_clicks_through() -> None:
    """Any use of the session state is a point where Streamlit ends a script whose page was clicked meanwhile."""
    st.session_state.get("source")


def _text(services: Services, exchange: Exchange) -> str:
    fields = Sentence.model_fields
    sentences = [
        Sentence.model_validate({name: event[name] for name in fields})
        for event in exchange.events
        if event["kind"] == "sentence"
    ]
    hosts = render.own_hosts(services.store.shop.config)
    return render.answer(sentences, len(citations_of(exchange)), hosts)


def _finished(services: Services, records: Records, exchange: Exchange, product_page: Page) -> None:
    if text := _text(services, exchange):
        st.markdown(text)
    if exchange.state == "stopped":
        st.caption("You stopped this answer.")
    elif exchange.state in FAILURES:
        st.markdown(_failure(exchange))
    _sources(records, exchange)
    if exchange.result:
        _cards(services, records, exchange, product_page)
        _thumbs(services, exchange)


def _failure(exchange: Exchange) -> str:
    """Say in plain words why there is no answer; what went wrong inside is for the log."""
    error = next((event["type"] for event in exchange.events if event["kind"] == "error"), "")
    return FAILURES.get(error, FAILURES[exchange.state])


def _sources(records: Records, exchange: Exchange) -> None:
    citations = citations_of(exchange)
    if not citations:
        return
    with st.container(key=f"sources-{exchange.run_id}", horizontal=True, gap="xsmall"):
        for number, citation in enumerate(citations, start=1):
            st.button(
                f"**{number}** {render.plain(records.title(citation))}",
                icon=record_view.ICONS[citation.kind],
                key=f"source-{exchange.run_id}-{number}",
                on_click=record_view.choose_source,
                args=(exchange.run_id, number),
            )


def _cards(services: Services, records: Records, exchange: Exchange, product_page: Page) -> None:
    cited = exchange.result.product_ids if exchange.result else ()
    for product_id in [product_id for product_id in cited if product_id in records.products][:CARDS]:
        with st.container(key=f"card-{exchange.run_id}-{product_id}", border=True, horizontal=True, wrap=False):
            record_view.card(services, records, product_id, product_page)


def _thumbs(services: Services, exchange: Exchange) -> None:
    key = f"thumb-{exchange.run_id}"
    given = {"down": 0, "up": 1}.get(exchange.thumb or "")
    with st.container(key=f"rating-{exchange.run_id}", horizontal=True, vertical_alignment="center", gap="small"):
        st.feedback("thumbs", key=key, default=given, on_change=_rate, args=(services, exchange.run_id, given))
        st.caption("Was this helpful?" if given is None else "Thank you, noted.")


def _rate(services: Services, run_id: str, given: int | None) -> None:
    """Keep the thumb. A second click on the same one takes it off the page but cannot unsay it: put it back."""
    key = f"thumb-{run_id}"
    chosen = st.session_state[key]
    if chosen is None:
        st.session_state[key] = given
    else:
        services.chat.rate(run_id, "up" if chosen else "down")
