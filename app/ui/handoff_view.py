"""A person in the customer's conversation: what agents said, that one is reading along, the ways there and back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from app.chat import Exchange
from app.ui import render
from app.ui.signed_in import session_of
from app.wiring import Services
from shopbot.errors import RecordNotFound
from shopbot.tickets import BY_CUSTOMER, Ticket, TicketMessage

WATCH_S = 2.0
PERSON = ":material/support_agent:"
ASK_FOR_PERSON = "I'd like to talk to a person."


@dataclass(frozen=True)
class Note:
    """A line of the page itself between two messages."""

    text: str
    at: datetime


Line = TicketMessage | Note


def tickets_of(services: Services, conversation_id: str | None) -> list[Ticket]:
    """The tickets of the conversation that the page shows; none where there is none, or it is not theirs any more."""
    if conversation_id is None:
        return []
    try:
        return services.chat.tickets(conversation_id, session_of(services))
    except RecordNotFound:
        return []


def is_open(tickets: list[Ticket]) -> bool:
    return bool(tickets) and tickets[-1].state == "open"


def in_order(exchanges: Iterable[Exchange], tickets: Iterable[Ticket]) -> list[Exchange | Line]:
    """All that was said, by its time; what agents said lies between the exchanges."""
    moments: list[tuple[datetime, Exchange | Line]] = [(exchange.created_at, exchange) for exchange in exchanges]
    for ticket in tickets:
        moments += [(message.at, message) for message in ticket.messages]
        if ticket.closed_at is not None:
            moments.append((ticket.closed_at, Note(_ending(ticket), ticket.closed_at)))
    return [what for _, what in sorted(moments, key=lambda moment: moment[0])]


def _ending(ticket: Ticket) -> str:
    who = "You called the assistant back" if ticket.closed_by == BY_CUSTOMER else "Our colleague has closed the ticket"
    return f"{who}; the assistant answers again."


def draw(services: Services, line: Line) -> None:
    if isinstance(line, Note):
        with st.container(key=f"note-{line.at.timestamp()}"):
            st.caption(render.plain(line.text))
        return
    config = services.store.shop.config
    with st.chat_message(line.name or "agent", avatar=PERSON):
        st.caption(f"**{render.plain(line.name or '')}** · {render.plain(config.name)} · {_clock(services, line)}")
        st.text(line.text)


def _clock(services: Services, line: Line) -> str:
    return render.plain(render.time_of(line.at, services.store.shop.config))


@st.fragment(run_every=WATCH_S)
def watch(services: Services, conversation_id: str, shown: list[Ticket]) -> None:
    """Say that a person has taken over, and draw the page anew as soon as that person has said or done something."""
    if tickets_of(services, conversation_id) != shown:
        st.rerun()
    ticket = shown[-1]
    with st.container(key="with-agent", border=True, horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch", gap=None):
            st.markdown(f"{PERSON} **{_who(ticket)}**")
            st.caption(
                f"Ticket {render.plain(ticket.id)} · What you write goes to our team. The answer appears here, "
                "and the assistant stays silent."
            )
        st.button(
            "Back to the assistant", key="call-back", on_click=_call_back,
            args=(services, conversation_id),
        )  # fmt: skip


def _call_back(services: Services, conversation_id: str) -> None:
    services.chat.call_back(conversation_id, session_of(services))


def _who(ticket: Ticket) -> str:
    if not ticket.messages:
        return "A colleague is reading along"
    return f"{render.plain(ticket.messages[-1].name or 'A colleague')} is with you"
