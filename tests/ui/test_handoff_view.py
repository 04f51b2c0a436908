"""A person in the customer's conversation, as the chat page shows it."""

from datetime import timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.chat import Exchange
from app.ui.handoff_view import ASK_FOR_PERSON, Note, in_order
from app.wiring import Services
from graph.persons import wants_person
from shopbot.tickets import Ticket, TicketMessage
from tests.ui.shopfront import LATER, NOW
from tests.ui.test_chat_page import HOSTILE, asked, chat_of, labels, texts


def ticket(*replies: str, **values: Any) -> Ticket:
    said = [TicketMessage(author="agent", text=text, at=LATER, name="Lea") for text in replies]
    fields = {
        "id": "T-2345-6789", "conversation_id": "conversation-0", "customer": None, "state": "open", "reason": "asked",
        "summary": "", "opened_at": NOW, "closed_at": None, "closed_by": None, "waits": True,
    }  # fmt: skip
    return Ticket.model_validate(fields | values | {"messages": said})


def with_ticket(page: AppTest, services: Services, *tickets: Ticket) -> AppTest:
    """A conversation in which somebody has taken over."""
    asked(page)
    chat_of(services).handed_over = list(tickets)
    return page.run()


def test_the_page_says_that_a_colleague_is_reading_along(page: AppTest, services: Services) -> None:
    with_ticket(page, services, ticket())
    assert not page.exception
    assert "A colleague is reading along" in texts(page)
    assert "T\\-2345\\-6789" in texts(page)
    assert page.chat_input[0].placeholder == "Write to our team"
    assert "Talk to a person" not in labels(page)


def test_a_reply_is_shown_as_a_persons_with_name_and_time(page: AppTest, services: Services) -> None:
    with_ticket(page, services, ticket("Hello, I am Lea."))
    last = page.chat_message[-1]
    assert last.name == "Lea"
    assert last.text[0].value == "Hello, I am Lea."
    assert last.caption[0].value == r"**Lea** · Kite \& Keel · 11\:40 AM"
    assert "Lea is with you" in texts(page)


def test_what_a_person_writes_is_shown_as_it_stands(page: AppTest, services: Services) -> None:
    with_ticket(page, services, ticket(HOSTILE))
    assert page.chat_message[-1].text[0].value == HOSTILE
    assert not any("evil" in element.value for element in page.markdown)


def test_a_message_that_went_to_a_person_has_no_answer_and_says_so(page: AppTest, services: Services) -> None:
    chat = chat_of(services)
    asked(page)
    chat.handed_over = [ticket()]
    held = Exchange("run-9", "hello?", "with_agent", LATER, [{"kind": "with_agent", "ticket": "T"}], None)
    chat.conversations["conversation-0"].append(held)
    page.run()
    last = page.chat_message[-1]
    assert (last.name, last.text[0].value, last.caption[0].value) == ("user", "hello?", "Sent to our team")


def test_the_customer_calls_the_assistant_back_with_a_button(page: AppTest, services: Services) -> None:
    with_ticket(page, services, ticket("Hello"))
    page.button("call-back").click().run()
    assert not page.exception
    assert "You called the assistant back" in texts(page)
    assert "reading along" not in texts(page)
    assert "Talk to a person" in labels(page)


def test_the_page_says_that_the_colleague_has_closed(page: AppTest, services: Services) -> None:
    with_ticket(page, services, ticket("Bye", state="closed", closed_at=LATER + timedelta(minutes=1), closed_by="a-1"))
    assert "Our colleague has closed the ticket" in texts(page)
    assert page.chat_message[-1].text[0].value == "Bye"  # what was said stays


def test_a_person_can_be_asked_for_with_a_button(page: AppTest, services: Services) -> None:
    page.run()
    page.button("person").click().run()
    assert chat_of(services).asked == [ASK_FOR_PERSON]
    assert wants_person(ASK_FOR_PERSON)


def test_the_button_stops_an_answer_that_is_being_written(page: AppTest, services: Services) -> None:
    chat = chat_of(services)
    asked(page)
    chat.is_slow = True
    chat.start("And in blue?", "conversation-0")  # by another page of the same conversation
    stop = chat.stop

    def stop_and_hurry(run_id: str) -> None:
        stop(run_id)
        chat.is_slow = False

    chat.stop = stop_and_hurry  # type: ignore[method-assign]
    page.button("person").click().run()
    states = [(exchange.question, exchange.state) for exchange in chat.history("conversation-0")]
    assert states[1:] == [("And in blue?", "stopped"), (ASK_FOR_PERSON, "done")]


def test_all_that_was_said_stands_in_the_order_of_its_time() -> None:
    first = Exchange("1", "first", "done", NOW, [], None)
    held = Exchange("2", "held", "with_agent", NOW + timedelta(minutes=5), [], None)
    after = Exchange("3", "after", "done", NOW + timedelta(minutes=30), [], None)
    closed = ticket("at ten", state="closed", closed_at=NOW + timedelta(minutes=20), closed_by="a-1")
    found = in_order([first, held, after], [closed])
    shown = [said.question if isinstance(said, Exchange) else type(said) for said in found]
    assert shown == ["first", "held", TicketMessage, Note, "after"]


@pytest.mark.parametrize(("by", "said"), [("customer", "You called"), ("a-1", "Our colleague")])
def test_the_end_says_who_brought_it_about(by: str, said: str) -> None:
    (*_, note) = in_order([], [ticket(state="closed", closed_at=LATER, closed_by=by)])
    assert isinstance(note, Note)
    assert note.text.startswith(said)
