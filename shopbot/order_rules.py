"""What may be done with an order, and why: rules in code, their figures read from the policies.

A decision names the policy section that it follows. Nothing here reads or writes a database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from shopbot.errors import ConfigError
from shopbot.money import to_minor
from shopbot.orders import Item, Order
from shopbot.policy_figures import figure_in, text_of
from shopbot.shop import parse_yaml
from shopbot.types import Frozen, PolicySection

# States in which nothing has been packed yet.
UNTOUCHED = frozenset({"placed", "paid", "backordered"})
DELIVERED = "delivered"
_DAYS = frozenset({"holiday_from", "holiday_to", "holiday_until"})


class Figure(Frozen):
    """Where a figure stands: a section, and a regular expression whose first group is it."""

    section: str
    text: str


class Exclusion(Frozen):
    """What customers say of an item (`said`, a regular expression) by which it can't go back, and the rule's own words.

    `categories` are the kinds of product that it holds for; empty for all.
    """

    section: str
    text: str
    said: str
    categories: tuple[str, ...] = ()


class Figures(Frozen):
    """order_rules.yaml."""

    change_minutes: Figure
    return_days: Figure
    return_hand_over_days: Figure
    holiday_from: Figure
    holiday_to: Figure
    holiday_until: Figure
    label_fee: Figure
    label_free_tier: Figure
    exchange_days: Figure
    exchange_hand_over_days: Figure
    exchange_country: Figure
    exclusions: tuple[Exclusion, ...] = ()


FIGURES = tuple(name for name, field in Figures.model_fields.items() if field.annotation is Figure)


@dataclass(frozen=True)
class Decision:
    """Whether something may be done, the policy section that says so, and the reason in a sentence.

    `fee_minor` is what it costs the customer, `until` the last day for it.
    """

    allowed: bool
    section: str
    reason: str
    fee_minor: int = 0
    until: date | None = None


@dataclass(frozen=True)
class OrderRules:
    """The rules over the policies as they are now; `zone` is the shop's."""

    figures: Figures
    policies: Mapping[str, PolicySection]
    currency: str
    zone: ZoneInfo

    def check(self) -> None:
        """Raise ConfigError naming every figure that its policy does not have, or that is no day where one belongs."""
        wrong = []
        for name in FIGURES:
            try:
                self._date(name, 2026) if name in _DAYS else self._figure(name)
            except ConfigError as error:
                wrong.append(str(error))
        wrong += [
            f"exclusions: policy section '{rule.section}' does not say {rule.text!r}"
            for rule in self.figures.exclusions
            if rule.text not in text_of(rule.section, self.policies)
        ]
        if wrong:
            raise ConfigError(f"order_rules.yaml: {'; '.join(wrong)}")

    def may_change(self, order: Order, now: datetime) -> Decision:
        """Whether an order can be cancelled or sent elsewhere: nothing is packed, and the first hour is not over."""
        section, minutes = self.figures.change_minutes.section, self._days("change_minutes")
        if order.status not in UNTOUCHED:
            return Decision(False, section, f"it is {order.status.replace('_', ' ')} already")
        if now > order.placed_at + timedelta(minutes=minutes):
            return Decision(False, section, f"the {minutes} minutes after it was placed are over")
        return Decision(True, section, f"it was placed less than {minutes} minutes ago")

    def may_return(self, order: Order, item: Item, tier: str | None, now: datetime) -> Decision:
        """Whether an item can be sent back now, until when, and what the label costs."""
        section = self.figures.return_days.section
        if refusal := self._not_here(order, item, section):
            return refusal
        last = self.return_until(order)
        if now.astimezone(self.zone).date() > last:
            return Decision(False, section, f"the return window ended on {_said(last)}", until=last)
        fee = 0 if tier == self._figure("label_free_tier") else self.label_fee_minor
        return Decision(True, section, f"the return window is open until {_said(last)}", fee, last)

    def excluded(self, category: str, said: str) -> Decision | None:
        """The refusal for an item of which the customer says what makes it final sale; None where nothing does."""
        for rule in self.figures.exclusions:
            if (not rule.categories or category in rule.categories) and re.search(rule.said, said, re.IGNORECASE):
                return Decision(False, rule.section, f"{rule.text[0].lower()}{rule.text[1:]}")
        return None

    def may_exchange(self, order: Order, item: Item, now: datetime) -> Decision:
        """Whether an item can be swapped for another size or colour, and until when; a first exchange costs nothing."""
        section, days = self.figures.exchange_days.section, self._days("exchange_days")
        if refusal := self._not_here(order, item, section):
            return refusal
        if order.country != self._figure("exchange_country"):
            return Decision(
                False, section, f"exchanges are for addresses in the {self._figure('exchange_country')} only"
            )
        delivered = order.delivered_at
        assert delivered is not None  # it is here
        last = delivered.astimezone(self.zone).date() + timedelta(days=days)
        if now.astimezone(self.zone).date() > last:
            return Decision(False, section, f"the {days} days for an exchange ended on {_said(last)}", until=last)
        return Decision(True, section, f"exchanges are open until {_said(last)}", until=last)

    def return_until(self, order: Order) -> date:
        """The last day on which a parcel may be handed over; longer for orders before the holidays."""
        delivered = order.delivered_at
        assert delivered is not None  # it is here
        last = delivered.astimezone(self.zone).date() + timedelta(days=self._days("return_days"))
        placed = order.placed_at.astimezone(self.zone).date()
        begins, ends = (self._date(name, placed.year) for name in ("holiday_from", "holiday_to"))
        return max(last, self._date("holiday_until", placed.year + 1)) if begins <= placed <= ends else last

    @cached_property
    def label_fee_minor(self) -> int:
        return to_minor(self._figure("label_fee"), self.currency)

    @property
    def return_hand_over_days(self) -> int:
        return self._days("return_hand_over_days")

    @property
    def exchange_hand_over_days(self) -> int:
        return self._days("exchange_hand_over_days")

    def _not_here(self, order: Order, item: Item, section: str) -> Decision | None:
        """The refusal for what has not arrived, or where something went back already: an order holds one return."""
        if order.returned is not None:
            what = f"the {item.title}" if item.sku in order.going_back else "another item of that order"
            return Decision(False, section, f"a return or exchange of {what} was asked for already")
        if order.status != DELIVERED or order.delivered_at is None:
            return Decision(False, section, f"it is not delivered, but {order.status.replace('_', ' ')}")
        return None

    def _days(self, name: str) -> int:
        return int(self._figure(name))

    def _date(self, name: str, year: int) -> date:
        day = self._figure(name)
        try:
            return datetime.strptime(f"{day} {year}", "%B %d %Y").date()
        except ValueError as error:
            raise ConfigError(f"{name}: {day!r} is no day such as 'November 1'") from error

    def _figure(self, name: str) -> str:
        figure: Figure = getattr(self.figures, name)
        return figure_in(figure.section, figure.text, self.policies, name)


def read_figures(path: Path) -> Figures | None:
    """Read order_rules.yaml; None for a shop without one, where a colleague changes orders.

    Raises ConfigError naming the key that is wrong.
    """
    return parse_yaml(path, TypeAdapter(Figures)) if path.is_file() else None


def _said(day: date) -> str:
    return f"{day:%B} {day.day}, {day.year}"
