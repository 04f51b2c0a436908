"""Two errands in one message are both seen to, in one answer; a story is one errand, however long it is."""

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from app.wiring import Services
from graph.deps import Turn
from graph.errands import errands_in
from graph.routing import Route
from tests.integration.test_desk import PRIYA, SATURDAY, Conversation, changes, order

pytestmark = pytest.mark.model


@pytest.fixture
def services(assistant: Any, new_home: Path) -> Services:
    made: Services = assistant(home=new_home).services
    made.deps.clock = lambda: SATURDAY
    return made


@pytest.fixture
def turn(services: Services) -> Turn:
    return Turn(services.deps, services.deps.catalog.active(), "base", threading.Event())


@pytest.mark.parametrize(
    ("message", "errands"),
    [
        (
            "when does A-75359 arrive, and what are the Catkin Liner Gloves? price I mean",
            ["and what are the Catkin Liner Gloves. price I mean", "when does A-75359 arrive"],
        ),
        (
            "What does the Everest Down Jacket cost and how long do I have to return it?",
            ["What does the Everest Down Jacket cost", "how long do I have to return it"],
        ),
        (
            "cancel A-57089 please! how heavy is the Everest Down Jacket?",
            ["how heavy is the Everest Down Jacket", "cancel A-57089 please"],
        ),
    ],
)
def test_two_errands_for_two_desks(message: str, errands: list[str], turn: Turn) -> None:
    assert errands_in(message, turn) == errands


@pytest.mark.parametrize(
    "message",
    [
        "I bought the Everest Down Jacket last month. The zipper broke. Can I return it?",
        "What does the Everest Down Jacket cost? And how heavy is it?",
        "Where is A-57089? It was due on Monday, and nobody answers the phone.",
        "how long may I return things? and what does shipping cost?",
        "Is A-57089 on its way, and can I talk to a person about the Everest Down Jacket?",
        "hello",
    ],
)
def test_what_is_one_errand(message: str, turn: Turn) -> None:
    assert errands_in(message, turn) == [message]


def test_both_are_answered_in_one_answer(services: Services) -> None:
    told = Conversation(services, PRIYA).say("when does A-75359 arrive, and what does the Everest Down Jacket cost?")
    assert "A-75359" in told.answer
    assert "$349.00" in told.answer
    assert {"A-75359", "CO-0101"} <= {citation.id for citation in told.citations}
    assert told.role == Route.ORDER  # of the last one
    (marker,) = re.findall(r"\$349\.00 \[(\d)\]", told.answer)
    assert told.citations[int(marker) - 1].id == "CO-0101"  # one list of citations for the whole answer


def test_a_proposal_stands_last_and_its_yes_is_heard(services: Services) -> None:
    chat = Conversation(services, PRIYA)
    asked = chat.say("please cancel A-57089! and how heavy is the Everest Down Jacket?")
    assert "515 g" in asked.answer
    assert asked.answer.rstrip().endswith("Shall I do that? Answer yes or no.")
    assert not changes(services)
    chat.say("yes")
    assert order(services, "A-57089", PRIYA).status == "cancelled"


def test_a_person_is_handed_over_to_and_nothing_is_said_after_that(services: Services) -> None:
    chat = Conversation(services, PRIYA)
    told = chat.say("put me through to a human about A-57089. and how heavy is the Everest Down Jacket?")
    assert told.handoff
    assert "515 g" not in told.answer


def test_the_session_decides_in_every_errand(services: Services) -> None:
    """An order named beside a product is no way around the sign-in."""
    told = Conversation(services, None).say("when does A-57089 arrive, and what does the Everest Down Jacket cost?")
    assert "$349.00" in told.answer
    assert "on its way" not in told.answer
    assert "A-57089" not in {citation.id for citation in told.citations}


def test_somebody_elses_order_does_not_exist_beside_a_product(services: Services) -> None:
    told = Conversation(services, "C-1001").say("where is A-57089? what does the Everest Down Jacket cost?")
    assert "$349.00" in told.answer
    assert "A-57089" not in {citation.id for citation in told.citations}
