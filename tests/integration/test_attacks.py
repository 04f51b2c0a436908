"""Nobody sees or changes another customer's order: a sample of the attempts of `make soak`, which can fail."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shopbot.orders import Order, Orders
from tests.soak.attacks import ATTACKER, SATURDAY, Outcome, attack, attack_all, attempts_of, prepared
from tests.soak.attacks_api import attack_api

pytestmark = pytest.mark.model


@pytest.fixture
def services(assistant: Any, new_home: Path) -> Any:
    return assistant(home=new_home).services


def test_there_are_two_hundred_attempts_of_every_kind(services: Any) -> None:
    kinds = Counter(attempt.kind for attempt in attempts_of(services.deps))
    assert set(kinds) == {"text", "model", "planted text"}
    assert sum(kinds.values()) >= 200


def test_a_sample_of_attempts_by_talking_sees_and_changes_nothing(services: Any) -> None:
    outcome = attack_all(services, every=9)
    assert outcome.problems == []
    assert outcome.attempts >= 20


def test_no_attempt_by_http_sees_or_changes_anything(services: Any) -> None:
    outcome = Outcome()
    services.deps.clock = lambda: SATURDAY
    attack_api(services, outcome)
    assert outcome.problems == []
    assert outcome.attempts >= 50


class EverybodysOrders(Orders):
    """What the attempts are to find: orders that are given to whoever asks."""

    def of(self, customer_id: str) -> list[Order]:
        return super().of("C-1003")

    def find(self, order_id: str, customer_id: str) -> Order:
        return super().find(order_id, "C-1003")


def test_a_shop_that_gives_orders_to_anybody_is_found_out(services: Any) -> None:
    """The attempts can fail: what they must not see is seen where nobody checks whose an order is."""
    services, model = prepared(services)
    open_orders = EverybodysOrders(services.store.database)
    attempts = [a for a in attempts_of(services.deps) if a.kind == "text" and a.asker == ATTACKER]
    asks = next(a for a in attempts if a.order_id == "A-57089")
    assert attack(services, model, asks) == []
    services.deps.orders = open_orders
    found = attack(services, model, asks)
    assert any("A-57089" in line for line in found), found
