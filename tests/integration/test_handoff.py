"""A person takes over: the ticket is there first, the assistant is silent, and an agent's words reach the customer."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, text

from app.api import create_api
from app.chat import ChatService
from app.signin import COOKIE
from app.wiring import Services
from graph.turn import TurnResult
from shopbot.accounts import Session
from shopbot.database import utc_now, writing
from shopbot.errors import ConversationBusy, RecordNotFound
from shopbot.settings import RETENTION_DAYS
from shopbot.tables import order_changes, run_events, runs, ticket_messages, tickets
from shopbot.tickets import Ticket, Tickets
from shopbot.types import Role

pytestmark = pytest.mark.model

PRICE = "How much is the Everest Down Jacket?"
HUMAN = "Can I talk to a human, please?"
PRIYA = Session(account_id="p", name="Priya", email="p@x.example", role="customer", customer_id="C-1003")
THOMAS = Session(account_id="t", name="Thomas", email="t@x.example", role="customer", customer_id="C-1006")


@pytest.fixture
def services(assistant: Any, new_home: Path) -> Services:
    made: Services = assistant(home=new_home).services
    return made


@pytest.fixture
def agent(services: Services) -> Session:
    return services.accounts.add("lea@shop.example", "a long walk", "agent", "Lea")


class Chat:
    """One conversation; None is a visitor who has not signed in."""

    def __init__(self, services: Services, session: Session | None = None, chat: ChatService | None = None) -> None:
        self.chat = chat or services.chat
        self.session = session
        self.id: str | None = None

    def events(self, message: str) -> list[dict[str, Any]]:
        run_id, self.id = self.chat.start(message, self.id, session=self.session)
        return [event for _, event in self.chat.events(run_id)]

    def say(self, message: str) -> TurnResult:
        return TurnResult.model_validate(self.events(message)[-1]["result"])

    @property
    def states(self) -> list[str]:
        assert self.id is not None
        return [exchange.state for exchange in self.chat.history(self.id, self.session)]

    @property
    def tickets(self) -> list[Ticket]:
        assert self.id is not None
        return self.chat.tickets(self.id, self.session)


def count(services: Services, table: Any) -> int:
    with services.store.database.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def phrase(services: Services, name: str) -> str:
    """The beginning of a phrase, up to what is filled in."""
    return services.deps.shop.phrases[name].partition("{")[0]


# ---------------------------------------------------------------- handing over


def test_who_asks_for_a_human_gets_a_ticket_that_knows_the_conversation(services: Services, agent: Session) -> None:
    chat = Chat(services, PRIYA)
    answer = chat.say(PRICE).answer
    told = chat.say(HUMAN)
    (waiting,) = services.deps.tickets.inbox(agent)
    assert (told.handoff, told.ticket, told.role, told.verdict) == (True, waiting.id, "handoff", "passed")
    assert waiting.id in told.answer
    ticket = services.deps.tickets.one(agent, waiting.id)
    assert (ticket.reason, ticket.customer, ticket.conversation_id) == ("asked", "Priya Raghunathan", chat.id)
    assert [(m.author, m.text) for m in ticket.messages] == [
        ("customer", PRICE),
        ("assistant", answer),
        ("customer", HUMAN),
    ]
    assert ticket.summary.splitlines() == [
        f'Said last: "{PRICE}" / "{HUMAN}"',
        "About: Everest Down Jacket (CO-0101)",
        "Answered before by: product",
    ]


def test_the_ticket_is_there_before_the_customer_is_told(services: Services, agent: Session) -> None:
    """And the message is one: nothing is promised that has not been written."""
    seen: list[tuple[str, int]] = []
    record = services.chat._record

    def look(run_id: str, seq: int, event: dict[str, Any]) -> None:
        seen.append((event["text"], len(services.deps.tickets.inbox(agent))))
        record(run_id, seq, event)

    services.chat._record = look  # type: ignore[method-assign]
    Chat(services).say(HUMAN)
    ((message, waiting),) = seen
    assert message.startswith(phrase(services, "handed_over"))
    assert waiting == 1


@pytest.mark.parametrize(
    "words",
    [
        "human please", "I want to speak to a person", "get me an agent", "is there somebody I can talk to",
        "put me through to your manager", "you are useless, I want a real human", "Human!", "stop the bot",
    ],
)  # fmt: skip
def test_a_human_can_be_asked_for_in_many_words(words: str, services: Services) -> None:
    assert Chat(services).say(words).handoff


def test_asking_at_a_proposal_hands_over_and_changes_nothing(services: Services, agent: Session) -> None:
    """ "Yes, a human please" is no yes to what was proposed."""
    services.deps.clock = lambda: datetime(2026, 11, 21, 18, tzinfo=UTC)  # the order is half an hour old
    for words in ("yes, a human please", "no, let me talk to a person", "human"):
        chat = Chat(services, PRIYA)
        assert phrase(services, "shall_i") in chat.say("cancel order A-57089").answer
        assert chat.say(words).handoff, words
        chat.chat.call_back(chat.id or "", PRIYA)
        chat.say("yes")  # the proposal is gone; at most it is made again
    assert count(services, order_changes) == 0
    ticket = services.deps.tickets.one(agent, services.deps.tickets.inbox(agent, "closed")[0].id)
    assert "About: order A-57089" in ticket.summary
    assert "Answered before by: order" in ticket.summary


def test_a_human_can_be_asked_for_after_an_answer_was_stopped(assistant: Any, new_home: Path) -> None:
    asked = assistant("The Everest Down Jacket costs $349.00 [1]. It weighs 515 g [1].", new_home)
    asked.model.hang_at_token = 8
    chat = Chat(asked.services)
    run_id, chat.id = asked.services.chat.start("What are the price and the weight of the Everest Down Jacket?")
    until(lambda: asked.services.chat.exchange(run_id).events)
    asked.services.chat.stop(run_id)
    list(asked.services.chat.events(run_id))
    asked.model.let_go()
    assert chat.say(HUMAN).handoff
    assert chat.states == ["stopped", "done"]


def until(is_true: Callable[[], object], limit_s: float = 10.0) -> None:
    ends = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)


def test_without_a_conversation_there_is_a_contact_and_no_ticket(assistant: Any) -> None:
    asked = assistant()
    told = asked.ask(HUMAN)
    assert (told.handoff, told.ticket, told.role) == (True, None, "handoff")
    assert asked.services.deps.shop.config.contact.email in told.answer
    assert count(asked.services, tickets) == 0


# ---------------------------------------------------------------- who is upset


def test_a_complaint_that_is_handed_over_begins_with_an_apology(services: Services, agent: Session) -> None:
    told = Chat(services).say("I want to file a complaint about your driver, this is outrageous")
    assert told.handoff
    assert told.answer.startswith(phrase(services, "sorry"))
    assert [ticket.reason for ticket in services.deps.tickets.inbox(agent)] == ["complaint"]


@pytest.mark.parametrize("reply", ["yes, please", "a person, please"])
def test_who_is_upset_is_offered_a_colleague_and_can_say_yes(reply: str, services: Services) -> None:
    chat = Chat(services)
    told = chat.say("This is outrageous, my tent broke twice. What does your warranty say?")
    assert told.answer.startswith(phrase(services, "sorry"))
    assert phrase(services, "offer_colleague") in told.answer
    assert told.citations  # what was asked is answered all the same
    assert not told.handoff
    assert chat.say(reply).handoff


def test_a_yes_to_nothing_hands_nobody_over(services: Services) -> None:
    chat = Chat(services)
    chat.say(PRICE)
    assert not chat.say("yes, please").handoff


# ---------------------------------------------------------------- silence


def test_while_a_person_has_taken_over_messages_go_there_and_nobody_answers(services: Services, agent: Session) -> None:
    chat = Chat(services, PRIYA)
    number = chat.say(HUMAN).ticket
    assert chat.events(PRICE) == [{"kind": "with_agent", "ticket": number}]
    assert chat.events("cancel order A-57089") == [{"kind": "with_agent", "ticket": number}]
    assert chat.states == ["done", "with_agent", "with_agent"]
    assert [m.text for m in services.deps.tickets.one(agent, str(number)).messages[1:]] == [
        PRICE,
        "cancel order A-57089",
    ]
    assert count(services, order_changes) == 0
    assert services.deps.tickets.inbox(agent)[0].waits


def test_silence_is_of_one_conversation(services: Services) -> None:
    Chat(services, PRIYA).say(HUMAN)
    assert Chat(services, PRIYA).say(PRICE).citations


@pytest.mark.parametrize("back", ["assistant please", "Can I have the assistant back?", "back to the bot"])
def test_the_customer_calls_the_assistant_back_by_words(back: str, services: Services, agent: Session) -> None:
    chat = Chat(services)
    chat.say(HUMAN)
    chat.events("hello?")
    told = chat.say(back)
    assert told.answer == services.deps.shop.phrases["called_back"]
    assert [ticket.state for ticket in chat.tickets] == ["closed"]
    assert services.deps.tickets.inbox(agent) == []
    assert chat.say(PRICE).citations


def test_after_an_agent_has_closed_the_assistant_knows_what_was_said(services: Services, agent: Session) -> None:
    """The product that the agent spoke of is the one that "it" is."""
    chat = Chat(services)
    number = str(chat.say(HUMAN).ticket)
    chat.events("I need something warm")
    services.deps.tickets.reply(agent, number, "I would take the Everest Down Jacket.")
    services.deps.tickets.close(agent, number)
    told = chat.say("how much is it?")
    assert told.product_ids == ("CO-0101",)
    assert chat.states == ["done", "with_agent", "done"]


def test_one_who_asks_again_after_the_end_gets_a_new_ticket(services: Services, agent: Session) -> None:
    chat = Chat(services)
    first = str(chat.say(HUMAN).ticket)
    services.deps.tickets.reply(agent, first, "Here I am.")
    services.deps.tickets.close(agent, first)
    second = str(chat.say(HUMAN).ticket)
    assert [ticket.id for ticket in chat.tickets] == [first, second]
    messages = services.deps.tickets.one(agent, second).messages
    assert ("agent", "Lea", "Here I am.") in [(m.author, m.name, m.text) for m in messages]


def test_a_second_request_beside_the_first_is_told_so(services: Services, agent: Session) -> None:
    """As when another server of the same shop was faster between the message and its turn."""
    kept = services.deps.tickets
    so_far = kept.so_far

    class Late(Tickets):
        def so_far(self, conversation_id: str) -> Any:
            found = so_far(conversation_id)
            kept.open(conversation_id, "asked", "the other server's", found)
            return found

    deps = replace(services.deps, tickets=Late(services.store.database, utc_now))
    chat = ChatService(services.store.database, services.graph, deps)
    told = Chat(services, chat=chat).say(HUMAN)
    (ticket,) = kept.inbox(agent)
    assert told.answer.startswith(phrase(services, "already_handed_over"))
    assert (told.ticket, told.handoff, ticket.summary) == (ticket.id, True, "the other server's")
    chat.close()


def test_requests_at_the_same_moment_make_one_ticket(services: Services, agent: Session) -> None:
    """A page and a phone in one conversation: one is refused or held, none is doubled."""
    chat = Chat(services)
    chat.say(PRICE)
    gate = threading.Barrier(6)

    def ask(_: int) -> str:
        gate.wait()
        try:
            run_id, _ = services.chat.start(HUMAN, chat.id)
        except ConversationBusy:
            return "refused"
        return [event["kind"] for _, event in services.chat.events(run_id)][-1]

    with ThreadPoolExecutor(6) as pool:
        ends = list(pool.map(ask, range(6)))
    assert ends.count("done") == 1
    assert set(ends) <= {"done", "refused", "with_agent"}
    assert len(services.deps.tickets.inbox(agent)) == 1


# ---------------------------------------------------------------- when something fails


def test_if_the_ticket_cannot_be_written_the_customer_is_told_how_to_reach_us(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    """The transcript fails behind the ticket: neither is kept, and nothing of the inside is shown."""
    full = "CREATE TRIGGER f BEFORE INSERT ON ticket_messages BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    with writing(services.store.database) as connection:
        connection.execute(text(full))
    chat = Chat(services)
    told = chat.say(HUMAN)
    assert (told.handoff, told.ticket) == (False, None)
    assert told.answer.startswith(phrase(services, "handoff_failed"))
    assert services.deps.shop.config.contact.email in told.answer
    assert count(services, tickets) == 0
    assert "disk is full" in caplog.text
    assert "disk is full" not in told.answer
    assert chat.say(PRICE).citations  # nobody has taken over


def test_a_process_that_dies_behind_the_ticket_leaves_it_open(services: Services, agent: Session) -> None:
    """The run is interrupted, the colleague informed, and the next message goes there."""
    chat = Chat(services)
    number = chat.say(HUMAN).ticket
    with writing(services.store.database) as connection:
        connection.execute(run_events.delete())
        connection.execute(runs.update().values(state="running", result=None, server=None))
    services.chat.recover()
    assert chat.states == ["interrupted"]
    assert [ticket.id for ticket in chat.tickets if ticket.state == "open"] == [number]
    assert chat.events("hello?") == [{"kind": "with_agent", "ticket": number}]


def test_tickets_are_kept_as_long_as_their_conversations(services: Services) -> None:
    then = utc_now() - timedelta(days=RETENTION_DAYS + 1)
    deps = replace(services.deps, clock=lambda: then)
    past = ChatService(services.store.database, services.graph, deps)
    chat = Chat(services, chat=past)
    chat.say(HUMAN)
    chat.events("hello?")
    past.close()
    services.chat.recover()
    assert [count(services, table) for table in (tickets, ticket_messages, runs)] == [0, 0, 0]


# ---------------------------------------------------------------- over HTTP

Client = Callable[..., TestClient]


@pytest.fixture
def client(services: Services) -> Client:
    """Make clients that have signed in by a role, or not at all."""

    def make(role: Role | None = None) -> TestClient:
        made = TestClient(create_api(lambda: services), raise_server_exceptions=False)
        if role is not None:
            email = f"{role}@shop.example"
            services.accounts.add(email, "a long walk", role, f"The {role}", "C-1001" if role == "customer" else None)
            made.cookies.set(COOKIE, services.accounts.sign_in(email, "a long walk"))
        return made

    return make


def started(client: TestClient, message: str, conversation_id: str | None = None) -> dict[str, str]:
    reply = client.post("/turns", json={"text": message, "conversation_id": conversation_id})
    assert reply.status_code == 202, reply.text
    client.get(f"/turns/{reply.json()['run_id']}/events")
    answer: dict[str, str] = reply.json()
    return answer


def test_an_agent_reads_replies_and_closes_over_http(client: Client) -> None:
    visitor, agent = client(), client("agent")
    conversation = started(visitor, HUMAN)["conversation_id"]
    (waiting,) = agent.get("/tickets").json()
    assert waiting.keys() == {
        "id", "conversation_id", "customer", "state", "reason", "summary", "opened_at", "closed_at", "closed_by",
        "waits",
    }  # fmt: skip
    started(visitor, "hello?", conversation)
    exchanges = visitor.get(f"/conversations/{conversation}").json()
    assert [(e["question"], e["state"]) for e in exchanges] == [(HUMAN, "done"), ("hello?", "with_agent")]
    at = f"/tickets/{waiting['id']}"
    assert agent.post(f"{at}/replies", json={"text": "Hello, how can I help?"}).status_code == 201
    assert [m["text"] for m in agent.get(at).json()["messages"]] == [HUMAN, "hello?", "Hello, how can I help?"]
    (seen,) = visitor.get(f"/conversations/{conversation}/tickets").json()
    assert (seen["id"], seen["state"]) == (waiting["id"], "open")
    assert [(r["name"], r["text"]) for r in seen["replies"]] == [("The agent", "Hello, how can I help?")]
    assert agent.post(f"{at}/close").json() == {"state": "closed"}
    assert agent.get("/tickets").json() == []
    assert [ticket["id"] for ticket in agent.get("/tickets", params={"state": "closed"}).json()] == [waiting["id"]]
    late = agent.post(f"{at}/replies", json={"text": "one more"})
    assert (late.status_code, late.json()["error"]["type"]) == (409, "TicketClosed")


def test_the_customers_view_of_a_ticket_has_nothing_of_the_agents_side(client: Client) -> None:
    visitor = client()
    conversation = started(visitor, HUMAN)["conversation_id"]
    (seen,) = visitor.get(f"/conversations/{conversation}/tickets").json()
    assert seen.keys() == {"id", "state", "opened_at", "closed_at", "replies"}


@pytest.mark.parametrize("role", [None, "customer", "associate", "merchandiser"])
def test_the_inbox_is_closed_to_everybody_but_agents(role: Role | None, client: Client, services: Services) -> None:
    number = Chat(services).say(HUMAN).ticket
    other = client(role)
    tries = [
        other.get("/tickets"),
        other.get(f"/tickets/{number}"),
        other.get("/tickets/T-none"),
        other.post(f"/tickets/{number}/replies", json={"text": "I am staff"}),
        other.post(f"/tickets/{number}/close"),
    ]
    for reply in tries:
        assert (reply.status_code, reply.json()["error"]["type"]) == (403, "NotAllowed")
    assert count(services, ticket_messages) == 1


def test_the_customer_calls_the_assistant_back_over_http(client: Client, services: Services) -> None:
    visitor = client()
    conversation = started(visitor, HUMAN)["conversation_id"]
    assert visitor.post(f"/conversations/{conversation}/call_back").json() == {"called_back": True}
    assert visitor.post(f"/conversations/{conversation}/call_back").json() == {"called_back": False}
    run_id = started(visitor, PRICE, conversation)["run_id"]
    assert services.chat.exchange(run_id).state == "done"


def test_a_ticket_belongs_to_its_customer(services: Services) -> None:
    chat = Chat(services, PRIYA)
    chat.say(HUMAN)
    assert chat.id is not None
    for other in (THOMAS, None):
        for attempt in (services.chat.tickets, services.chat.call_back):
            with pytest.raises(RecordNotFound):
                attempt(chat.id, other)
    assert [ticket.state for ticket in chat.tickets] == ["open"]


@pytest.mark.parametrize(("body", "field"), [({"text": " "}, "text"), ({}, "text"), ({"text": "x" * 5000}, "text")])
def test_a_reply_without_words_is_refused_by_its_field(body: dict[str, str], field: str, client: Client) -> None:
    started(client(), HUMAN)
    agent = client("agent")
    number = agent.get("/tickets").json()[0]["id"]
    reply = agent.post(f"/tickets/{number}/replies", json=body)
    assert (reply.status_code, reply.json()["error"]["field"]) == (422, field)


def test_an_unknown_ticket_is_not_found(client: Client) -> None:
    agent = client("agent")
    for reply in (agent.get("/tickets/T-none"), agent.post("/tickets/T-none/close")):
        assert (reply.status_code, reply.json()["error"]["type"]) == (404, "RecordNotFound")
