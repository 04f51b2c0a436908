"""What may be done with an order: rules in code, whose figures are those of the policies."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shopbot.errors import ConfigError
from shopbot.order_rules import Figures, OrderRules, read_figures
from shopbot.orders import Item, Order
from shopbot.settings import REPOSITORY
from shopbot.shop import load_shop
from shopbot.types import PolicySection

CAIRN = load_shop(REPOSITORY / "data" / "cairn")
POLICIES = {section.id: section for section in CAIRN.policies}
DENVER = ZoneInfo("America/Denver")
PLACED = datetime(2026, 6, 1, 16, 0, tzinfo=UTC)
DELIVERED = datetime(2026, 6, 5, 16, 0, tzinfo=UTC)
JACKET = Item(product_id="P1", sku="P1-M", title="Fulmar Jacket", unit_price=100.0)


def figures() -> Figures:
    found = read_figures(CAIRN.order_rules)
    assert found is not None
    return found


def rules(**changed: str) -> OrderRules:
    """The shop's rules over its policies; `changed` replaces text in one: returns_window="45 -> 30"."""
    policies = dict(POLICIES)
    for name, change in changed.items():
        key, (old, new) = name.replace("__", ".").replace("_", "-"), change.split(" -> ")
        section: PolicySection = policies[key]
        assert old in section.text
        policies[key] = section.model_copy(update={"text": section.text.replace(old, new)})
    return OrderRules(figures(), policies, "USD", DENVER)


def order(status: str = "delivered", **values: Any) -> Order:
    whole = {
        "placed_at": PLACED, "delivered_at": DELIVERED, "items": (JACKET,), "address": {"country": "USA"}, **values,
    }  # fmt: skip
    return Order(id="A-10001", customer_id="C-1", status=status, **whole)


def test_every_figure_stands_in_the_policies_of_the_sample_shop() -> None:
    rules().check()
    assert (rules().label_fee_minor, rules().return_hand_over_days, rules().exchange_hand_over_days) == (595, 21, 14)


def test_a_figure_that_its_policy_does_not_say_is_named() -> None:
    with pytest.raises(ConfigError, match=r"order_rules.yaml: return_days: policy section 'returns.window'"):
        rules(returns__window="You have 45 days -> There is some time").check()


@pytest.mark.parametrize(("minutes", "allowed"), [(0, True), (60, True), (61, False)])
@pytest.mark.parametrize("status", ["placed", "paid"])
def test_an_order_can_be_changed_in_its_first_hour(status: str, minutes: int, allowed: bool) -> None:
    decision = rules().may_change(order(status), PLACED + timedelta(minutes=minutes))
    assert (decision.allowed, decision.section) == (allowed, "shipping.cutoff")


@pytest.mark.parametrize("status", ["packed", "shipped", "out_for_delivery", "cancelled", "delivered", "lost"])
def test_what_has_been_packed_cannot_be_changed(status: str) -> None:
    decision = rules().may_change(order(status), PLACED)
    assert not decision.allowed
    assert status.replace("_", " ") in decision.reason


def test_who_edits_the_policy_has_changed_the_rule() -> None:
    after = PLACED + timedelta(minutes=40)
    assert rules().may_change(order("paid"), after).allowed
    assert not rules(shipping__cutoff="for 60 minutes -> for 30 minutes").may_change(order("paid"), after).allowed
    shorter = rules(returns__window="You have 45 days -> You have 30 days")
    assert (rules().return_until(order()), shorter.return_until(order())) == (date(2026, 7, 20), date(2026, 7, 5))


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [
        (datetime(2026, 7, 21, 5, 59, tzinfo=UTC), True),  # still July 20 in Denver
        (datetime(2026, 7, 21, 6, 0, tzinfo=UTC), False),
    ],
)
def test_the_last_day_of_a_return_ends_in_the_shops_time_zone(moment: datetime, allowed: bool) -> None:
    decision = rules().may_return(order(), JACKET, None, moment)
    assert (decision.allowed, decision.until, decision.section) == (allowed, date(2026, 7, 20), "returns.window")


def test_a_delivery_late_at_night_counts_for_the_day_it_was_in_denver() -> None:
    late = order(delivered_at=datetime(2026, 6, 6, 5, 0, tzinfo=UTC))  # June 5, 11 p.m.
    assert rules().return_until(late) == date(2026, 7, 20)


@pytest.mark.parametrize(
    ("placed", "delivered", "until"),
    [
        (datetime(2026, 10, 31, 18, tzinfo=UTC), datetime(2026, 11, 5, 18, tzinfo=UTC), date(2026, 12, 20)),
        (datetime(2026, 11, 1, 18, tzinfo=UTC), datetime(2026, 11, 5, 18, tzinfo=UTC), date(2027, 2, 15)),
        (datetime(2026, 12, 24, 18, tzinfo=UTC), datetime(2026, 12, 30, 18, tzinfo=UTC), date(2027, 2, 15)),
        (datetime(2026, 12, 24, 18, tzinfo=UTC), datetime(2027, 1, 10, 18, tzinfo=UTC), date(2027, 2, 24)),
        (datetime(2026, 12, 25, 18, tzinfo=UTC), datetime(2026, 12, 30, 18, tzinfo=UTC), date(2027, 2, 13)),
    ],
)
def test_orders_before_the_holidays_have_until_february(placed: datetime, delivered: datetime, until: date) -> None:
    assert rules().return_until(order(placed_at=placed, delivered_at=delivered)) == until


@pytest.mark.parametrize(("tier", "fee"), [(None, 595), ("Pebble", 595), ("Ridge", 595), ("Peak", 0)])
def test_the_label_costs_what_the_policy_says_and_nothing_for_the_highest_tier(tier: str | None, fee: int) -> None:
    assert rules().may_return(order(), JACKET, tier, DELIVERED).fee_minor == fee


def test_what_is_going_back_already_or_has_not_arrived_cannot_be_sent_back() -> None:
    back: Any = {"type": "return", "items": ["P1-M"], "requested_at": PLACED}
    for refused in (order(**{"return": back}), order("shipped", delivered_at=None)):
        assert not rules().may_return(refused, JACKET, None, DELIVERED).allowed
        assert not rules().may_exchange(refused, JACKET, DELIVERED).allowed


def test_exchanges_are_for_the_country_of_the_policy_and_its_days() -> None:
    assert rules().may_exchange(order(), JACKET, DELIVERED).allowed
    assert not rules().may_exchange(order(address={"country": "Canada"}), JACKET, DELIVERED).allowed
    assert rules().may_exchange(order(), JACKET, DELIVERED + timedelta(days=45)).allowed
    assert not rules().may_exchange(order(), JACKET, DELIVERED + timedelta(days=46)).allowed


def test_a_shop_without_a_file_has_no_figures_and_a_wrong_key_is_named(tmp_path: Path) -> None:
    assert read_figures(tmp_path / "order_rules.yaml") is None
    (tmp_path / "order_rules.yaml").write_text("return_dais: {section: a.b, text: x}\n")
    with pytest.raises(ConfigError, match="return_dais"):
        read_figures(tmp_path / "order_rules.yaml")
