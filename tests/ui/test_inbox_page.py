"""The agents' inbox, on real tickets in a database of its own."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Engine, insert
from streamlit.testing.v1 import AppTest

from app.ui import inbox_page
from app.wiring import Services
from shopbot.accounts import Session
from shopbot.database import open_database, writing
from shopbot.tables import accounts, conversations
from shopbot.tickets import SoFar, TicketMessage, Tickets
from shopbot.types import Role
from tests.ui.shopfront import NOW, SIGNED_IN
from tests.ui.test_chat_page import HOSTILE, labels, texts

AGENT = Session(account_id="a-1", name="Lea", email="lea@x.example", role="agent")
SUMMARY = 'Said last: "A person, please"\nAbout: Gust Kite (K-1)'


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/shop.sqlite3")
    account = {"id": "a-1", "email": "lea", "name": "Lea", "role": "agent", "password_hash": "", "created_at": NOW}
    with writing(engine) as connection:
        connection.execute(insert(accounts).values(account))
    yield engine
    engine.dispose()


@pytest.fixture
def kept(engine: Engine, services: Services) -> Tickets:
    """The tickets of the running services; an agent looks at the page eight minutes later."""
    services.deps.tickets = Tickets(engine, lambda: NOW)
    services.deps.clock = lambda: NOW + timedelta(minutes=8)
    look_as(services, AGENT)
    return services.deps.tickets


def look_as(services: Services, session: Session | None) -> None:
    services.accounts = cast(Any, SimpleNamespace(session=lambda token: session))


def opened(kept: Tickets, engine: Engine, conversation: str = "c", said: str = "A person, please") -> str:
    with writing(engine) as connection:
        connection.execute(insert(conversations).values(id=conversation, created_at=NOW))
    messages = (
        TicketMessage(author="customer", text="Is it steady?", at=NOW),
        TicketMessage(author="assistant", text="It is.", at=NOW),
        TicketMessage(author="customer", text=said, at=NOW),
    )
    return kept.open(conversation, "complaint", SUMMARY, SoFar(messages=messages))[0]


def _script() -> None:
    import streamlit as st

    from app import running
    from app.ui import inbox_page

    chat = st.Page(lambda: None, title="Chat", url_path="chat")
    inbox = st.Page(lambda: inbox_page.show(running.current(), chat), title="Inbox", default=True)
    st.navigation([inbox, chat], position="hidden").run()


@pytest.fixture
def inbox(services: Services) -> AppTest:
    return AppTest.from_function(_script, default_timeout=30)


def read(inbox: AppTest, number: str) -> AppTest:
    inbox.query_params[inbox_page.TICKET] = number
    return inbox.run()


def test_an_empty_inbox_says_so(inbox: AppTest, kept: Tickets) -> None:
    inbox.run()
    assert not inbox.exception
    assert "Nobody is waiting" in texts(inbox)


def test_open_tickets_are_listed_with_age_reason_and_what_was_said_last(
    inbox: AppTest, kept: Tickets, engine: Engine
) -> None:
    number = opened(kept, engine)
    inbox.run()
    shown = texts(inbox)
    assert "**Visitor** :orange-badge[waits for a reply]" in shown
    assert rf"{number.replace('-', chr(92) + '-')} · 8 minutes ago · complaint" in shown
    assert '"A person, please"' in shown


def test_a_ticket_opens_with_summary_and_transcript(inbox: AppTest, kept: Tickets, engine: Engine) -> None:
    number = opened(kept, engine)
    inbox.run()
    inbox.button(f"read-{number}").click().run()
    assert not inbox.exception
    assert SUMMARY in texts(inbox)
    said = [(message.name, message.text[0].value) for message in inbox.chat_message]
    assert said == [("customer", "Is it steady?"), ("assistant", "It is."), ("customer", "A person, please")]


def test_an_agent_replies_and_is_seen_to_have_replied(inbox: AppTest, kept: Tickets, engine: Engine) -> None:
    number = opened(kept, engine)
    read(inbox, number)
    inbox.text_area[0].set_value("Hello, I am Lea.")
    button(inbox, "Send").click().run()
    assert not inbox.exception
    last = kept.one(AGENT, number).messages[-1]
    assert (last.author, last.name, last.text) == ("agent", "Lea", "Hello, I am Lea.")
    assert inbox.chat_message[-1].text[0].value == "Hello, I am Lea."
    assert ":green-badge[answered]" in texts(inbox)


def button(inbox: AppTest, label: str) -> Any:
    return next(found for found in inbox.button if found.label == label)


def test_closing_ends_the_ticket_and_takes_the_form_away(inbox: AppTest, kept: Tickets, engine: Engine) -> None:
    number = opened(kept, engine)
    read(inbox, number)
    button(inbox, "Close ticket").click().run()
    assert kept.one(AGENT, number).state == "closed"
    assert list(inbox.text_area) == []
    assert "Nobody is waiting" in texts(inbox)


def test_what_has_been_typed_goes_out_before_the_end(inbox: AppTest, kept: Tickets, engine: Engine) -> None:
    number = opened(kept, engine)
    read(inbox, number)
    inbox.text_area[0].set_value("Goodbye")
    button(inbox, "Close ticket").click().run()
    ticket = kept.one(AGENT, number)
    assert (ticket.messages[-1].text, ticket.state) == ("Goodbye", "closed")


def test_a_reply_that_comes_too_late_or_empty_is_said_not_to_be_sent(
    inbox: AppTest, kept: Tickets, engine: Engine
) -> None:
    number = opened(kept, engine)
    read(inbox, number)
    button(inbox, "Send").click().run()
    assert "Not sent" in inbox.toast[0].value
    inbox.text_area[0].set_value("Too late")
    with writing(engine) as connection:
        kept.call_back("c", connection)
    button(inbox, "Send").click().run()
    assert "Not sent" in inbox.toast[0].value
    assert "closed" in inbox.toast[0].value
    assert [message.author for message in kept.one(AGENT, number).messages].count("agent") == 0


def test_closed_tickets_can_be_looked_up(inbox: AppTest, kept: Tickets, engine: Engine) -> None:
    number = opened(kept, engine)
    kept.close(AGENT, number)
    inbox.session_state["inbox-state"] = "Closed"
    inbox.run()
    assert ":gray-badge[closed]" in texts(inbox)


def test_texts_of_customers_are_shown_as_they_stand(inbox: AppTest, kept: Tickets, engine: Engine) -> None:
    read(inbox, opened(kept, engine, said=HOSTILE))
    assert inbox.chat_message[-1].text[0].value == HOSTILE
    assert not any("evil" in element.value for element in [*inbox.markdown, *inbox.caption])


def test_an_unknown_ticket_is_said_to_be_none(inbox: AppTest, kept: Tickets) -> None:
    read(inbox, "T-none")
    assert not inbox.exception
    assert "no such ticket" in texts(inbox)


def staff(role: Role) -> Session:
    return Session(account_id="s", name="Sam", email="s@x.example", role=role)


@pytest.mark.parametrize("who", [None, SIGNED_IN, staff("associate"), staff("merchandiser")])
def test_nobody_but_an_agent_sees_anything_of_it(
    who: Session | None, inbox: AppTest, kept: Tickets, engine: Engine, services: Services
) -> None:
    number = opened(kept, engine)
    look_as(services, who)
    read(inbox, number)
    assert not inbox.exception
    assert "The inbox is for our agents" in inbox.info[0].value
    assert number[2:] not in texts(inbox).replace("\\", "")
    assert "A person, please" not in texts(inbox)
    assert [label for label in labels(inbox) if label in ("Read", "Send", "Close ticket")] == []


def test_agents_find_the_way_to_the_inbox_and_others_do_not(page: AppTest, kept: Tickets, services: Services) -> None:
    for who, is_shown in ((AGENT, True), (SIGNED_IN, False), (None, False)):
        look_as(services, who)
        page.run()
        bodies = [element.proto.body for element in page.get("html")]
        assert any('href="/inbox"' in body for body in bodies) is is_shown
