"""Runs belong to the server: they go on, end, and can be read again whatever becomes of the page that asked."""

import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.chat import RETENTION_DAYS, ChatService, Event
from app.liveness import SILENCE
from shopbot.chat_models import EngineSlots
from shopbot.database import utc_now
from shopbot.errors import ConversationBusy, RecordNotFound
from shopbot.tables import conversations, feedback, run_events, runs

pytestmark = pytest.mark.model

PRICE = "How much is the Everest Down Jacket?"
ANSWER = "The Everest Down Jacket costs $349.00 [1]."
TWO = "What are the price and the weight of the Everest Down Jacket?"


def until(is_true: Callable[[], object], limit_s: float = 10.0) -> None:
    ends = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.005)


def texts(events: Sequence[tuple[int, Event]]) -> list[str]:
    return [event.get("text", event["kind"]) for _, event in events]


def finished(chat: ChatService, question: str, conversation_id: str | None = None) -> tuple[str, str]:
    run_id, conversation_id = chat.start(question, conversation_id)
    list(chat.events(run_id))
    return run_id, conversation_id


# ---------------------------------------------------------------- reading a run


def test_a_page_that_is_reloaded_in_the_middle_misses_nothing_and_repeats_nothing(assistant: Any) -> None:
    asked = assistant(f"{ANSWER} It weighs 515 g [1].")
    asked.model.hang_at_token = 8
    chat = asked.services.chat
    run_id, _ = chat.start(TWO)
    first_page = chat.events(run_id)
    seen = [next(first_page)]
    first_page.close()
    asked.model.let_go()
    seen += chat.events(run_id, after=seen[-1][0])
    assert [number for number, _ in seen] == list(range(1, len(seen) + 1))
    assert texts(seen) == texts(list(chat.events(run_id)))
    assert texts(seen)[0] == ANSWER
    assert texts(seen)[-1] == "done"


def test_a_run_goes_on_when_nobody_reads_it(assistant: Any) -> None:
    chat = assistant().services.chat
    _, conversation_id = chat.start(PRICE)
    until(lambda: chat.history(conversation_id)[0].state == "done")
    (exchange,) = chat.history(conversation_id)
    assert exchange.result is not None
    assert exchange.result.answer == ANSWER


def test_any_number_of_readers_see_the_same(assistant: Any) -> None:
    asked = assistant(f"{ANSWER} It weighs 515 g [1].")
    asked.model.token_delay_s = 0.01
    run_id, _ = asked.services.chat.start(TWO)
    with ThreadPoolExecutor(5) as readers:
        seen = list(readers.map(lambda _: texts(list(asked.services.chat.events(run_id))), range(5)))
    assert seen == [seen[0]] * 5
    assert seen[0][-1] == "done"


class SlowReader(ChatService):
    """Between its look, which finds nothing, and its wait, the whole rest of the run happens."""

    def __init__(self, asked: Any) -> None:
        super().__init__(asked.services.store.database, asked.services.graph, asked.services.deps)
        self._asked = asked

    def _events_after(self, run_id: str, after: int) -> list[tuple[int, Event]]:
        found = super()._events_after(run_id, after)
        if not found:
            self._asked.model.let_go()
            until(lambda: self._state(run_id) == "done")
        return found


def test_a_reader_misses_nothing_that_happens_between_its_look_and_its_wait(assistant: Any) -> None:
    """It would look again after a minute only: a change that is missed would take that long."""
    asked = assistant(ANSWER, first_sentence_timeout_s=30.0)
    asked.model.hang_at_token = 0
    chat = SlowReader(asked)
    run_id, _ = chat.start(PRICE)
    started = time.monotonic()
    assert texts(list(chat.events(run_id, poll_s=60.0))) == [ANSWER, "done"]
    assert time.monotonic() - started < 20.0
    chat.close()


def test_who_has_read_the_end_may_ask_on_at_once(assistant: Any) -> None:
    """The last event and the end of the run are one: no "still being written" in between."""
    chat = assistant().services.chat
    run_id, conversation_id = chat.start("Hi")
    for _ in range(20):
        for _, event in chat.events(run_id):
            if event["kind"] == "done":
                break
        run_id, _ = chat.start("Hi", conversation_id)
    list(chat.events(run_id))
    assert len(chat.history(conversation_id)) == 21


def test_a_run_or_conversation_that_nobody_started_is_not_found(assistant: Any) -> None:
    chat = assistant().services.chat
    for look in (
        lambda: list(chat.events("nobody")),
        lambda: chat.stop("nobody"),
        lambda: chat.rate("nobody", "up"),
        lambda: chat.history("nobody"),
        lambda: chat.start("Hi", "nobody"),
    ):
        with pytest.raises(RecordNotFound, match="nobody"):
            look()


# ---------------------------------------------------------------- ending a run


def test_a_stop_before_the_first_word_ends_the_run_without_an_answer(assistant: Any) -> None:
    asked = assistant(ANSWER)
    asked.model.hang_at_token = 0
    chat = asked.services.chat
    run_id, conversation_id = chat.start(PRICE)
    until(lambda: asked.model.running)
    chat.stop(run_id)
    assert texts(list(chat.events(run_id))) == ["done"]
    asked.model.let_go()
    (exchange,) = chat.history(conversation_id)
    assert (exchange.state, exchange.result and exchange.result.answer) == ("stopped", "")


def test_closing_the_service_ends_its_runs(assistant: Any) -> None:
    asked = assistant(ANSWER, first_sentence_timeout_s=60.0)
    asked.model.hang_at_token = 0
    chat = asked.services.chat
    run_id, _ = chat.start(PRICE)
    until(lambda: asked.model.running)
    started = time.monotonic()
    chat.close()
    assert time.monotonic() - started < 5.0
    asked.model.let_go()
    assert texts(list(chat.events(run_id)))[-1] == "done"


class BrokenFacts:
    def read(self, ids: object) -> Any:
        raise RuntimeError("secret of the database: /srv/shop/password")


def test_a_crash_ends_the_run_as_failed_with_a_message_for_customers(
    assistant: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What broke is in the log, with its traceback; the customer reads no path and no secret."""
    services = assistant().services
    chat = ChatService(
        services.store.database,
        services.graph,
        replace(services.deps, facts=BrokenFacts()),  # type: ignore[arg-type]
    )
    run_id, conversation_id = chat.start(PRICE)
    ((_, event),) = chat.events(run_id)
    assert event == {
        "kind": "error",
        "type": "RuntimeError",
        "message": "something went wrong on our side; please try again",
    }
    (exchange,) = chat.history(conversation_id)
    assert (exchange.state, exchange.result) == ("failed", None)
    assert "secret of the database" in caplog.text
    chat.close()


def test_after_a_failed_run_the_conversation_goes_on(assistant: Any, caplog: pytest.LogCaptureFixture) -> None:
    services = assistant().services
    broken = ChatService(
        services.store.database,
        services.graph,
        replace(services.deps, facts=BrokenFacts()),  # type: ignore[arg-type]
    )
    _, conversation_id = finished(broken, PRICE)
    broken.close()
    finished(services.chat, PRICE, conversation_id)
    states = [exchange.state for exchange in services.chat.history(conversation_id)]
    assert states == ["failed", "done"]


# ---------------------------------------------------------------- a new process


def test_a_start_ends_the_runs_that_a_dead_process_left_open(assistant: Any, new_home: Path) -> None:
    """A reader of such a run gets what was shown, and an end; the conversation can go on."""
    asked = assistant(f"{ANSWER} It weighs 515 g [1].", new_home, first_sentence_timeout_s=60.0, stall_timeout_s=60.0)
    asked.model.hang_at_token = 8
    dead = asked.services.chat
    run_id, conversation_id = dead.start(TWO)
    assert texts([next(dead.events(run_id))]) == [ANSWER]
    later = replace(asked.services.deps, clock=lambda: utc_now() + SILENCE + timedelta(seconds=1))
    reborn = ChatService(asked.services.store.database, asked.services.graph, asked.services.deps)
    with pytest.raises(ConversationBusy, match="still being written"):
        reborn.start(PRICE, conversation_id)
    reborn = ChatService(asked.services.store.database, asked.services.graph, later)
    reborn.recover()
    assert texts(list(reborn.events(run_id))) == [ANSWER]
    assert [(exchange.state, exchange.result) for exchange in reborn.history(conversation_id)] == [
        ("interrupted", None)
    ]
    asked.model.let_go()
    asked.model.hang_at_token = None
    finished(reborn, PRICE, conversation_id)
    assert [exchange.state for exchange in reborn.history(conversation_id)][-1] == "done"
    reborn.close()


def test_a_start_leaves_finished_runs_alone(assistant: Any, new_home: Path) -> None:
    chat = assistant(home=new_home).services.chat
    run_id, conversation_id = finished(chat, PRICE)
    before = list(chat.events(run_id))
    chat.recover()
    assert list(chat.events(run_id)) == before
    assert chat.history(conversation_id)[0].state == "done"


def test_conversations_are_dropped_when_their_keeping_time_is_over(assistant: Any, new_home: Path) -> None:
    """With all that hangs on them; younger ones stay. The sample shop's privacy policy says 90 days."""
    services = assistant(home=new_home).services
    now = utc_now()

    def at(moment: datetime) -> ChatService:
        return ChatService(services.store.database, services.graph, replace(services.deps, clock=lambda: moment))

    past = {days: at(now - timedelta(days=days)) for days in (RETENTION_DAYS + 1, RETENTION_DAYS - 1)}
    kept = {}
    for days, chat in past.items():
        run_id, kept[days] = finished(chat, PRICE)
        chat.rate(run_id, "up")
        chat.close()
    services.chat.recover()
    with pytest.raises(RecordNotFound):
        services.chat.history(kept[91])
    assert len(services.chat.history(kept[89])) == 1
    with services.store.database.connect() as connection:
        left = [connection.scalar(select(func.count()).select_from(table)) for table in (conversations, runs, feedback)]
        events = connection.scalar(select(func.count(run_events.c.run_id.distinct())))
    assert (left, events) == ([1, 1, 1], 1)


def test_the_keeping_time_is_what_the_privacy_policy_says(assistant: Any) -> None:
    sections = assistant().services.store.catalog.active().policies.values()
    said = [section.text for section in sections if section.policy == "privacy" and "chat" in section.text.lower()]
    assert any(re.search(rf"\b{RETENTION_DAYS} days\b", text) for text in said)


# ---------------------------------------------------------------- many at once

ASKED = {
    "Everest Down Jacket": "$349.00",
    "Everest Down Vest": "$219.00",
    "Long Mere 8 Family Tent": None,
    "Nimbus Rain Jacket": "$89.95",
    "Hoarfrost Hooded Down Jacket": "$179.00",
    "Lapwing Quilted Jacket": "$97.95",
    "Cornice Expedition Parka": None,
    "Obsidian Mesh Long-Sleeve": None,
}


def answers(asked: Any, questions: Sequence[str]) -> list[Any]:
    """Start all questions at the same moment, each a conversation of its own; return their results."""
    gate = threading.Barrier(len(questions))

    def one(question: str) -> Any:
        gate.wait()
        run_id, conversation_id = asked.services.chat.start(question)
        list(asked.services.chat.events(run_id))
        (exchange,) = asked.services.chat.history(conversation_id)
        assert exchange.state == "done"
        return exchange.result

    with ThreadPoolExecutor(len(questions)) as customers:
        return list(customers.map(one, questions))


@pytest.mark.parametrize("queue_size", [8, 1])
def test_eight_conversations_share_one_engine_and_all_are_answered(queue_size: int, assistant: Any) -> None:
    """One generation at a time; who finds the queue full is answered from the records, and told so."""
    asked = assistant(slots=EngineSlots(capacity=1, queue_size=queue_size))
    asked.model.first_token_delay_s = 0.1
    results = answers(asked, [f"How much is the {title}?" for title in ASKED])
    for title, result in zip(ASKED, results, strict=True):
        assert f"The {title} " in result.answer
        assert ASKED[title] is None or ASKED[title] in result.answer
        assert [other for other in ASKED if other != title and other in result.answer] == []
    assert asked.model.most_running == 1
    reduced = [result for result in results if result.reduced]
    assert bool(reduced) == (queue_size == 1)
    assert ["reduced mode" in result.answer for result in results] == [bool(result.reduced) for result in results]


def test_many_conversations_go_on_at_once(assistant: Any) -> None:
    """Each asks on the moment it is answered; nobody's write is lost or refused because of another's."""
    chat = assistant().services.chat

    def one(_: int) -> list[str]:
        conversation_id = None
        for _ in range(8):
            _, conversation_id = finished(chat, "Hi", conversation_id)
        assert conversation_id is not None
        return [exchange.state for exchange in chat.history(conversation_id)]

    with ThreadPoolExecutor(8) as customers:
        assert list(customers.map(one, range(8))) == [["done"] * 8] * 8
