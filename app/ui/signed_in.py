"""Who is looking at the page: the session of its cookie, and what they may have deleted."""

import streamlit as st

from app.signin import COOKIE
from app.wiring import Services
from shopbot.accounts import Session
from shopbot.errors import RecordNotFound

FORGOTTEN = "forgotten"  # the key of a note for the next drawing of the page


def session_of(services: Services) -> Session | None:
    return services.accounts.session(st.context.cookies.get(COOKIE))


def offer_forgetting(services: Services, conversation_id: str | None) -> None:
    """Offer to delete the chats of a signed-in customer, or a visitor's conversation; asks first, says what stays."""
    session = session_of(services)
    is_customer = session is not None and session.customer_id is not None
    if told := st.session_state.pop(FORGOTTEN, None):
        st.info(told, icon=":material/delete:")
    if not is_customer and conversation_id is None:
        return
    what = "all your chats" if is_customer else "this chat"
    with st.sidebar.expander("Your data", icon=":material/shield_person:"):
        st.caption(f"Delete {what} with everything that was kept of it. Orders stay: we have to keep them as records.")
        is_sure = st.checkbox(f"Yes, delete {what}", key="forget-sure")
        args = (services, session if is_customer else None, conversation_id)
        st.button("Delete", key="forget", disabled=not is_sure, on_click=_forget, args=args)


def _forget(services: Services, customer: Session | None, conversation_id: str | None) -> None:
    try:
        if customer is not None and customer.customer_id is not None:
            erased = services.chat.forget_customer(customer.customer_id)
        else:
            erased = services.chat.forget_conversation(conversation_id or "")
    except RecordNotFound:  # deleted already, in another window
        st.session_state[FORGOTTEN] = "That chat was deleted before."
    else:
        count = len(erased.conversations)
        st.session_state[FORGOTTEN] = f"Deleted: {count} {'chat' if count == 1 else 'chats'}."
    st.query_params.clear()
    st.session_state["forget-sure"] = False
