"""One customer's conversation: the script is followed, what came back is kept."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import Engine, select

from evals.gym.judge import failures_of
from evals.gym.oracle import Oracle, Shown
from evals.gym.records import LiveFacts, Records
from evals.gym.sampling import Sampling
from evals.gym.scenarios import Scenario, Step
from evals.gym.trial import Exchange, State, Trial
from evals.metrics import plain
from shopbot.tables import metadata, order_changes, orders


class Stage(Protocol):
    """A shop of its own for one conversation, with the real workflow, index and orders."""

    database: Engine

    def say(self, text: str) -> Exchange:
        """Send the customer's message, wait for the whole answer."""
        ...

    def pass_time(self, time: timedelta) -> None: ...

    def bring_in(self, facts: Sequence[Mapping[str, Any]]) -> None:
        """Apply lines of a facts file, as of now."""
        ...


class Theatre(Protocol):
    """Opens a fresh stage for a scenario; what happens on one is never seen on another."""

    def open(self, scenario: Scenario, arm: str, sampling: Sampling | None) -> AbstractContextManager[Stage]:
        """`sampling` None is the product's own decoding."""
        ...


def play_all(
    scenario: Scenario, theatre: Theatre, records: Records, arm: str, draws: Sequence[Sampling]
) -> Iterator[Trial]:
    """Yield the trial with the product's own decoding, then one a draw.

    A conversation in which no model was asked has no words to draw: it is the same for every seed, and is run once.
    """
    own = play(scenario, theatre, records, arm, None)
    yield own
    for sampling in draws:
        if any(exchange.asked_model for exchange in own.exchanges):
            yield play(scenario, theatre, records, arm, sampling)
        else:
            yield own.model_copy(update={"seed": sampling.seed})


def play(scenario: Scenario, theatre: Theatre, records: Records, arm: str, sampling: Sampling | None) -> Trial:
    """Run one trial and judge it."""
    oracle = Oracle(records)
    with theatre.open(scenario, arm, sampling) as stage:
        before = state_of(stage.database)
        played = list(_conversation(scenario, stage, oracle))
        after = state_of(stage.database)
    exchanges, live = [exchange for exchange, _ in played], [facts for _, facts in played]
    return Trial(
        scenario=scenario.id,
        theme=scenario.theme,
        arm=arm,
        seed=sampling.seed if sampling else None,
        exchanges=tuple(exchanges),
        failures=tuple(failures_of(scenario, exchanges, before, after, records, live)),
    )


def _conversation(scenario: Scenario, stage: Stage, oracle: Oracle) -> Iterator[tuple[Exchange, LiveFacts]]:
    """Yield each exchange with the live facts as they were then."""
    answer, said, live = "", list[str](), LiveFacts()
    for number, step in enumerate(scenario.steps):
        if not is_said(step, answer):
            continue
        stage.pass_time(timedelta(minutes=step.wait_minutes))
        if step.facts:
            stage.bring_in(step.facts)
            live = live.with_lines(step.facts)
        said.append(step.say)
        exchange = stage.say(step.say)
        answer = exchange.answer
        shown = Shown(scenario.customer, tuple(said), live, state_of(stage.database).orders)
        wrong = tuple(oracle.wrong(exchange, shown))
        yield exchange.model_copy(update={"step": number, "wrong": wrong}), live


def is_said(step: Step, answer: str) -> bool:
    """Whether the customer sends this message after that answer."""
    text = plain(answer)
    if step.when and not re.search(step.when, text, re.IGNORECASE):
        return False
    return not (step.unless and re.search(step.unless, text, re.IGNORECASE))


def state_of(database: Engine) -> State:
    """What a conversation can change: orders, the audit of their changes, and tickets where there are any."""
    with database.connect() as connection:
        payloads = {row.id: row.payload for row in connection.execute(select(orders.c.id, orders.c.payload))}
        statuses = {row.id: row.status for row in connection.execute(select(orders.c.id, orders.c.status))}
        changes = [dict(row._mapping) for row in connection.execute(select(order_changes))]
        table = metadata.tables.get("tickets")
        tickets = [] if table is None else [dict(row._mapping) for row in connection.execute(select(table))]
    return State(orders=payloads, statuses=statuses, changes=tuple(changes), tickets=tuple(tickets))
