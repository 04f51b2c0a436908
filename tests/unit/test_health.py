"""The breaker around a model: closed, open, half open, and each change of it in the log, once."""

import logging

import pytest

from shopbot.chat_models.health import Circuit, ModelHealth
from shopbot.errors import ModelError, ModelGarbled


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> ModelHealth:
    return ModelHealth(10.0, clock, "tuned-1 (openvino, tuned)")


def test_a_model_that_works_has_a_closed_circuit(health: ModelHealth) -> None:
    assert health.circuit == Circuit("closed", 0, None, None)


def test_a_failure_opens_it_until_the_next_trial_is_due(health: ModelHealth, clock: Clock) -> None:
    health.failed(ModelError("gone"))
    clock.now_s += 4
    assert health.circuit == Circuit("open", 1, 4.0, 6.0)


def test_when_the_trial_is_due_it_is_half_open_and_one_call_goes_through(health: ModelHealth, clock: Clock) -> None:
    health.failed(ModelError("gone"))
    clock.now_s += 10
    assert health.state == "half_open"
    assert health.admit() is True
    assert health.circuit == Circuit("half_open", 1, 10.0, None)
    with pytest.raises(ModelError, match="left alone after: gone"):
        health.admit()


def test_a_trial_that_fails_opens_it_again_and_one_that_succeeds_closes_it(health: ModelHealth, clock: Clock) -> None:
    health.failed(ModelError("gone"))
    clock.now_s += 10
    health.admit()
    health.failed(ModelError("still gone"))
    assert health.circuit == Circuit("open", 2, 10.0, 10.0)
    clock.now_s += 10
    health.admit()
    health.succeeded()
    assert health.circuit == Circuit("closed", 0, None, None)


def test_one_garbled_reply_leaves_it_closed_but_counted(health: ModelHealth) -> None:
    health.failed(ModelGarbled("empty"))
    assert health.circuit == Circuit("closed", 1, 0.0, None)


def test_opening_and_closing_is_logged_once_each(
    health: ModelHealth, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            health.failed(ModelError("gone"))
            clock.now_s += 10
        health.succeeded()
        health.succeeded()
    assert caplog.messages == [
        "tuned-1 (openvino, tuned): circuit open, answers come from the records: gone",
        "tuned-1 (openvino, tuned) works again after 30.0 s: circuit closed",
    ]
