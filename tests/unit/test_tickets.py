"""Tickets: one open one a conversation, written whole or not at all, for agents only."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, text

from app.forgetting import erase
from shopbot.accounts import Session
from shopbot.database import open_database, writing
from shopbot.errors import InputError, NotAllowed, RecordNotFound, ShopbotError, TicketClosed, TicketNotWritten
from shopbot.tables import accounts, conversations, customers, run_events, runs, ticket_messages, tickets
from shopbot.tickets import BY_CUSTOMER, LONGEST_REPLY, SoFar, TicketMessage, Tickets, agent_replies
from shopbot.types import Role
from tests.fakes_data import NOON

TALK = SoFar(
    messages=(
        TicketMessage(author="customer", text="Is it warm?", at=NOON),
        TicketMessage(author="assistant", text="It is.", at=NOON),
        TicketMessage(author="customer", text="A person, please", at=NOON),
    )
)


def somebody(role: Role) -> Session:
    return Session(account_id=role, name=f"The {role}", email=f"{role}@shop.example", role=role)


AGENT = somebody("agent")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database with a customer's conversation, a visitor's, and an agent."""
    engine = open_database(f"sqlite:///{tmp_path}/shopbot.sqlite3")
    account = {
        "id": "agent",
        "email": "a",
        "name": "The agent",
        "role": "agent",
        "password_hash": "",
        "created_at": NOON,
    }
    with writing(engine) as connection:
        connection.execute(insert(customers).values(id="C-1", name="Ada", email="ada@x.example"))
        connection.execute(insert(accounts).values(account))
        connection.execute(insert(conversations).values(id="hers", created_at=NOON, customer_id="C-1"))
        connection.execute(insert(conversations).values(id="a visitor's", created_at=NOON, customer_id=None))
    yield engine
    engine.dispose()


@pytest.fixture
def kept(engine: Engine) -> Tickets:
    """Tickets whose clock goes on by a minute whenever it is read."""
    moments = (NOON + timedelta(minutes=minute) for minute in range(1, 1000))
    return Tickets(engine, lambda: next(moments))


def opened(kept: Tickets, conversation: str = "hers") -> str:
    return kept.open(conversation, "asked", "About: a tent", TALK)[0]


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


# ---------------------------------------------------------------- opening


def test_a_ticket_has_summary_reason_customer_and_the_whole_transcript(kept: Tickets) -> None:
    number, is_new = kept.open("hers", "complaint", "About: a tent", TALK)
    ticket = kept.one(AGENT, number)
    assert is_new
    assert (ticket.state, ticket.reason, ticket.summary, ticket.customer) == (
        "open",
        "complaint",
        "About: a tent",
        "Ada",
    )
    assert ticket.messages == TALK.messages
    assert (ticket.opened_at, ticket.closed_at, ticket.closed_by) == (NOON + timedelta(minutes=1), None, None)


def test_a_visitors_ticket_names_nobody(kept: Tickets) -> None:
    assert kept.one(AGENT, opened(kept, "a visitor's")).customer is None


def test_numbers_can_be_read_out_and_not_be_guessed(kept: Tickets, engine: Engine) -> None:
    numbers = set()
    for _ in range(50):
        numbers.add(opened(kept))
        with writing(engine) as connection:
            kept.call_back("hers", connection)
    assert len(numbers) == 50
    for number in numbers:
        assert set(number.replace("-", "")[1:]).isdisjoint("AEIOUL01")
        assert [len(part) for part in number.split("-")] == [1, 4, 4]


def test_a_second_request_finds_the_first_ones_ticket(kept: Tickets, engine: Engine) -> None:
    first = kept.open("hers", "asked", "one", TALK)
    assert kept.open("hers", "complaint", "two", TALK) == (first[0], False)
    assert kept.one(AGENT, first[0]).summary == "one"
    assert count(engine, ticket_messages) == 3


def test_many_requests_at_once_make_one_ticket(engine: Engine) -> None:
    kept = Tickets(engine, lambda: NOON)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: kept.open("hers", "asked", "s", TALK), range(16)))
    assert len({number for number, _ in found}) == 1
    assert sum(is_new for _, is_new in found) == 1
    assert (count(engine, tickets), count(engine, ticket_messages)) == (1, 3)


def test_the_database_itself_refuses_a_second_open_ticket(kept: Tickets, engine: Engine) -> None:
    """Whatever the code around it forgets; closed ones may be many."""
    opened(kept)
    values = {"conversation_id": "hers", "reason": "asked", "summary": "", "opened_at": NOON}
    with writing(engine) as connection:
        connection.execute(insert(tickets).values(id="T-1", state="closed", **values))
    with pytest.raises(Exception, match="UNIQUE"), writing(engine) as connection:
        connection.execute(insert(tickets).values(id="T-2", state="open", **values))


def test_a_ticket_is_written_with_its_transcript_or_not_at_all(kept: Tickets, engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE ticket_messages"))
    with pytest.raises(TicketNotWritten, match="hers"):
        opened(kept)
    assert count(engine, tickets) == 0


def test_an_unknown_conversation_gets_no_ticket(kept: Tickets) -> None:
    with pytest.raises(RecordNotFound, match="nobody's"):
        opened(kept, "nobody's")


# ---------------------------------------------------------------- the conversation before


def test_all_that_was_said_and_shown_is_in_the_transcript(kept: Tickets, engine: Engine) -> None:
    """Also of an answer that died in its middle, and what an agent said the last time."""

    def asked(run_id: str, question: str, minute: int, **values: Any) -> None:
        at = NOON - timedelta(hours=1) + timedelta(minutes=minute)
        values = {"conversation_id": "hers", "state": "done", "created_at": at, "finished_at": at} | values
        with writing(engine) as connection:
            connection.execute(insert(runs).values(id=run_id, question=question, **values))

    def cites(*ids: str) -> dict[str, Any]:
        return {"answer": f"told {ids}", "role": "product", "citations": [{"kind": "product", "id": i} for i in ids]}

    asked("1", "first", 0, result=cites("P-1", "P-2"))
    asked("2", "second", 1, state="interrupted", finished_at=None)
    events = [
        {"run_id": "2", "seq": n, "kind": "sentence", "payload": {"text": t}, "at": NOON}
        for n, t in ((1, "It"), (2, "died."))
    ]
    with writing(engine) as connection:
        connection.execute(insert(run_events), events)
    asked("3", "third", 2, result=cites("P-3", "P-1"))
    asked("4", "a person", 3, state="running", finished_at=None)
    so_far = kept.so_far("hers")
    assert [(message.author, message.text) for message in so_far.messages] == [
        ("customer", "first"), ("assistant", "told ('P-1', 'P-2')"), ("customer", "second"), ("assistant", "It died."),
        ("customer", "third"), ("assistant", "told ('P-3', 'P-1')"), ("customer", "a person"),
    ]  # fmt: skip
    assert (so_far.role, so_far.cited) == ("product", (("product", "P-3"), ("product", "P-1"), ("product", "P-2")))

    number = kept.open("hers", "asked", "s", so_far)[0]
    kept.reply(AGENT, number, "Hello, this is me.")
    kept.close(AGENT, number)
    again = kept.so_far("hers")
    assert (again.messages[-1].author, again.messages[-1].name) == ("agent", "The agent")
    second = kept.open("hers", "asked", "s", again)[0]
    with engine.connect() as connection:
        by_ticket = {ticket.id: [m.text for m in ticket.messages] for ticket in kept.of("hers", connection)}
        assert by_ticket == {number: ["Hello, this is me."], second: []}  # the copy is nobody's new message
        assert [reply.text for reply in agent_replies("hers", connection)] == ["Hello, this is me."]


# ---------------------------------------------------------------- while it is open


def say(kept: Tickets, engine: Engine, message: str, conversation: str = "hers") -> str | None:
    with writing(engine) as connection:
        return kept.take(conversation, message, connection)


def test_what_the_customer_writes_goes_into_the_open_ticket(kept: Tickets, engine: Engine) -> None:
    assert say(kept, engine, "too early") is None
    number = opened(kept)
    assert say(kept, engine, "and it rains") == number
    assert say(kept, engine, "not mine", "a visitor's") is None
    kept.reply(AGENT, number, "  I see.  ")
    assert [(m.author, m.name, m.text) for m in kept.one(AGENT, number).messages[3:]] == [
        ("customer", None, "and it rains"),
        ("agent", "The agent", "I see."),
    ]


def test_a_ticket_waits_until_an_agent_has_had_the_last_word(kept: Tickets, engine: Engine) -> None:
    number = opened(kept)
    assert [ticket.waits for ticket in kept.inbox(AGENT)] == [True]
    kept.reply(AGENT, number, "Hello")
    assert [ticket.waits for ticket in kept.inbox(AGENT)] == [False]
    say(kept, engine, "hello?")
    assert [ticket.waits for ticket in kept.inbox(AGENT)] == [True]


def test_the_inbox_has_the_oldest_first_and_by_state(kept: Tickets) -> None:
    first, second = opened(kept), opened(kept, "a visitor's")
    assert [ticket.id for ticket in kept.inbox(AGENT)] == [first, second]
    kept.close(AGENT, first)
    assert [ticket.id for ticket in kept.inbox(AGENT)] == [second]
    assert [ticket.id for ticket in kept.inbox(AGENT, "closed")] == [first]
    assert all(ticket.messages == () for ticket in kept.inbox(AGENT))


@pytest.mark.parametrize("said", ["", "   \n", "x" * (LONGEST_REPLY + 1)])
def test_a_reply_says_something(said: str, kept: Tickets) -> None:
    number = opened(kept)
    with pytest.raises(InputError) as caught:
        kept.reply(AGENT, number, said)
    assert caught.value.field == "text"
    assert len(kept.one(AGENT, number).messages) == 3


def test_messages_at_once_all_get_their_place(engine: Engine) -> None:
    kept = Tickets(engine, lambda: NOON)
    number = opened(kept)

    def one(turn: int) -> None:
        say(kept, engine, f"c{turn}") if turn % 2 else kept.reply(AGENT, number, f"a{turn}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(24)))
    said = kept.one(AGENT, number).messages[3:]
    assert {message.text for message in said} == {f"{'c' if turn % 2 else 'a'}{turn}" for turn in range(24)}
    assert len(said) == 24


# ---------------------------------------------------------------- its end


def test_a_closed_ticket_takes_nothing_more_and_a_new_one_may_follow(kept: Tickets, engine: Engine) -> None:
    number = opened(kept)
    kept.close(AGENT, number)
    closed = kept.one(AGENT, number)
    assert (closed.state, closed.closed_by) == ("closed", AGENT.account_id)
    with pytest.raises(TicketClosed, match=number):
        kept.reply(AGENT, number, "one more thing")
    assert say(kept, engine, "hello?") is None
    assert kept.one(AGENT, number).messages == closed.messages
    assert kept.open("hers", "asked", "again", TALK)[1]


def test_closing_twice_keeps_the_first_end(kept: Tickets) -> None:
    number = opened(kept)
    kept.close(AGENT, number)
    before = kept.one(AGENT, number)
    kept.close(AGENT, number)
    assert kept.one(AGENT, number) == before


def test_the_customer_calls_the_assistant_back_once(kept: Tickets, engine: Engine) -> None:
    number = opened(kept)
    with writing(engine) as connection:
        assert not kept.call_back("a visitor's", connection)
        assert kept.call_back("hers", connection)
        assert not kept.call_back("hers", connection)
    assert (kept.one(AGENT, number).state, kept.one(AGENT, number).closed_by) == ("closed", BY_CUSTOMER)


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("who", [None, *map(somebody, ("customer", "associate", "merchandiser"))])
def test_only_agents_see_and_answer_tickets(who: Session | None, kept: Tickets) -> None:
    number = opened(kept)
    before = kept.one(AGENT, number)
    tries: list[Any] = [
        lambda: kept.inbox(who),
        lambda: kept.one(who, number),
        lambda: kept.one(who, "T-none"),
        lambda: kept.reply(who, number, "hello"),
        lambda: kept.close(who, number),
    ]
    for attempt in tries:
        with pytest.raises(NotAllowed):
            attempt()
    assert kept.one(AGENT, number) == before


def test_a_ticket_that_does_not_exist_is_named(kept: Tickets) -> None:
    tries: list[Any] = [
        lambda: kept.one(AGENT, "T-none"),
        lambda: kept.reply(AGENT, "T-none", "hello"),
        lambda: kept.close(AGENT, "T-none"),
    ]
    for attempt in tries:
        with pytest.raises(RecordNotFound, match="T-none"):
            attempt()


def test_tickets_go_with_their_conversations(kept: Tickets, engine: Engine) -> None:
    opened(kept)
    stays = opened(kept, "a visitor's")
    with writing(engine) as connection:
        erase(connection, conversations.c.id == "hers")
    assert [ticket.id for ticket in kept.inbox(AGENT)] == [stays]
    assert count(engine, ticket_messages) == 3


def test_a_database_that_is_gone_is_a_typed_error(kept: Tickets, engine: Engine) -> None:
    with writing(engine) as connection:
        for table in (ticket_messages, run_events, runs):
            connection.execute(text(f"DROP TABLE {table.name}"))
    tries: list[Any] = [lambda: kept.so_far("hers"), lambda: opened(kept)]
    for attempt in tries:
        with pytest.raises(ShopbotError) as caught:
            attempt()
        assert isinstance(caught.value, TicketNotWritten)
