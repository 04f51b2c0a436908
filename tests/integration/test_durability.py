"""Each message once, one turn at a time; deleted stays deleted; what a long talk remembers; guests who guess."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from app.api import create_api
from app.chat import ChatService
from app.checkpoints import open_checkpointer
from app.forgetting import forget
from app.signin import COOKIE
from app.wiring import Services
from graph.build import WAITING, build_graph, run_turn
from graph.memory import remembered, tokens_of
from graph.turn import Message, TurnRequest, TurnResult
from shopbot.database import utc_now
from shopbot.errors import ConversationBusy, InputError, RecordNotFound
from shopbot.tables import conversations, erasures, feedback, order_changes, orders, run_events, runs
from tests.integration.conftest import Run
from tests.integration.test_desk import MAYA, PRIYA, SATURDAY, THOMAS, Conversation, session
from tests.integration.test_runs import ANSWER, PRICE, TWO, finished, texts, until
from tests.soak.crowd import together

pytestmark = pytest.mark.model

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


@pytest.fixture
def asked(assistant: Any, new_home: Path) -> Any:
    return assistant(ANSWER, new_home, first_sentence_timeout_s=60.0, stall_timeout_s=60.0)


@pytest.fixture
def two_servers(asked: Any) -> Iterator[list[ChatService]]:
    """Two services that share nothing but the home, as two processes do."""
    services, made = asked.services, []
    for _ in range(2):
        graph = build_graph(open_checkpointer(services.store.settings))
        made.append(ChatService(services.store.database, graph, services.deps))
    yield made
    for chat in made:
        chat.close()


def count_of(services: Services, table: Any) -> int:
    with services.store.database.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


# ---------------------------------------------------------------- each message once


def test_a_message_that_is_sent_again_is_the_run_that_it_began_before_and_after_its_end(asked: Any) -> None:
    asked.model.hang_at_token = 0
    chat = asked.services.chat
    first = chat.start(PRICE, key=KEY)
    assert chat.start(PRICE, key=KEY) == first
    assert chat.start(PRICE, first[1], key=KEY) == first
    asked.model.let_go()
    list(chat.events(first[0]))
    assert chat.start(PRICE, key=KEY) == first
    assert [exchange.run_id for exchange in chat.history(first[1])] == [first[0]]


def test_a_key_with_another_message_is_an_error_that_begins_nothing(asked: Any) -> None:
    chat = asked.services.chat
    _, conversation_id = finished(chat, "Hi")
    run_id, own = chat.start(PRICE, key=KEY)
    list(chat.events(run_id))
    for text, conversation in ((TWO, None), (TWO, own), (PRICE, conversation_id)):
        with pytest.raises(InputError, match="Idempotency-Key: came with another message"):
            chat.start(text, conversation, key=KEY)
    assert count_of(asked.services, runs) == 2


def test_a_key_of_somebody_else_opens_nothing(asked: Any) -> None:
    chat = asked.services.chat
    run_id, _ = chat.start(PRICE, session=session(MAYA), key=KEY)
    list(chat.events(run_id))
    for other in (None, session(THOMAS)):
        with pytest.raises(InputError, match="came with another message"):
            chat.start(PRICE, session=other, key=KEY)


def test_the_same_message_at_once_at_two_servers_is_one_run(asked: Any, two_servers: list[ChatService]) -> None:
    started = together(12, lambda number: two_servers[number % 2].start("Hi", key=KEY))
    assert len(set(started)) == 1
    assert count_of(asked.services, runs) == count_of(asked.services, conversations) == 1


def test_of_many_messages_at_once_at_two_servers_one_begins(asked: Any, two_servers: list[ChatService]) -> None:
    _, conversation_id = finished(two_servers[0], "Hi")
    asked.model.hang_at_token = 0

    def ask(number: int) -> str:
        try:
            return two_servers[number % 2].start(f"{PRICE} {number}", conversation_id)[0]
        except ConversationBusy:
            return "busy"

    started = together(12, ask)
    assert started.count("busy") == 11
    asked.model.let_go()
    (run_id,) = set(started) - {"busy"}
    assert texts(list(two_servers[0].events(run_id)))[-1] == "done"


def test_the_api_takes_the_key_from_its_header(asked: Any) -> None:
    client = TestClient(create_api(lambda: asked.services))
    send = [
        client.post("/turns", json={"text": text}, headers={"Idempotency-Key": key})
        for text, key in ((PRICE, KEY), (PRICE, KEY), (TWO, KEY), (PRICE, "short"))
    ]
    assert [reply.status_code for reply in send] == [202, 202, 422, 422]
    assert send[0].json() == send[1].json()
    assert [reply.json()["error"]["field"] for reply in send[2:]] == ["Idempotency-Key"] * 2


# ---------------------------------------------------------------- a server that dies


def test_a_server_that_was_taken_for_dead_writes_nothing_more(asked: Any) -> None:
    asked.model.hang_at_token = 0
    chat = asked.services.chat
    run_id, conversation_id = chat.start(PRICE)
    until(lambda: asked.model.running)
    with asked.services.store.database.begin() as connection:
        connection.execute(update(runs).values(state="interrupted"))
    asked.model.let_go()
    until(lambda: not chat._cancels)
    assert list(chat.events(run_id)) == []
    assert [(exchange.state, exchange.result) for exchange in chat.history(conversation_id)] == [("interrupted", None)]


class PowerCut(BaseException):
    """Ends a turn as kill -9 does: nothing of the turn gets to react."""


@pytest.mark.parametrize(("next_words", "is_cancelled"), [("no", False), ("yes", True), ("What is down?", False)])
def test_a_yes_that_died_with_its_server_counts_only_if_it_is_said_again(
    next_words: str, is_cancelled: bool, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, thread = asked.services, "a conversation"
    services.deps.clock = lambda: SATURDAY

    def say(text: str) -> TurnResult:
        graph = build_graph(open_checkpointer(services.store.settings))  # each time as a new process finds it
        request = TurnRequest(messages=(Message(role="user", content=text),), customer_id=PRIYA)
        return run_turn(graph, services.deps, request, lambda _: None, threading.Event(), thread)

    def die(*_: Any, **__: Any) -> None:
        raise PowerCut

    say("cancel A-57089")
    with monkeypatch.context() as patched:
        patched.setattr("graph.consent.apply_change", die)
        with pytest.raises(PowerCut):
            say("yes")
    say(next_words)
    assert (services.deps.orders.find("A-57089", PRIYA).status == "cancelled") is is_cancelled
    assert count_of(services, order_changes) == int(is_cancelled)


# ---------------------------------------------------------------- deleted is deleted


def test_who_deletes_their_data_leaves_no_talk_and_keeps_their_orders(asked: Any) -> None:
    services = asked.services
    services.deps.clock = lambda: SATURDAY
    talk, other = Conversation(services, PRIYA), Conversation(services, MAYA)
    talk.say("cancel A-57089 please")  # a proposal waits in the checkpoints
    run_id, _ = finished(services.chat, PRICE, other.id)
    services.chat.rate(run_id, "up")
    saver = open_checkpointer(services.store.settings)
    thread: Any = {"configurable": {"thread_id": talk.id}}
    assert saver.get(thread) is not None
    before = count_of(services, orders)
    erased = services.chat.forget_customer(PRIYA)
    assert (list(erased.conversations), len(erased.runs)) == ([talk.id], 1)
    assert saver.get(thread) is None
    with pytest.raises(RecordNotFound):
        services.chat.history(talk.id, session(PRIYA))
    assert (count_of(services, orders), services.deps.orders.find("A-57089", PRIYA).status) == (before, "placed")
    assert [count_of(services, table) for table in (conversations, runs, feedback, erasures)] == [1, 1, 1, 1]


@pytest.mark.parametrize("by", ["this server", "another process"])
def test_an_answer_that_is_being_written_does_not_bring_back_what_was_deleted(by: str, asked: Any) -> None:
    services = asked.services
    chat: ChatService = services.chat
    asked.model.hang_at_token = 0
    run_id, _ = chat.start(PRICE, session=session(MAYA))
    until(lambda: asked.model.running)
    if by == "this server":
        chat.forget_customer(MAYA)
        assert chat._cancels[run_id].is_set()
    else:
        saver = open_checkpointer(services.store.settings)
        forget(services.store.database, saver, conversations.c.customer_id == MAYA, "staff", utc_now())
        chat._pulse.beat()
        assert chat._cancels[run_id].is_set()
    asked.model.let_go()
    until(lambda: not chat._cancels)
    assert [count_of(services, table) for table in (conversations, runs, run_events)] == [0, 0, 0]
    assert list(open_checkpointer(services.store.settings).list(None)) == []
    with pytest.raises(RecordNotFound):
        list(chat.events(run_id))


def test_checkpoints_that_a_dying_server_wrote_after_the_deletion_go_at_the_next_start(asked: Any) -> None:
    services = asked.services
    graph = build_graph(open_checkpointer(services.store.settings))
    services.deps.clock = lambda: SATURDAY
    request = TurnRequest(messages=(Message(role="user", content="cancel A-57089"),), customer_id=PRIYA)
    run_turn(graph, services.deps, request, lambda _: None, threading.Event(), "a deleted conversation")
    kept = Conversation(services, PRIYA)
    kept.say("cancel A-57089")
    services.chat.recover()
    left = {
        saved.config["configurable"]["thread_id"] for saved in open_checkpointer(services.store.settings).list(None)
    }
    assert left == {kept.id}


def test_conversations_and_their_checkpoints_go_when_the_set_time_is_over(asked: Any) -> None:
    services = asked.services
    services.deps.clock = lambda: SATURDAY
    talk = Conversation(services, PRIYA)
    talk.say("cancel A-57089 please")
    graph = build_graph(open_checkpointer(services.store.settings))
    for days, is_kept in ((30, True), (31, False)):
        later = replace(services.deps, clock=lambda days=days: SATURDAY + timedelta(days=days))
        chat = ChatService(services.store.database, graph, later, retention_days=30)
        chat.recover()
        chat.close()
        assert bool(count_of(services, conversations)) is is_kept
        assert (graph.get_state({"configurable": {"thread_id": talk.id}}).next == WAITING) is is_kept
    assert count_of(services, erasures) == 0  # nobody asked for it


def client_of(services: Services, customer_id: str | None, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    sessions = {"token": session(customer_id)} if customer_id else {}
    monkeypatch.setattr(services.accounts, "session", sessions.get)
    return TestClient(create_api(lambda: services), cookies={COOKIE: "token"})


def test_over_http_customers_delete_all_of_theirs_and_visitors_what_they_have_the_id_of(
    asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = asked.services
    for _ in range(2):
        list(services.chat.events(services.chat.start("Hi", session=session(MAYA))[0]))
    _, own = services.chat.start("Hi", session=session(THOMAS))
    _, visitors = finished(services.chat, "Hi")
    visitor = client_of(services, None, monkeypatch)
    assert visitor.delete("/me/data").status_code == 401
    assert visitor.delete(f"/conversations/{own}").status_code == 404
    assert visitor.delete(f"/conversations/{visitors}").json() == {"conversations": 1, "turns": 1}
    assert visitor.delete(f"/conversations/{visitors}").status_code == 404
    maya = client_of(services, MAYA, monkeypatch)
    assert maya.delete("/me/data").json() == {"conversations": 2, "turns": 2}
    assert maya.delete("/me/data").json() == {"conversations": 0, "turns": 0}
    assert count_of(services, conversations) == 1
    with services.store.database.connect() as connection:
        notes = connection.execute(select(erasures.c.asked_by, erasures.c.conversations)).all()
    assert sorted(map(tuple, notes)) == [("customer", 0), ("customer", 2), ("visitor", 1)]


def test_staff_delete_on_the_command_line(asked: Any, run: Run, new_home: Path) -> None:
    talk = Conversation(asked.services, MAYA)
    talk.say("Hi")
    home = {"home": new_home}
    assert run("accounts", "forget", "nobody@x.example", "--yes", **home)[0] == 2
    code, out, _ = run("accounts", "forget", "maya.lindqvist@example.com", "--yes", **home)
    assert (code, out.strip()) == (0, "deleted: 1 conversations with 1 turns")
    assert count_of(asked.services, conversations) == 0


# ---------------------------------------------------------------- what a long talk remembers


def long_talk(start: str, answer: str, turns: int) -> list[Message]:
    """A talk that names something once and then goes on about nothing in particular."""
    spoken = [(start, answer)]
    spoken += [("thanks, good to know", "Happy to help. Anything else I can look up?")] * (turns - 1)
    return [
        Message(role=role, content=text)
        for pair in spoken
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]


def test_after_sixty_turns_the_product_is_still_the_one_that_was_talked_about(asked: Any) -> None:
    talk = [message.content for message in long_talk(PRICE, ANSWER, 59)]
    told = asked.ask(*talk, "is it in stock in M?")
    assert told.product_ids == ("CO-0101",)
    assert "Everest Down Jacket" in told.answer
    forgetful = asked.ask(*talk[2:], "is it in stock in M?")
    assert forgetful.product_ids == ()


def test_after_sixty_turns_in_a_chat_the_order_is_still_the_one_that_was_talked_about(asked: Any) -> None:
    services = asked.services
    services.deps.clock = lambda: SATURDAY
    talk = Conversation(services, PRIYA)
    talk.say("where is my order A-75359?")
    for _ in range(58):
        talk.say("thank you")
    told = talk.say("where is it now?")
    assert [citation.id for citation in told.citations] == ["A-75359"]


def test_what_a_turn_looks_back_on_is_within_the_budget_and_keeps_its_newest_messages(asked: Any) -> None:
    from graph.deps import Turn

    deps = replace(asked.services.deps, history_tokens=150)
    turn = Turn(deps, deps.catalog.active(), "base", threading.Event())
    talk = long_talk("Compare the Everest Down Jacket and order A-48213", "x" * 4000, 40)
    question = Message(role="user", content="and it?")
    kept = remembered(TurnRequest(messages=(*talk, question)), turn).messages
    names, history = kept[:2], kept[2:-1]
    assert [message.content for message in names] == ["A-48213", "Everest Down Jacket"]
    assert kept[-1] == question
    assert history == tuple(talk[-len(history) :])
    spent = sum(tokens_of(message) for message in history)
    assert spent <= 150 < spent + tokens_of(talk[-len(history) - 1])


def test_a_short_talk_is_left_as_it_is(asked: Any) -> None:
    from graph.deps import Turn

    deps = asked.services.deps
    turn = Turn(deps, deps.catalog.active(), "base", threading.Event())
    request = TurnRequest(messages=(*long_talk(PRICE, ANSWER, 3), Message(role="user", content="and it?")))
    assert remembered(request, turn) == request


# ---------------------------------------------------------------- guests who guess


def test_a_guest_who_guesses_is_told_to_wait_and_may_go_on_later(asked: Any) -> None:
    services = asked.services
    services.deps.clock = lambda: SATURDAY
    guest, phrases = Conversation(services, None), services.deps.shop.phrases
    for number in range(5):
        told = guest.say(f"where is order A-48213, my email is guess{number}@x.example")
        assert "can't find an order A-48213 with that e-mail" in told.answer
    right = "order A-48213, maya.lindqvist@example.com"
    assert guest.say(right).answer.startswith(phrases["too_many_lookups"][:40])
    assert Conversation(services, None).say(right).answer.startswith(phrases["too_many_lookups"][:40])
    services.deps.clock = lambda: SATURDAY + timedelta(minutes=15)
    assert "was delivered" in guest.say(right).answer
