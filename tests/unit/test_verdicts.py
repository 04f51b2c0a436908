"""What the check made of the turns: one line of the log each, rates over those that are stored, no customer's word."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, insert

from app.verdicts import log_turn, rates, reason_of, stored_results
from graph.turn import Timings, Tokens, TurnResult
from shopbot.tables import conversations, metadata, runs

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
HELD_BACK = "has a number that the record does not: It costs $199.00: a bargain."


def result(**values: Any) -> TurnResult:
    usual: dict[str, Any] = {
        "answer": "It costs $349.00 [1].", "citations": (), "product_ids": (), "role": "product", "verdict": "passed",
        "fallback": False, "model_share": 1.0, "handoff": False, "arm": "base", "catalog_version": "v1",
        "timings_ms": Timings(first_sentence=1, total=2, retrieve=1, generate=1), "tokens": Tokens(),
    }  # fmt: skip
    return TurnResult.model_validate({**usual, **values})


@pytest.fixture
def database() -> Engine:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    return engine


def store(database: Engine, run_id: str, ended: datetime | None, turn: TurnResult | None) -> None:
    with database.begin() as connection:
        connection.execute(insert(conversations).values(id=run_id, created_at=NOW))
        values = {"id": run_id, "conversation_id": run_id, "question": "?", "state": "done", "created_at": NOW}
        stored = turn.model_dump(mode="json") if turn else None
        connection.execute(insert(runs).values(**values, finished_at=ended, result=stored))


def test_a_turn_is_one_line_with_verdict_and_reasons_and_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "app.verdicts"):
        log_turn("r1", result(verdict="repaired", model_share=0.5, findings=(HELD_BACK, HELD_BACK)))
    (line,) = caplog.messages
    assert json.loads(line.removeprefix("turn ")) == {
        "run_id": "r1", "arm": "base", "role": "product", "verdict": "repaired", "model_share": 0.5,
        "held_back": {"has a number that the record does not": 2}, "reduced": False, "prompt_hash": None,
    }  # fmt: skip
    assert "199" not in line


def test_the_reason_ends_at_the_first_colon() -> None:
    assert reason_of(HELD_BACK) == "has a number that the record does not"


def test_only_turns_that_ended_since_then_and_have_a_result_count(database: Engine) -> None:
    store(database, "new", NOW - timedelta(days=1), result())
    store(database, "old", NOW - timedelta(days=9), result())
    store(database, "failed", NOW, None)
    store(database, "running", None, None)
    assert [found["arm"] for found in stored_results(database, NOW - timedelta(days=7))] == ["base"]


def test_rates_stand_by_arm_and_role_with_the_commonest_reasons() -> None:
    turns = [
        result(),
        result(verdict="repaired", model_share=0.5, findings=(HELD_BACK,)),
        result(
            role="policy", verdict="fallback", fallback=True, model_share=0.0, findings=(HELD_BACK, "says nothing: .")
        ),
        result(arm="tuned"),
    ]
    text = rates(turn.model_dump(mode="json") for turn in turns)
    assert text.splitlines()[2:] == [
        "| base | all | 3 | 33.3% | 33.3% | 33.3% | 0.0% | 50.0% | 1.00 "
        "| has a number that the record does not (2); says nothing (1) |",
        "| base | policy | 1 | 0.0% | 0.0% | 100.0% | 0.0% | 0.0% | 2.00 "
        "| has a number that the record does not (1); says nothing (1) |",
        "| base | product | 2 | 50.0% | 50.0% | 0.0% | 0.0% | 75.0% | 0.50 "
        "| has a number that the record does not (1) |",
        "| tuned | all | 1 | 100.0% | 0.0% | 0.0% | 0.0% | 100.0% | 0.00 |  |",
        "| tuned | product | 1 | 100.0% | 0.0% | 0.0% | 0.0% | 100.0% | 0.00 |  |",
    ]
