"""The inbox of agents at /inbox: open tickets, one of them with its conversation, a reply, its end.

It refreshes by itself; what an agent is typing stays.
"""

from datetime import datetime

import streamlit as st
from babel.dates import format_timedelta
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import Page

from app.signin import SIGN_IN
from app.ui import answer_view, render
from app.ui.header import header
from app.ui.signed_in import session_of
from app.wiring import Services
from shopbot.errors import InputError, NotAllowed, RecordNotFound, TicketClosed
from shopbot.tickets import LONGEST_REPLY, Ticket, TicketMessage, TicketState

TICKET = "t"  # the query parameter; the number opens nothing to who is no agent
REFRESH_S = 2.0
NOTE = "inbox-note"
REASONS = {"asked": "asked for a person", "complaint": "complaint"}


def show(services: Services, chat_page: Page) -> None:
    header(services).page_link(chat_page, label="Chat", icon=":material/chat:")
    try:
        services.deps.tickets.inbox(session_of(services))
    except NotAllowed:
        st.info(f"The inbox is for our agents. [Sign in]({SIGN_IN}?next=/inbox) as one.", icon=":material/lock:")
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        _list(services)
    with right:
        _ticket(services)


@st.fragment(run_every=REFRESH_S)
def _list(services: Services) -> None:
    state: TicketState = "closed" if st.session_state.get("inbox-state") == "Closed" else "open"
    tickets = _inbox(services, state)
    st.segmented_control(
        "Tickets", ["Open", "Closed"], key="inbox-state", default="Open", label_visibility="collapsed", required=True
    )
    if not tickets:
        st.caption("Nobody is waiting." if state == "open" else "No ticket has been closed yet.")
    for ticket in tickets if state == "open" else reversed(tickets):
        _row(services, ticket)


def _inbox(services: Services, state: TicketState) -> list[Ticket]:
    try:
        return services.deps.tickets.inbox(session_of(services), state)
    except NotAllowed:  # signed out, or the session is over
        st.rerun()


def _row(services: Services, ticket: Ticket) -> None:
    is_chosen = st.query_params.get(TICKET) == ticket.id
    with st.container(key=f"{'chosen' if is_chosen else 'row'}-{ticket.id}", border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{render.plain(_customer(ticket))}** {_badge(ticket)}", width="stretch")
            if not is_chosen and st.button("Read", key=f"read-{ticket.id}", type="tertiary"):
                st.query_params[TICKET] = ticket.id
                st.rerun()
        st.caption(f"{render.plain(ticket.id)} · {_age(services, ticket.opened_at)} · {REASONS[ticket.reason]}")
        st.text(ticket.summary.partition("\n")[0].removeprefix("Said last: "))


def _badge(ticket: Ticket) -> str:
    if ticket.state == "closed":
        return ":gray-badge[closed]"
    return ":orange-badge[waits for a reply]" if ticket.waits else ":green-badge[answered]"


def _customer(ticket: Ticket) -> str:
    return ticket.customer or "Visitor"


def _age(services: Services, opened_at: datetime) -> str:
    locale = render.babel_locale(services.store.shop.config.locale)
    ago = format_timedelta(opened_at - services.deps.clock(), add_direction=True, locale=locale)
    return render.plain(ago)


@st.fragment(run_every=REFRESH_S)
def _ticket(services: Services) -> None:
    """The chosen ticket as it is now. The form is refreshed with it, so that it goes when the ticket is over."""
    ticket_id = st.query_params.get(TICKET)
    if ticket_id is None:
        st.caption("Choose a ticket to read it and to answer.")
        return
    try:
        ticket = services.deps.tickets.one(session_of(services), ticket_id)
    except RecordNotFound:
        st.info("There is no such ticket.", icon=":material/search_off:")
        return
    except NotAllowed:  # signed out, or the session is over
        st.rerun()
    _conversation(services, ticket)
    if note := st.session_state.pop(NOTE, None):
        st.toast(render.plain(note), icon=":material/info:", duration="long")
    if ticket.state == "open":
        _reply_form(services, ticket_id)


def _conversation(services: Services, ticket: Ticket) -> None:
    st.markdown(f"**{render.plain(_customer(ticket))}** · {render.plain(ticket.id)} {_badge(ticket)}")
    with st.container(key="summary", border=True):
        st.text(ticket.summary)
    with st.container(key="transcript", height=420, border=False, autoscroll=True):
        for message in ticket.messages:
            _message(services, message, _customer(ticket))


def _message(services: Services, message: TicketMessage, customer: str) -> None:
    names = {"customer": customer, "assistant": services.store.shop.config.assistant_name, "agent": message.name}
    speaker = answer_view.speaker(services) if message.author == "assistant" else _bubble(message)
    with speaker:
        at = render.time_of(message.at, services.store.shop.config)
        st.caption(f"**{render.plain(names[message.author] or '')}** · {render.plain(at)}")
        st.text(message.text)


def _bubble(message: TicketMessage) -> DeltaGenerator:
    """Agents see themselves on the right, where customers see themselves."""
    return (
        st.chat_message("user")
        if message.author == "agent"
        else st.chat_message("customer", avatar=":material/person:")
    )


def _reply_form(services: Services, ticket_id: str) -> None:
    with st.form(key="reply", clear_on_submit=True, border=False):
        st.text_area("Your reply", key="reply-text", max_chars=LONGEST_REPLY, height=100)
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            st.form_submit_button(
                "Send", icon=":material/send:", type="primary", on_click=_send, args=(services, ticket_id)
            )
            st.form_submit_button("Close ticket", icon=":material/check:", on_click=_close, args=(services, ticket_id))


def _send(services: Services, ticket_id: str) -> None:
    try:
        services.deps.tickets.reply(session_of(services), ticket_id, st.session_state["reply-text"])
    except (InputError, TicketClosed, NotAllowed) as error:
        st.session_state[NOTE] = f"Not sent: {error}"


def _close(services: Services, ticket_id: str) -> None:
    """End the ticket; a reply that has been typed but not sent goes first."""
    if st.session_state["reply-text"].strip():
        _send(services, ticket_id)
    try:
        services.deps.tickets.close(session_of(services), ticket_id)
    except NotAllowed as error:
        st.session_state[NOTE] = str(error)
