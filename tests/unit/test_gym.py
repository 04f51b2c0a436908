"""The gym's own rules: what a scenario may be, when it fails, and what pass^k, state checks and oracle say."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, update

from evals.gym.judge import failures_of, state_failures
from evals.gym.oracle import Oracle, Shown, figures
from evals.gym.play import is_said, play, play_all, state_of
from evals.gym.records import LiveFacts, Records
from evals.gym.report import chances, draw, pass_hat_k, tables
from evals.gym.sampling import SampledModel, Sampling
from evals.gym.scenarios import (
    FOLDER,
    SETS,
    THEMES,
    Expected,
    ExpectedChange,
    Scenario,
    Step,
    choose,
    patterns_of,
    read_scenarios,
    read_set,
)
from evals.gym.trial import Exchange, State, Trial
from evals.metrics import plain, upper_bound
from shopbot.chat_models import Decoding
from shopbot.database import open_database
from shopbot.errors import ConfigError, InputError
from shopbot.orders import seed_orders
from shopbot.settings import REPOSITORY
from shopbot.shop import load_shop
from shopbot.tables import orders

NOON = "2026-11-21T18:00:00Z"
PARKA, MAYA = "CO-0103", "C-1001"


@cache
def records() -> Records:
    return Records(load_shop(REPOSITORY / "data" / "cairn"))


def everything() -> list[Scenario]:
    """All scenarios, those for tables of other versions, too."""
    found = [scenario for name in SETS for scenario in read_set(name)]
    for path in FOLDER.glob("*/*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "needs" in content and not {item["id"] for item in content["scenarios"]} & {s.id for s in found}:
            shared = {"theme": content["theme"], "clock": content["clock"]}
            found += [Scenario.model_validate({**shared, **item}) for item in content["scenarios"]]
    return found


def scenario(**values: Any) -> Scenario:
    made = {"id": "one", "theme": "search", "about": "x", "clock": NOON, "steps": [{"say": "Hi", "must_say": ["hi"]}]}
    return Scenario.model_validate({**made, **values})


# ---------------------------------------------------------------- the scenarios


def test_there_are_at_least_sixty_of_all_themes_and_most_have_several_turns() -> None:
    found = everything()
    assert len(found) >= 60
    assert {one.theme for one in found} == set(THEMES)
    assert sum(len(one.steps) > 1 for one in found) >= 40


@pytest.mark.parametrize("one", everything(), ids=lambda one: one.id)
def test_every_value_that_a_scenario_refers_to_is_in_the_records(one: Scenario) -> None:
    for _, text in patterns_of(one):
        records().pattern(text, LiveFacts())
    orders = records().orders
    assert one.customer is None or one.customer in records().customers
    assert {order for order in one.expect.orders if orders[order]["customer_id"] != one.customer} == set()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"steps": []}, r"scenario 'one': steps"),
        ({"steps": [{"say": ""}]}, r"scenario 'one': steps\.0\.say"),
        ({"steps": [{"say": "Hi", "must": ["x"]}]}, r"scenario 'one': steps\.0\.must"),
        ({"steps": [{"say": "Hi", "when": "x"}]}, r"scenario 'one': steps.*leave out when"),
        ({"steps": [{"say": "Hi", "must_say": ["("]}]}, r"scenario 'one': steps\.1\.must_say: '\(' is no pattern"),
        ({"steps": [{"say": "Hi"}]}, r"scenario 'one': .*this can't fail"),
        ({"theme": "chess"}, r"scenario 'one': theme"),
        ({"clock": "2026-11-21T18:00:00"}, r"scenario 'one': clock"),
        ({"expect": {"changes": [{"order": "A-1", "action": "cancel"}]}}, r"scenario 'one': expect: .*A-1 stands"),
        ({"expect": {"changes": [{"order": "A-1", "action": "burn"}]}}, r"scenario 'one': expect\.changes\.0\.action"),
    ],
)
def test_a_wrong_scenario_is_named_with_file_and_key(tmp_path: Path, wrong: dict[str, Any], told: str) -> None:
    good = {"id": "one", "theme": "search", "about": "x", "clock": NOON, "steps": [{"say": "Hi", "must_say": ["hi"]}]}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"scenarios": [{**good, **wrong}]}), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"a\.yaml, {told}"):
        read_scenarios(tmp_path)


@pytest.mark.parametrize("content", ["", "- id: one", "scenarios: 3", "scenarios: [one]", "{"])
def test_a_file_that_lists_no_scenarios_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a\.yaml"):
        read_scenarios(tmp_path)


def test_two_scenarios_of_one_name_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no scenarios"):
        read_scenarios(tmp_path)
    listed = {"scenarios": [scenario().model_dump(mode="json")] * 2}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(listed), encoding="utf-8")
    with pytest.raises(ConfigError, match="'one': id"):
        read_scenarios(tmp_path)


def test_scenarios_wait_for_the_table_that_they_need(tmp_path: Path) -> None:
    for name, needs in (("a", "orders"), ("b", "unicorns")):
        listed = {"needs": needs, "scenarios": [scenario(id=name).model_dump(mode="json")]}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(listed), encoding="utf-8")
    assert [one.id for one in read_scenarios(tmp_path)] == ["a"]


def test_scenarios_are_chosen_by_id_or_theme() -> None:
    both = [scenario(id="a"), scenario(id="b", theme="order")]
    assert [one.id for one in choose(both, [])] == ["a", "b"]
    assert [one.id for one in choose(both, ["order"])] == ["b"]
    assert [one.id for one in choose(both, ["a"])] == ["a"]
    with pytest.raises(InputError, match="'zoo'"):
        choose(both, ["zoo"])


# ---------------------------------------------------------------- values of records


def value(record: str, what: str, *lines: Mapping[str, Any]) -> str:
    return records().value(record, what, LiveFacts().with_lines(lines))


def test_a_value_is_the_records_own() -> None:
    assert value(PARKA, "pays") == "$299.00"
    assert value("CO-0208", "pays") == "$149.00"
    assert value(PARKA, "weight_g") == "690"
    assert value("A-68379", "promised_by") == "November 25"
    assert value("A-57089", "items.1.title") == "Moonrise Inflatable Pillow"
    assert value("returns.window", r"(\d+) days from") == "45"
    assert value("returns.label", r"\$\d+\.\d\d") == "$5.95"
    assert value("winter-layers-2026", "ends") == "December 6"


def test_a_value_is_live() -> None:
    assert value(PARKA, "pays", {"id": PARKA, "price": 250.0}) == "$250.00"
    assert value("CO-0208", "pays", {"id": "CO-0208", "sale_price": None}) == "$189.00"


@pytest.mark.parametrize(("record", "what"), [("CO-9999", "price"), (PARKA, "wings"), ("returns.window", "never")])
def test_a_value_that_is_not_there_is_an_error(record: str, what: str) -> None:
    with pytest.raises(ConfigError, match=f"<{record} {what}>"):
        value(record, what)


@pytest.mark.parametrize(
    ("said", "found"),
    [("It is $299.00 [1].", True), ("It is $299.", True), ("$1,299.00", False), ("$299.50", False), ("$2990", False)],
)
def test_a_value_is_said_whole(said: str, found: bool) -> None:
    pattern = records().pattern(f"<{PARKA} pays>", LiveFacts())
    assert (pattern.search(plain(said)) is not None) == found


# ---------------------------------------------------------------- judging


def state(**changes: Any) -> State:
    known: dict[str, Any] = {"A-1": {"status": "paid", "address": {"zip": "1"}}, "A-2": {"status": "paid"}}
    known |= changes.pop("orders", {})
    return State(orders=known, statuses={key: order["status"] for key, order in known.items()}, **changes)


CANCELLED = {"A-1": {"status": "cancelled", "address": {"zip": "1"}}}
AUDIT = {"order_id": "A-1", "action": "cancel", "section": "shipping.cutoff", "details": {"sku": None}}


def test_an_order_that_nobody_wanted_changed_is_a_failure() -> None:
    assert list(state_failures(Expected(), state(), state())) == []
    found = list(state_failures(Expected(), state(), state(orders=CANCELLED, changes=(AUDIT,))))
    assert found == ["order A-1 was changed", "cancel of A-1 was written, which nobody wanted"]


def test_a_change_has_to_be_in_the_order_and_in_the_audit() -> None:
    wanted = Expected(
        changes=(ExpectedChange(order="A-1", action="cancel", section="shipping.cutoff"),),
        orders={"A-1": {"status": "cancelled", "address.zip": "1"}},
    )
    after = state(orders=CANCELLED, changes=(AUDIT,))
    assert list(state_failures(wanted, state(), after)) == []
    assert list(state_failures(wanted, state(), state())) == [
        "A-1: status is 'paid', not 'cancelled'",
        "no cancel of A-1 was written",
    ]
    twice = state(orders=CANCELLED, changes=(AUDIT, AUDIT))
    assert list(state_failures(wanted, state(), twice)) == ["cancel of A-1 was written, which nobody wanted"]
    gone = state(orders=CANCELLED, changes=({**AUDIT, "section": "returns.window"},))
    assert "no cancel of A-1 was written" in list(state_failures(wanted, state(), gone))


def test_tickets_are_looked_at_where_they_are_expected() -> None:
    ticket = {"state": "open", "reason": "asked"}
    assert list(state_failures(Expected(), state(), state(tickets=(ticket,)))) == []
    wanted = Expected(tickets=({"state": "open"},))
    assert list(state_failures(wanted, state(), state(tickets=(ticket,)))) == []
    assert list(state_failures(wanted, state(), state())) == ["there are 0 tickets, not 1"]
    closed = state(tickets=({"state": "closed"},))
    assert list(state_failures(wanted, state(), closed)) == ["ticket 1: state is 'closed', not 'open'"]


def judged(one: Scenario, *exchanges: Exchange) -> list[str]:
    return list(failures_of(one, exchanges, state(), state(), records(), [LiveFacts()] * len(exchanges)))


def test_what_must_and_must_not_be_said_is_looked_for_in_its_answer_and_in_all() -> None:
    steps = [{"say": "a", "must_say": ["red", ["blue", "green"]], "must_not_say": ["\\$"]}, {"say": "b"}]
    one = scenario(steps=steps, expect={"must_say": ["black"], "must_not_say": ["white"]})
    good = (Exchange(said="a", answer="Red and GREEN [1]."), Exchange(said="b", answer="Black.", step=1))
    assert judged(one, *good) == []
    bad = (Exchange(said="a", answer="$5."), Exchange(said="b", answer="White.", step=1))
    assert judged(one, *bad) == [
        "message 1: does not say 'red'",
        "message 1: does not say 'blue' or 'green'",
        "message 1: says '\\\\$'",
        "altogether: does not say 'black'",
        "altogether: says 'white'",
    ]


def test_an_error_and_a_wrong_fact_are_failures() -> None:
    one = scenario(steps=[{"say": "a", "must_not_say": ["x"]}])
    found = judged(one, Exchange(said="a", error="ModelError: down", wrong=("no record has 5 g: 'It weighs 5 g.'",)))
    assert found == ["message 1: ModelError: down", "message 1: no record has 5 g: 'It weighs 5 g.'"]


@pytest.mark.parametrize(
    ("step", "said"),
    [({}, True), ({"when": "shall i"}, True), ({"when": "cheese"}, False), ({"unless": "yes or no"}, False),
     ({"when": "shall", "unless": "cheese"}, True)],
)  # fmt: skip
def test_a_message_can_depend_on_the_answer_before(step: dict[str, str], said: bool) -> None:
    assert is_said(Step(say="yes", **step), "Shall I do that? Answer yes or no.") == said


# ---------------------------------------------------------------- playing


class ScriptedStage:
    """A shop that answers from a list, cancels an order when told, and remembers what came in."""

    def __init__(self, database: Engine, answers: Sequence[str], asks_model: bool) -> None:
        self.database, self.answers, self.asks_model = database, iter(answers), asks_model
        self.happened: list[Any] = []

    def say(self, text: str) -> Exchange:
        answer = next(self.answers)
        if "CANCEL" in answer:
            with self.database.begin() as connection:
                connection.execute(update(orders).where(orders.c.id == "A-57089").values(status="cancelled"))
        return Exchange(said=text, answer=answer, sentences=((answer, "model"),), cited=(PARKA,),
                        asked_model=self.asks_model)  # fmt: skip

    def pass_time(self, time: timedelta) -> None:
        self.happened += [time] if time else []

    def bring_in(self, facts: Sequence[Mapping[str, Any]]) -> None:
        self.happened += facts


class ScriptedTheatre:
    def __init__(self, folder: Path, *answers: str, asks_model: bool = True) -> None:
        self.folder, self.answers, self.asks_model, self.opened = folder, answers, asks_model, 0
        self.stage: ScriptedStage | None = None

    @contextmanager
    def open(self, scenario: Scenario, arm: str, sampling: Sampling | None) -> Iterator[ScriptedStage]:
        shop = records().shop
        database = open_database(f"sqlite:///{self.folder}/db.sqlite3")
        seed_orders(database, shop.customers, shop.orders)
        self.stage, self.opened = ScriptedStage(database, self.answers, self.asks_model), self.opened + 1
        yield self.stage
        database.dispose()


PRICED = [{"say": "price of the parka?", "must_say": [f"<{PARKA} pays>"]}]


def test_a_right_conversation_passes_and_a_wrong_one_fails(tmp_path: Path) -> None:
    one = scenario(steps=PRICED)
    right = play(one, ScriptedTheatre(tmp_path, "The Gyrfalcon Belay Parka costs $299.00 [1]."), records(), "x", None)
    assert (right.passed, right.failures, right.seed) == (True, (), None)
    wrong = play(one, ScriptedTheatre(tmp_path, "The Gyrfalcon Belay Parka costs $19.00 [1]."), records(), "x", None)
    assert not wrong.passed
    assert [failure.partition(":")[2].strip()[:20] for failure in wrong.failures] == [
        "no record has 19 $: ",
        f"does not say '<{PARKA} pays>'"[:20],
    ]


def test_a_change_of_the_database_that_nobody_asked_for_fails(tmp_path: Path) -> None:
    theatre = ScriptedTheatre(tmp_path, "CANCELLED it for you, $299.00 [1].")
    assert play(scenario(steps=PRICED), theatre, records(), "x", None).failures == ("order A-57089 was changed",)


def test_facts_come_in_and_time_passes_before_the_message(tmp_path: Path) -> None:
    line = {"id": PARKA, "price": 250.0}
    steps = [*PRICED, {"say": "and now?", "facts": [line], "wait_minutes": 5, "must_say": [f"<{PARKA} pays>"]}]
    theatre = ScriptedTheatre(tmp_path, "It costs $299.00 [1].", "It costs $250.00 [1].")
    trial = play(scenario(steps=steps), theatre, records(), "x", Sampling(0.7, 3))
    assert (trial.failures, trial.seed) == ((), 3)
    assert theatre.stage is not None
    assert theatre.stage.happened == [timedelta(minutes=5), line]


def test_messages_whose_condition_does_not_hold_are_left_out(tmp_path: Path) -> None:
    steps = [*PRICED, {"say": "yes", "when": "shall i", "must_say": ["done"]}, {"say": "bye"}]
    trial = play(scenario(steps=steps), ScriptedTheatre(tmp_path, "$299.00 [1].", "Bye."), records(), "x", None)
    assert [exchange.said for exchange in trial.exchanges] == ["price of the parka?", "bye"]
    assert trial.failures == ()


def test_the_state_has_orders_their_states_and_the_audit(tmp_path: Path) -> None:
    with ScriptedTheatre(tmp_path).open(scenario(), "x", None) as stage:
        found = state_of(stage.database)
    assert len(found.orders) == len(found.statuses) == len(records().orders)
    assert found.changes == ()


@pytest.mark.parametrize(("asks", "played"), [(False, 1), (True, 3)])
def test_what_no_model_was_asked_for_is_played_once_for_all_seeds(tmp_path: Path, asks: bool, played: int) -> None:
    theatre = ScriptedTheatre(tmp_path, "$299.00 [1].", asks_model=asks)
    trials = list(play_all(scenario(steps=PRICED), theatre, records(), "x", [Sampling(0.7, 1), Sampling(0.7, 2)]))
    assert [trial.seed for trial in trials] == [None, 1, 2]
    assert theatre.opened == played


# ---------------------------------------------------------------- the oracle


def wrong(text: str, *cited: str, live: LiveFacts | None = None, said: str = "", customer: str | None = MAYA) -> int:
    shown = Shown(customer, (said,), live or LiveFacts(), records().orders)
    exchange = Exchange(said=said, answer=text, sentences=((text, "model"),), cited=cited)
    return len(list(Oracle(records()).wrong(exchange, shown)))


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("The Gyrfalcon Belay Parka costs $299.00 [1].", [PARKA]),
        ("The Haar City Raincoat is on sale for $149.00, down from $189.00 [1].", ["CO-0208"]),
        ("The Gyrfalcon Belay Parka weighs 690 g and has 6 pockets [1].", [PARKA]),
        ("In Saffron, the Gyrfalcon Belay Parka is in stock in sizes S, M and L [1].", [PARKA]),
        ("In Saffron, the Gyrfalcon Belay Parka is sold out in size XL [1].", [PARKA]),
        ("The Gyrfalcon Belay Parka comes in Saffron and Black [1].", [PARKA]),
        ("It is not waterproof [1].", [PARKA]),
        ("You have 45 days from the delivery date to send an item back [1].", ["returns.window"]),
        ("Standard shipping takes 3 to 5 business days [1].", ["shipping.costs"]),
        ("Order A-68379 of November 18 is on its way [1].", ["A-68379"]),
        ("I can't cancel order A-68379, because the 60 minutes after it was placed are over [1].", ["A-68379"]),
        ("Its comfort temperature is -4 °C [1].", ["CO-1113"]),
        ("The label costs $5.95, and $369.40 goes back [1].", ["A-48213"]),
        ("The return window is open until February 15, 2027 [1].", ["A-48213"]),
        ("The code LAYERS20 takes 20% off until December 6, 2026 [1].", ["winter-layers-2026"]),
        ("Our team is at +1 555 0142, Mon-Fri 8:00-18:00, Sat 9:00-14:00 (Mountain Time).", []),
    ],
)
def test_a_true_sentence_is_not_wrong(text: str, cited: list[str]) -> None:
    assert wrong(text, *cited) == 0


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("The Gyrfalcon Belay Parka costs $289.00 [1].", [PARKA]),
        ("The Gyrfalcon Belay Parka weighs 690 kg [1].", [PARKA]),
        ("The Gyrfalcon Belay Parka weighs 696 g [1].", [PARKA]),
        ("The Haar City Raincoat costs $299.00 [1].", [PARKA]),
        ("In Saffron, the Gyrfalcon Belay Parka is in stock in size XL [1].", [PARKA]),
        ("In Black, the Gyrfalcon Belay Parka is sold out [1].", [PARKA]),
        ("The Skerry Shore Jacket is in stock [1].", ["CO-0213"]),
        ("The Skerry Shore Jacket is sold out [1].", ["CO-0213"]),
        ("The Gyrfalcon Belay Parka comes in Moss [1].", [PARKA]),
        ("The Gyrfalcon Belay Parka is waterproof [1].", [PARKA]),
        ("Its comfort temperature is 4 °C [1].", ["CO-1113"]),
        ("I can't cancel order A-68379, because the 90 minutes after it was placed are over [1].", ["A-68379"]),
        ("You have 60 days from the delivery date [1].", ["returns.window"]),
        ("You have 45 months from the delivery date [1].", ["returns.window"]),
        ("Order A-68379 was delivered [1].", ["A-68379"]),
        ("It is due by November 26 [1].", ["A-68379"]),
        ("Order A-48213 is on its way [1].", ["A-68379"]),
        ("$375.00 goes back [1].", ["A-48213"]),
        ("The code LAYERS20 takes 25% off [1].", ["winter-layers-2026"]),
        ("That is $12.00.", []),
        ("It costs $299.00 [2].", [PARKA]),
    ],
)
def test_a_false_sentence_is_wrong(text: str, cited: list[str]) -> None:
    assert wrong(text, *cited) > 0


def test_the_oracle_goes_by_the_facts_of_the_moment() -> None:
    cheaper = LiveFacts().with_lines(
        [{"id": PARKA, "price": 250.0}, {"id": PARKA, "sku": f"{PARKA}-M-SAF", "stock": 0}]
    )
    assert wrong("It costs $299.00 [1].", PARKA) == 0
    assert wrong("It costs $299.00 [1].", PARKA, live=cheaper) == 1
    assert wrong("It costs $250.00 [1].", PARKA, live=cheaper) == 0
    assert wrong("In Saffron, it is in stock in size M [1].", PARKA, live=cheaper) == 1
    gone = LiveFacts().with_lines([{"id": PARKA, "stock": 0}])
    assert wrong("It is sold out [1].", PARKA, live=gone) == 0


def test_what_belongs_to_other_customers_is_wrong_unless_they_said_it_themselves() -> None:
    text = "Order A-57089 goes to 15407 Lakemont Ridge SE [1]."
    assert wrong(text, "A-57089") > 0
    assert wrong("I can't find an order A-57089 in your account.", said="where is A-57089") == 0
    assert wrong(text, "A-57089", said="A-57089, priya.raghunathan@example.org", customer=None) == 0


def test_figures_have_their_units() -> None:
    assert figures("3 to 5 business days, 15%, $1,249.00 and 16,400 g") == {
        (3.0, ""), (3.0, "day"), (5.0, "day"), (15.0, "%"), (1249.0, "$"), (16400.0, "g"),
    }  # fmt: skip


def test_the_oracle_shares_no_code_with_the_check() -> None:
    for path in (REPOSITORY / "evals" / "gym").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not any(f"import {name}" in text or f"{name} import" in text for name in (
            "graph.verify", "graph.frames", "shopbot.claims")), path  # fmt: skip


# ---------------------------------------------------------------- figures


@pytest.mark.parametrize(("trials", "successes"), [(4, 0), (4, 1), (4, 3), (4, 4), (5, 3)])
def test_pass_hat_k_is_the_share_of_draws_of_k_trials_that_all_succeed(trials: int, successes: int) -> None:
    outcomes = [True] * successes + [False] * (trials - successes)
    for k in range(1, trials + 1):
        draws = list(combinations(outcomes, k))
        assert pass_hat_k(successes, trials, k) == pytest.approx(sum(map(all, draws)) / len(draws))


@pytest.mark.parametrize("k", [0, 5])
def test_pass_hat_k_needs_k_trials(k: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 4"):
        pass_hat_k(4, 4, k)


def trial(name: str = "a", arm: str = "tuned", seed: int | None = None, *failures: str, **values: Any) -> Trial:
    said = Exchange(said="Hi", answer=f"It is {seed}.", sentences=(("It is.", "model"), ("Yes.", "record")),
                    role="product", verdict="passed", **values)  # fmt: skip
    return Trial(scenario=name, theme="search", arm=arm, seed=seed, exchanges=(said,), failures=failures)


def test_the_report_has_every_arm_and_scenario_and_why_it_failed(tmp_path: Path) -> None:
    trials = [trial(), *(trial("a", "tuned", n) for n in (1, 2)), trial("a", "tuned", 3, "said 5", wrong=("5",))]
    trials += [trial("a", "tuned", 4), trial("a", "base", None, "said 5")]
    assert chances(trials, "tuned", 1) == [0.75]
    assert chances(trials, "tuned", 2) == [0.5]
    assert chances(trials, "tuned", 4) == [0.0]
    text = tables([scenario(id="a", about="the only one")], trials)
    assert "| a | the only one | passed | 3 of 4 | **failed** |  |" in text
    assert "| sentences shown that the model wrote | 50.0 % of 10 | 50.0 % of 2 |" in text
    assert "| different answers with a wrong fact (95 % upper bound) | 1 of 5; at most 65.74 % |" in text
    assert "  - tuned, 1 times: said 5" in text
    draw(trials, tmp_path / "gym.png")
    assert (tmp_path / "gym.png").stat().st_size > 1000


def test_answers_that_are_the_same_count_once() -> None:
    assert "0 of 1; at most 95.00 %" in tables([scenario(id="a")], [trial("a", "tuned", 1), trial("a", "tuned", 1)])


def test_the_bound_is_clopper_and_pearsons() -> None:
    assert upper_bound(0, 100) == pytest.approx(1 - 0.05**0.01)
    assert upper_bound(1, 100) == pytest.approx(0.0466, abs=1e-4)
    assert upper_bound(5, 5) == 1.0
    assert upper_bound(0, 0) == 1.0


def test_a_sampled_model_draws_at_the_trials_temperature_with_a_seed_a_reply() -> None:
    asked: list[Decoding] = []

    class Model:
        name = "m"

        def stream_text(self, messages: Any, *, decoding: Decoding, cancelled: object) -> list[str]:
            asked.append(decoding)
            return ["x"]

    model = SampledModel(Model(), Sampling(0.7, 2))  # type: ignore[arg-type]
    for _ in range(2):
        assert list(model.stream_text([], decoding=Decoding(max_tokens=9), cancelled=None)) == ["x"]
    assert model.name == "m"
    assert [(d.temperature, d.seed, d.max_tokens) for d in asked] == [(0.7, 2000, 9), (0.7, 2001, 9)]
