"""A draft that is given up frees the engine at once: the next draft of the turn would wait for its end otherwise."""

import re
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

from graph.drafts import _recite
from graph.pen import Pen
from graph.state import Account, State


def test_a_recital_that_is_given_up_closes_the_generation() -> None:
    is_running = False

    def generation() -> Generator[str]:
        nonlocal is_running
        is_running = True
        try:
            yield "[returns.window] You have 90 days. "
            yield "And so it goes on. "
            yield "And on."
        finally:
            is_running = False

    pieces = generation()
    state: State = {"account": Account(), "points": []}
    turn: Any = SimpleNamespace(courtesies=frozenset())
    pen = Pen(state["account"], lambda _: None)
    assert _recite(pieces, re.compile(r"^\[nothing\]"), {}, state, turn, pen) is None
    assert is_running is False
