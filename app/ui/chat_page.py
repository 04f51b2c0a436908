"""The chat: greeting, conversation, input. It shows runs that the server keeps; a reload loses nothing."""

import secrets

import streamlit as st
from streamlit.navigation.page import Page

from app.chat import Exchange
from app.health import health_of
from app.ui import answer_view, handoff_view, record_view, render
from app.ui.header import header
from app.ui.records import Records, records_of
from app.ui.signed_in import offer_forgetting, session_of
from app.wiring import Services
from shopbot.errors import ConversationBusy, InputError, RecordNotFound

CONVERSATION = "c"  # the query parameter; whoever has the address can read on, hence ids that can't be guessed
ARM = "arm"  # the key of the staff's choice of model
LONGEST_MESSAGE = 20_000  # the assistant's own limit is lower and explained in words; this one only protects the server


def show(services: Services, product_page: Page) -> None:
    health = health_of(services)["status"]
    exchanges = _history(services)
    is_busy = bool(exchanges) and exchanges[-1].state == "running"
    header(services).button("New conversation", icon=":material/add:", key="new", on_click=_start_anew)
    _offer_arms(services)
    offer_forgetting(services, st.query_params.get(CONVERSATION))
    st.session_state["message_key"] = f"{_page_key()}-{len(exchanges)}"
    _notes(services, health)
    _greet(services)
    records = records_of(services, exchanges) if health != "down" else Records({}, {}, {})
    conversation_id = st.query_params.get(CONVERSATION)
    tickets = handoff_view.tickets_of(services, conversation_id) if exchanges else []
    for said in handoff_view.in_order(exchanges, tickets):
        if isinstance(said, Exchange):
            place = answer_view.draw(services, records, said, product_page)
        else:
            handoff_view.draw(services, said)
    if exchanges:
        _offer_retry(services, exchanges[-1])
    else:
        _offer_samples(services)
    is_with_agent = handoff_view.is_open(tickets)
    _input(services, is_busy, is_with_agent)
    _fine_print(services, is_with_agent)
    record_view.open_source(services, exchanges, records, product_page)
    if is_busy:  # last, because it takes its time
        with place:
            answer_view.follow(services, exchanges[-1].run_id)
    if is_with_agent and conversation_id:
        handoff_view.watch(services, conversation_id, tickets)


def _page_key() -> str:
    """A random word of this page, from which each message has a key of its own: a click that comes twice asks once."""
    key: str = st.session_state.setdefault("page", secrets.token_urlsafe(16))
    return key


def _history(services: Services) -> list[Exchange]:
    conversation_id = st.query_params.get(CONVERSATION)
    if conversation_id is None:
        return []
    try:
        return services.chat.history(conversation_id, session_of(services))
    except RecordNotFound:
        del st.query_params[CONVERSATION]
        _note("I can't find that conversation any more, so here is a fresh start.")
        return []


def _start_anew() -> None:
    """Leave the conversation; an answer being written in it goes on, to be found under its address."""
    st.query_params.clear()
    st.session_state.pop("source", None)
    st.session_state.pop("page", None)


def _note(text: str) -> None:
    """Keep a note for the run of the script that draws the page next, or for this one."""
    st.session_state["note"] = text


def _notes(services: Services, health: str) -> None:
    email = services.store.shop.config.contact.email
    if note := st.session_state.pop("note", None):
        st.info(render.plain(note), icon=":material/info:")
    if health == "degraded":
        st.warning(
            "Reduced mode: I'm short of words right now, so answers come straight from our records.",
            icon=":material/battery_low:",
        )
    if health == "down":
        st.error(
            f"I can't look anything up right now. Please try again in a while, or write to {email}.",
            icon=":material/cloud_off:",
        )


def _offer_arms(services: Services) -> None:
    """For staff: which model answers next."""
    arms = sorted(services.deps.models, reverse=True)
    if services.store.settings.arm_switch and len(arms) > 1:
        place = arms.index(services.deps.default_arm)
        st.sidebar.radio(
            "Model that answers", arms, index=place, key=ARM, captions=[_told(services, arm) for arm in arms]
        )


def _told(services: Services, arm: str) -> str:
    return render.plain(f"{services.deps.models[arm].name}, fingerprint {services.deps.models[arm].fingerprint}")


def _greet(services: Services) -> None:
    config = services.store.shop.config
    with answer_view.speaker(services):
        st.markdown(render.plain(config.greeting, render.own_hosts(config)))


def _offer_samples(services: Services) -> None:
    with st.container(key="samples", horizontal=True, gap="small"):
        for number, question in enumerate(services.store.shop.config.sample_questions):
            st.button(render.plain(question), key=f"sample-{number}", on_click=_ask, args=(services, question))


def _offer_retry(services: Services, last: Exchange) -> None:
    if last.state in ("failed", "interrupted"):
        st.button("Try again", icon=":material/refresh:", key="retry", on_click=_ask, args=(services, last.question))


def _input(services: Services, is_busy: bool, is_with_agent: bool) -> None:
    name = services.store.shop.config.assistant_name
    placeholder = "Write to our team" if is_with_agent else "Ask about a product, a delivery or a return"
    if is_busy:
        placeholder = f"{name} is answering …"
    st.chat_input(
        placeholder,
        key="message",
        max_chars=LONGEST_MESSAGE,
        disabled=is_busy,
        on_submit=_ask_typed,
        args=(services,),
    )


def _fine_print(services: Services, is_with_agent: bool) -> None:
    with st.bottom.container(key="fine-print", horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Written by an AI, checked against our records. Open a numbered source to see for yourself.")
        if not is_with_agent:
            st.button(
                "Talk to a person", key="person", icon=handoff_view.PERSON, type="tertiary",
                on_click=_ask_for_person, args=(services,),
            )  # fmt: skip


def _ask_for_person(services: Services) -> None:
    """Hand over, whatever is going on: an answer that is being written is stopped first."""
    for exchange in _history(services)[-1:]:
        if exchange.state == "running":
            services.chat.stop(exchange.run_id)
            for _ in services.chat.events(exchange.run_id):  # until it has ended
                pass
    _ask(services, handoff_view.ASK_FOR_PERSON)


def _ask_typed(services: Services) -> None:
    _ask(services, st.session_state["message"])


def _ask(services: Services, question: str) -> None:
    """Start a run; the page then finds it in the conversation's history, as after a reload."""
    st.session_state.pop("source", None)
    try:
        st.query_params[CONVERSATION] = _start(services, question)
    except (ConversationBusy, InputError):  # the latter: another message of the same moment, by its key
        _note("I'm still answering your last question. Wait for it or stop it, then ask again.")


def _start(services: Services, question: str) -> str:
    arm, session, key = st.session_state.get(ARM), session_of(services), st.session_state["message_key"]
    try:
        _, conversation_id = services.chat.start(question, st.query_params.get(CONVERSATION), arm, session, key)
    except RecordNotFound:  # removed meanwhile: the question is worth a new one
        _, conversation_id = services.chat.start(question, arm=arm, session=session, key=key)
    return conversation_id
