"""Scenarios on real stages: the shipped workflow, index and orders, each on a database of its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.gym import PreparedShop
from app.wiring import open_store
from evals.gym.play import play
from evals.gym.records import Records
from evals.gym.sampling import Sampling
from evals.gym.scenarios import Scenario
from evals.gym.trial import Trial
from tests.conftest import repeat_facts, settings_in
from tests.fakes import FakeOpenAIServer, ScriptedChatModel, served
from tests.integration.conftest import Run

pytestmark = pytest.mark.model

PRIYA, CANCEL = "C-1003", "cancel order A-57089"
LATER = "2035-11-21T18:00:00Z"
"""After the prices of the test's home came in, so that those of a scenario are newer."""


@pytest.fixture
def model() -> ScriptedChatModel:
    return ScriptedChatModel(replies=repeat_facts)


@pytest.fixture
def shop(new_home: Path, embedder: Any, model: ScriptedChatModel) -> Iterator[PreparedShop]:
    store = open_store(settings_in(new_home), embedder)
    yield PreparedShop(store, {"base": served(model)})
    store.database.dispose()


def played(shop: PreparedShop, sampling: Sampling | None = None, **values: Any) -> Trial:
    made = {"id": "one", "theme": "order", "about": "x", "clock": "2026-11-21T18:00:00Z", **values}
    return play(Scenario.model_validate(made), shop, Records(shop.store.shop), "base", sampling)


CANCELLED = {
    "customer": PRIYA,
    "steps": [{"say": CANCEL, "must_say": ["A-57089"]}, {"say": "yes", "when": "shall i", "must_say": ["cancelled"]}],
    "expect": {
        "changes": [{"order": "A-57089", "action": "cancel", "section": "shipping.cutoff"}],
        "orders": {"A-57089": {"status": "cancelled"}},
    },
}


def test_each_trial_has_orders_of_its_own(shop: PreparedShop) -> None:
    for _ in range(2):
        assert played(shop, **CANCELLED).failures == ()


def test_a_trial_that_ends_otherwise_than_expected_fails(shop: PreparedShop) -> None:
    kept = played(shop, **{**CANCELLED, "steps": [{"say": CANCEL}, {"say": "no"}]})
    assert kept.failures == ("A-57089: status is 'placed', not 'cancelled'", "no cancel of A-57089 was written")
    late = played(shop, **{**CANCELLED, "clock": "2026-11-21T19:00:00Z"})
    assert "no cancel of A-57089 was written" in late.failures
    visitor = played(shop, **{**CANCELLED, "customer": None})
    assert "no cancel of A-57089 was written" in visitor.failures


def test_prices_that_come_in_are_those_of_the_next_answer(shop: PreparedShop) -> None:
    ask = {"say": "How much is the Gyrfalcon Belay Parka?", "must_say": ["<CO-0103 pays>"]}
    lowered = {**ask, "facts": [{"id": "CO-0103", "price": 251.0}], "must_not_say": ["\\$299\\b"]}
    trial = played(shop, clock=LATER, theme="search", steps=[ask, lowered])
    assert trial.failures == ()
    assert "$251.00" in trial.exchanges[1].answer
    assert trial.exchanges[1].asked_model


def test_drawn_words_have_the_trials_temperature_and_seed(shop: PreparedShop, model: ScriptedChatModel) -> None:
    ask = {"say": "How much is the Gyrfalcon Belay Parka?", "must_say": ["299"]}
    assert played(shop, Sampling(0.7, 3), theme="search", steps=[ask]).passed
    assert {(call["temperature"], call["seed"]) for call in model.options} == {(0.7, 3000)}
    model.options.clear()
    assert played(shop, theme="search", steps=[ask]).passed
    assert {(call["temperature"], call.get("seed")) for call in model.options} == {(0.0, None)}


def test_the_command_writes_report_picture_and_transcripts(run: Run, tmp_path: Path) -> None:
    with FakeOpenAIServer("no") as server:
        code, out, _ = run(
            "eval", "gym", "--out", tmp_path / "out", "--arms", "base", "--seeds", 1, "--only", "order-somebody-elses",
            engine="openai", model="fake", openai_base_url=server.base_url,
        )  # fmt: skip
    assert code == 0
    assert out == (tmp_path / "out" / "gym.md").read_text(encoding="utf-8") + "\n"
    assert "order-somebody-elses" in out
    rows = [json.loads(line) for line in (tmp_path / "out" / "trials.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["scenario"], row["seed"]) for row in rows] == [
        ("order-somebody-elses", None),
        ("order-somebody-elses", 1),
    ]
    assert (tmp_path / "out" / "gym.png").is_file()


def test_an_unknown_scenario_is_refused_before_anything_is_loaded(run: Run, tmp_path: Path) -> None:
    code, _, error = run("eval", "gym", "--out", tmp_path / "out", "--only", "order-nowhere")
    assert code == 2
    assert error.startswith("InputError: only: no scenario or theme 'order-nowhere'")
