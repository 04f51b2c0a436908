"""Did it go as a good shop would have it? What had to be said, what must not be, and the database afterwards."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from evals.gym.records import LiveFacts, Records, at
from evals.gym.scenarios import Expected, ExpectedChange, Scenario, Step, Wanted
from evals.gym.trial import Exchange, State
from evals.metrics import plain


def failures_of(
    scenario: Scenario,
    exchanges: Sequence[Exchange],
    before: State,
    after: State,
    records: Records,
    live: Sequence[LiveFacts],
) -> Iterator[str]:
    """Yield what went wrong, in words; nothing for a success. `live` are the facts as of each exchange."""
    for exchange, facts in zip(exchanges, live, strict=True):
        where = f"message {exchange.step + 1}"
        if exchange.error:
            yield f"{where}: {exchange.error}"
        yield from (f"{where}: {found}" for found in exchange.wrong)
        yield from _unsaid(scenario.steps[exchange.step], exchange.answer, where, records, facts)
    told = "\n".join(exchange.answer for exchange in exchanges)
    yield from _unsaid(scenario.expect, told, "altogether", records, live[-1])
    yield from state_failures(scenario.expect, before, after)


def _unsaid(part: Step | Expected, answer: str, where: str, records: Records, live: LiveFacts) -> Iterator[str]:
    text = plain(answer)
    for wanted in part.must_say:
        if not any(records.pattern(one, live).search(text) for one in _ways(wanted)):
            yield f"{where}: does not say {' or '.join(repr(one) for one in _ways(wanted))}"
    for unwanted in part.must_not_say:
        if records.pattern(unwanted, live).search(text):
            yield f"{where}: says {unwanted!r}"


def _ways(wanted: Wanted) -> tuple[str, ...]:
    return (wanted,) if isinstance(wanted, str) else wanted


def state_failures(expected: Expected, before: State, after: State) -> Iterator[str]:
    """Every order as expected or as it was, the audit as expected and nothing else, the tickets as expected."""
    for order_id, order in after.orders.items():
        if order_id in expected.orders:
            yield from _differences(order_id, expected.orders[order_id], order)
        elif order != before.orders.get(order_id) or after.statuses[order_id] != before.statuses.get(order_id):
            yield f"order {order_id} was changed"
    yield from (f"order {order_id} is not there" for order_id in expected.orders.keys() - after.orders.keys())
    yield from _audit_failures(expected.changes, after.changes)
    if expected.tickets is not None:
        yield from _ticket_failures(expected.tickets, after.tickets)


def _differences(name: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for path, value in expected.items():
        if (stands := at(found, path)) != value:
            yield f"{name}: {path} is {stands!r}, not {value!r}"


def _audit_failures(expected: Iterable[ExpectedChange], found: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    left = [dict(row) for row in found]
    for change in expected:
        wanted = {"order_id": change.order, "action": change.action}
        wanted |= {"section": change.section} if change.section else {}
        fitting = [row for row in left if not list(_differences("", {**wanted, **change.details}, row))]
        if not fitting:
            yield f"no {change.action} of {change.order} {change.details or ''} was written".replace("  ", " ")
            continue
        left.remove(fitting[0])
    yield from (f"{row['action']} of {row['order_id']} was written, which nobody wanted" for row in left)


def _ticket_failures(expected: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(expected) != len(found):
        yield f"there are {len(found)} tickets, not {len(expected)}"
        return
    for number, (wanted, ticket) in enumerate(zip(expected, found, strict=True), start=1):
        yield from _differences(f"ticket {number}", wanted, ticket)
