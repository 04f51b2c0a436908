"""What delivery of an order costs and how long it takes, by place; the figures are read from the policies.

`delivery.yaml` says where in the policies each figure stands, so that an answer never differs from its policy.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from shopbot.errors import ConfigError, InputError
from shopbot.money import format_money, to_minor
from shopbot.policy_figures import figure_in
from shopbot.shop import parse_yaml
from shopbot.types import Frozen, PolicySection

_TO = re.compile(r"\b(?:to|in|into)\s+(?:the\s+|my\s+)?([A-Za-z]+)", re.IGNORECASE)
# What can stand behind "to" and is no place.
_NO_PLACE = frozenset(
    """me us you my a an our your home house door address place get arrive ship deliver send pay buy order be have know
    come spend total all size stock black blue green days time go reach qualify friend friends mom mum dad someone
    somebody""".split()
)


class Service(Frozen):
    """One way of delivery; regular expressions whose first group is the figure. `free_from` None: never free."""

    name: str
    cost: str
    days: str
    free_from: str | None = None


class Destination(Frozen):
    """Where orders go; `words` are how customers name it, and the usual one is meant where they name no place."""

    place: str
    words: tuple[str, ...] = ()
    usual: bool = False
    section: str
    services: tuple[Service, ...]


@dataclass(frozen=True)
class Quote:
    """What one way of delivery costs for a basket, and from which basket on it is free; amounts in minor units."""

    service: str
    cost_minor: int
    days: str
    free_from_minor: int | None = None


@dataclass(frozen=True)
class DeliveryRates:
    """The destinations over the policies as they are now."""

    destinations: tuple[Destination, ...]
    policies: Mapping[str, PolicySection]
    currency: str

    def check(self) -> None:
        """Raise ConfigError naming every figure that its policy does not have."""
        wrong = []
        for destination in self.destinations:
            try:
                self.quotes(destination, 0)
            except ConfigError as error:
                wrong.append(str(error))
        if sum(destination.usual for destination in self.destinations) > 1:
            wrong.append("more than one destination is 'usual'; leave it to one")
        if wrong:
            raise ConfigError(f"delivery.yaml: {'; '.join(wrong)}")

    def destination(self, text: str) -> Destination | None:
        """The place that a text names, by the longest of its names; the usual one where it names none.

        None for a place that no destination is called: "to Brazil".
        """
        said = f" {' '.join(re.findall(r'[a-z]+', text.lower().replace('.', '')))} "
        named = [(len(word), d) for d in self.destinations for word in d.words if f" {word} " in said]
        if named:
            return max(named, key=lambda item: item[0])[1]
        elsewhere = [word for word in _TO.findall(text) if word.lower() not in _NO_PLACE]
        return (
            None if elsewhere else next((destination for destination in self.destinations if destination.usual), None)
        )

    def quotes(self, destination: Destination, basket_minor: int) -> list[Quote]:
        """What each service costs for a basket of so much. Raises ConfigError where a policy lacks a figure."""
        return [self._quote(destination, service, basket_minor) for service in destination.services]

    def _quote(self, destination: Destination, service: Service, basket_minor: int) -> Quote:
        cost = self._amount(destination, service.cost)
        free_from = self._amount(destination, service.free_from) if service.free_from else None
        is_free = free_from is not None and basket_minor >= free_from
        return Quote(service.name, 0 if is_free else cost, self._figure(destination, service.days), free_from)

    def _amount(self, destination: Destination, pattern: str) -> int:
        try:
            return to_minor(self._figure(destination, pattern), self.currency)
        except InputError as error:
            raise ConfigError(f"{destination.place}: {pattern!r} finds no amount ({error})") from error

    def _figure(self, destination: Destination, pattern: str) -> str:
        return figure_in(destination.section, pattern, self.policies, destination.place)


def read_destinations(path: Path) -> tuple[Destination, ...]:
    """Read delivery.yaml; none for a shop without one, whose policies are told instead.

    Raises ConfigError naming the key that is wrong.
    """
    return parse_yaml(path, TypeAdapter(tuple[Destination, ...]), optional=True)


def quote_line(quote: Quote, basket_minor: int, place: str, currency: str, locale: str) -> str:
    """A quote as a sentence: "Standard shipping of a $60.00 order to Alaska costs $14.95 and takes 5 to 9 days."."""

    def money(minor: int) -> str:
        return format_money(minor, currency, locale)

    cost = "is free" if quote.cost_minor == 0 else f"costs {money(quote.cost_minor)}"
    line = f"{quote.service} of a {money(basket_minor)} order to {place} {cost} and takes {quote.days}"
    if quote.cost_minor and quote.free_from_minor is not None:
        line += f"; it is free from {money(quote.free_from_minor)}"
    return f"{line}."
