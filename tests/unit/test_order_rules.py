"""What may be done with an order: rules in code, whose figures are those of the policies."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shopbot.errors import ConfigError
from shopbot.order_rules import FIGURES, UNTOUCHED, Figures, OrderRules, read_figures
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


@pytest.mark.parametrize(("minutes", "allowed"), [(0, True), (59, True), (60, True), (61, False)])
@pytest.mark.parametrize("status", sorted(UNTOUCHED))
def test_an_order_can_be_changed_in_its_first_hour(status: str, minutes: int, allowed: bool) -> None:
    decision = rules().may_change(order(status), PLACED + timedelta(minutes=minutes))
    assert (decision.allowed, decision.section) == (allowed, "shipping.cutoff")


@pytest.mark.parametrize(
    "status",
    [
        "packed", "shipped", "out_for_delivery", "delivered", "delayed", "lost", "cancelled", "return_requested",
        "return_received", "refunded", "exchanged",
    ],
)  # fmt: skip
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


# ---------------------------------------------------------------- figures and their policies

HALLOWEEN, ADVENT = datetime(2026, 10, 31, 18, tzinfo=UTC), datetime(2026, 12, 24, 18, tzinfo=UTC)
EDITS: list[tuple[str, str, str, Callable[[OrderRules], object], object, object]] = [
    ("change_minutes", "shipping__cutoff", "order for 60 minutes -> order for 30 minutes",
     lambda rules: rules.may_change(order("paid"), PLACED + timedelta(minutes=31)).allowed, True, False),
    ("return_days", "returns__window", "You have 45 days -> You have 30 days",
     lambda rules: rules.return_until(order()), date(2026, 7, 20), date(2026, 7, 5)),
    ("return_hand_over_days", "returns__steps", "within 21 days -> within 10 days",
     lambda rules: rules.return_hand_over_days, 21, 10),
    ("holiday_from", "returns__window", "from November 1 to -> from October 31 to",
     lambda rules: rules.return_until(order(placed_at=HALLOWEEN, delivered_at=HALLOWEEN)),
     date(2026, 12, 15), date(2027, 2, 15)),
    ("holiday_to", "returns__window", "to December 24 have -> to December 23 have",
     lambda rules: rules.return_until(order(placed_at=ADVENT, delivered_at=ADVENT)),
     date(2027, 2, 15), date(2027, 2, 7)),
    ("holiday_until", "returns__window", "those until February 15 -> those until March 1",
     lambda rules: rules.return_until(order(placed_at=ADVENT, delivered_at=ADVENT)),
     date(2027, 2, 15), date(2027, 3, 1)),
    ("label_fee", "returns__label", "label costs $5.95 -> label costs $7.50",
     lambda rules: rules.may_return(order(), JACKET, None, DELIVERED).fee_minor, 595, 750),
    ("label_free_tier", "returns__label", "Peak members -> Ridge members",
     lambda rules: [rules.may_return(order(), JACKET, tier, DELIVERED).fee_minor for tier in ("Peak", "Ridge")],
     [0, 595], [595, 0]),
    ("exchange_days", "exchanges__size", "within 45 days -> within 14 days",
     lambda rules: rules.may_exchange(order(), JACKET, DELIVERED).until, date(2026, 7, 20), date(2026, 6, 19)),
    ("exchange_hand_over_days", "exchanges__steps", "carrier within 14 days -> carrier within 7 days",
     lambda rules: rules.exchange_hand_over_days, 14, 7),
    ("exchange_country", "exchanges__size", "in the USA only -> in the Netherlands only",
     lambda rules: rules.may_exchange(order(), JACKET, DELIVERED).allowed, True, False),
]  # fmt: skip
"""Figure, section, edit, what is asked of the rules, and the answers by the text as it stands and as edited."""


@pytest.mark.parametrize(("figure", "section", "edit", "ask", "stands", "edited"), EDITS)
def test_a_rule_says_what_its_policy_says_before_and_after_an_edit(
    figure: str, section: str, edit: str, ask: Callable[[OrderRules], object], stands: object, edited: object
) -> None:
    assert (ask(rules()), ask(rules(**{section: edit}))) == (stands, edited), figure


def test_every_figure_has_an_edit_that_changes_what_is_decided() -> None:
    """But for the fee of a second exchange: what has been exchanged is refused, see below."""
    assert {row[0] for row in EDITS} == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("text", ["Ask a colleague.", None])
def test_a_section_without_its_figure_is_an_error_that_names_the_figure(name: str, text: str | None) -> None:
    section = getattr(figures(), name).section
    policies = {key: found for key, found in POLICIES.items() if key != section}
    if text is not None:
        policies[section] = POLICIES[section].model_copy(update={"text": text})
    with pytest.raises(ConfigError, match=rf"\b{name}: policy section '{section}'") as error:
        OrderRules(figures(), policies, "USD", DENVER).check()
    named = {key for key in FIGURES if f"{key}: " in str(error.value)}
    assert named == {key for key in FIGURES if getattr(figures(), key).section == section}


def test_a_decision_without_its_figure_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(ConfigError, match="change_minutes"):
        rules(shipping__cutoff="for 60 minutes -> for a while").may_change(order("paid"), PLACED)


def test_a_figure_is_found_across_a_line_break_of_its_policy() -> None:
    wrapped = rules(returns__window="You have 45 days -> You\nhave  45\ndays")
    wrapped.check()
    assert wrapped.return_until(order()) == date(2026, 7, 20)


@pytest.mark.parametrize("day", ["Nov 1", "Brumaire 1", "November 31"])
def test_a_day_that_is_none_is_found_at_the_start_and_not_by_the_first_customer(day: str) -> None:
    with pytest.raises(ConfigError, match=f"holiday_from: '{day}'"):
        rules(returns__window=f"from November 1 to -> from {day} to").check()


# ---------------------------------------------------------------- days and hours


def test_the_hour_is_over_a_second_after_it() -> None:
    over = PLACED + timedelta(minutes=60, seconds=1)
    decision = rules().may_change(order("paid"), over)
    assert (decision.allowed, decision.reason) == (False, "the 60 minutes after it was placed are over")


@pytest.mark.parametrize(
    ("placed", "until"),
    [
        (datetime(2026, 11, 1, 5, 59, tzinfo=UTC), date(2026, 12, 20)),  # October 31, 11:59 p.m. in Denver
        (datetime(2026, 11, 1, 6, 0, tzinfo=UTC), date(2027, 2, 15)),
        (datetime(2026, 12, 25, 6, 59, tzinfo=UTC), date(2027, 2, 15)),  # December 24, 11:59 p.m. in Denver
        (datetime(2026, 12, 25, 7, 0, tzinfo=UTC), date(2027, 2, 13)),
    ],
)
def test_the_holiday_window_begins_and_ends_at_midnight_in_denver(placed: datetime, until: date) -> None:
    delivered = datetime(2026, 11, 5, 18, tzinfo=UTC) if placed.month == 11 else datetime(2026, 12, 30, 18, tzinfo=UTC)
    assert rules().return_until(order(placed_at=placed, delivered_at=delivered)) == until


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [
        (datetime(2027, 2, 16, 6, 59, tzinfo=UTC), True),  # still February 15 in Denver
        (datetime(2027, 2, 16, 7, 0, tzinfo=UTC), False),
    ],
)
def test_a_holiday_order_can_be_returned_until_the_end_of_february_15(moment: datetime, allowed: bool) -> None:
    delivered = datetime(2026, 11, 5, 18, tzinfo=UTC)
    gift = order(placed_at=datetime(2026, 11, 1, 18, tzinfo=UTC), delivered_at=delivered)
    decision = rules().may_return(gift, JACKET, None, moment)
    assert (decision.allowed, decision.until) == (allowed, date(2027, 2, 15))


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [(datetime(2026, 7, 21, 5, 59, tzinfo=UTC), True), (datetime(2026, 7, 21, 6, 0, tzinfo=UTC), False)],
)
def test_the_last_day_of_an_exchange_ends_in_the_shops_time_zone(moment: datetime, allowed: bool) -> None:
    late = order(delivered_at=datetime(2026, 6, 6, 5, 0, tzinfo=UTC))  # June 5, 11 p.m. in Denver
    decision = rules().may_exchange(late, JACKET, moment)
    assert (decision.allowed, decision.until, decision.section) == (allowed, date(2026, 7, 20), "exchanges.size")


def test_the_reasons_name_the_day_that_counts() -> None:
    after = datetime(2026, 8, 1, 12, tzinfo=UTC)
    assert (
        rules().may_return(order(), JACKET, None, DELIVERED).reason == "the return window is open until July 20, 2026"
    )
    assert rules().may_return(order(), JACKET, None, after).reason == "the return window ended on July 20, 2026"
    assert rules().may_exchange(order(), JACKET, DELIVERED).reason == "exchanges are open until July 20, 2026"
    assert rules().may_exchange(order(), JACKET, after).reason == "the 45 days for an exchange ended on July 20, 2026"


# ---------------------------------------------------------------- what goes back, and what does not

SOCKS = Item(product_id="P2", sku="P2-M", title="Wren Socks", unit_price=20.0)


@pytest.mark.parametrize("status", ["delivered", "return_requested", "return_received", "refunded", "exchanged"])
def test_of_an_order_one_thing_goes_back_and_what_is_said_of_it_is_true(status: str) -> None:
    """A second return would take the place of the first one in the order: a colleague has to do it."""
    back: Any = {"type": "return", "items": ["P1-M"], "requested_at": PLACED}
    both = order(status, items=(JACKET, SOCKS), **{"return": back})
    reasons = {
        "P1-M": "a return or exchange of the Fulmar Jacket was asked for already",
        "P2-M": "a return or exchange of another item of that order was asked for already",
    }
    for item in both.items:
        for decision in (
            rules().may_return(both, item, "Peak", DELIVERED),
            rules().may_exchange(both, item, DELIVERED),
        ):
            assert (decision.allowed, decision.reason) == (False, reasons[item.sku])


@pytest.mark.parametrize("status", ["placed", "shipped", "out_for_delivery", "lost"])
@pytest.mark.parametrize("delivered", [None, DELIVERED])
def test_what_has_not_arrived_by_its_state_stays_where_it_is(status: str, delivered: datetime | None) -> None:
    on_its_way = order(status, delivered_at=delivered)
    for decision in (
        rules().may_return(on_its_way, JACKET, "Peak", PLACED), rules().may_exchange(on_its_way, JACKET, PLACED),
    ):  # fmt: skip
        assert (decision.allowed, decision.reason) == (False, f"it is not delivered, but {status.replace('_', ' ')}")


@pytest.mark.parametrize("address", [{"country": "Canada"}, {}])
def test_an_exchange_is_refused_where_the_country_is_another_or_unknown(address: dict[str, str]) -> None:
    decision = rules().may_exchange(order(address=address), JACKET, DELIVERED)
    assert (decision.allowed, decision.reason) == (False, "exchanges are for addresses in the USA only")
    assert rules().may_return(order(address=address), JACKET, None, DELIVERED).allowed


def test_the_first_exchange_costs_nothing() -> None:
    assert rules().may_exchange(order(), JACKET, DELIVERED).fee_minor == 0


def test_a_second_exchange_of_an_item_is_left_to_a_colleague() -> None:
    """The policy has a fee for it, but an order does not say which size the customer has now."""
    swapped: Any = {"type": "exchange", "items": ["P1-M"], "requested_at": DELIVERED, "exchange": {"sku": "P1-L"}}
    decision = rules().may_exchange(order("exchanged", **{"return": swapped}), JACKET, DELIVERED)
    assert (decision.allowed, decision.section) == (False, "exchanges.size")


# ---------------------------------------------------------------- order_rules.yaml


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"return_days: {section: a.b, text: x}\n", "change_minutes"),
        (b"return_days: {section: a.b}\n", "return_days"),
        (b"return_days: {section: a.b, text: x, unit: days}\n", "unit"),
        (b"return_days: [\n", "while parsing"),
        (b"", "'change_minutes': Field required"),
        (b"return_days: {section: a.b, text: \xff}\n", "is not UTF-8 (byte 35)"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_what_is_wrong(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "order_rules.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_figures(path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("category", "said", "is_excluded"),
    [
        ("Climbing", "the safety seal is broken on the harness", True),
        ("Climbing", "I opened its seal to try it on", True),
        ("Climbing", "it is too small for me, seal intact", False),
        ("Tents", "the seal of the tent is broken", False),
        ("Socks & Gaiters", "I have worn them once", True),
        ("Socks & Gaiters", "they are the wrong size", False),
        ("Base Layers", "I wore it on a hike", True),
        ("Hats & Gloves", "I wore it on a hike", False),
        ("Backpacks", "it has my name printed on it", True),
    ],
)
def test_what_customers_say_of_an_item_can_make_it_final_sale(category: str, said: str, is_excluded: bool) -> None:
    decision = rules().excluded(category, said)
    assert (decision is not None) is is_excluded
    if decision:
        assert (decision.allowed, decision.section) == (False, "returns.final-sale")
        assert decision.reason[1:] in " ".join(POLICIES["returns.final-sale"].text.split())


def test_an_exclusion_whose_policy_does_not_say_it_is_named() -> None:
    with pytest.raises(ConfigError, match=r"exclusions: policy section 'returns.final-sale' does not say"):
        rules(returns__final_sale="once the safety seal is broken -> once used").check()
