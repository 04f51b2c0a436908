"""What delivery costs: every figure stands in a policy, and a changed policy changes the answer."""

from pathlib import Path

import pytest

from shopbot.delivery import DeliveryRates, quote_line, read_destinations
from shopbot.errors import ConfigError
from tests.unit.test_order_rules import CAIRN, POLICIES

DESTINATIONS = read_destinations(CAIRN.delivery)


def rates(section: str = "", change: tuple[str, str] = ("", "")) -> DeliveryRates:
    policies = dict(POLICIES)
    if section:
        assert change[0] in policies[section].text
        text = policies[section].text.replace(*change)
        policies[section] = policies[section].model_copy(update={"text": text})
    return DeliveryRates(DESTINATIONS, policies, "USD")


def costs(question: str, basket: int, found: DeliveryRates | None = None) -> list[tuple[int, str]]:
    known = found or rates()
    destination = known.destination(question)
    assert destination is not None
    return [(quote.cost_minor, quote.days) for quote in known.quotes(destination, basket)]


def test_every_figure_stands_in_the_policies_of_the_sample_shop() -> None:
    rates().check()


def test_a_figure_that_its_policy_does_not_say_is_named() -> None:
    with pytest.raises(ConfigError, match=r"delivery.yaml: Alaska.*'shipping.alaska-hawaii'"):
        rates("shipping.alaska-hawaii", ("costs $14.95", "is costly")).check()


@pytest.mark.parametrize(
    ("question", "basket", "expected"),
    [
        ("shipping to Alaska", 6000, [(1495, "5 to 9 business days"), (3495, "4 business days")]),
        ("shipping to hawaii", 15000, [(0, "5 to 9 business days"), (3495, "4 business days")]),
        ("what is shipping", 7499, [(695, "3 to 5 business days"), (1795, "2 business days")]),
        ("what is shipping", 7500, [(0, "3 to 5 business days"), (1795, "2 business days")]),
        ("shipping to Texas", 1000, [(695, "3 to 5 business days"), (1795, "2 business days")]),
        ("to a P.O. box", 1000, [(695, "3 to 5 business days")]),
        ("to an APO address", 1000, [(695, "10 to 20 business days")]),
        ("delivery to Canada", 99900, [(1995, "5 to 8 business days")]),
        ("delivery to New Mexico", 1000, [(695, "3 to 5 business days"), (1795, "2 business days")]),
        ("delivery to Germany", 1000, [(3495, "7 to 12 business days")]),
        ("delivery to New Zealand", 1000, [(3995, "8 to 14 business days")]),
    ],
)
def test_cost_and_time_by_place_and_basket(question: str, basket: int, expected: list[tuple[int, str]]) -> None:
    assert costs(question, basket) == expected


def test_a_place_that_nothing_is_said_of_is_not_the_usual_one() -> None:
    assert rates().destination("shipping to Brazil") is None
    assert rates().destination("shipping to me") is not None


def test_a_changed_policy_changes_the_answer() -> None:
    changed = rates("shipping.alaska-hawaii", ("costs $14.95", "costs $16.50"))
    assert costs("to Alaska", 6000, changed)[0] == (1650, "5 to 9 business days")


def test_a_quote_says_from_where_on_it_is_free() -> None:
    known = rates()
    destination = known.destination("Alaska")
    assert destination is not None
    lines = [quote_line(quote, 6000, "Alaska", "USD", "en-US") for quote in known.quotes(destination, 6000)]
    assert lines == [
        "Standard shipping of a $60.00 order to Alaska costs $14.95 and takes 5 to 9 business days;"
        " it is free from $150.00.",
        "Express shipping of a $60.00 order to Alaska costs $34.95 and takes 4 business days.",
    ]


def test_a_shop_without_the_file_tells_its_policies_instead(tmp_path: Path) -> None:
    assert read_destinations(tmp_path / "delivery.yaml") == ()


@pytest.mark.parametrize("text", ["- {place: x}", "a: [", "- {place: x, section: y, services: [], extra: 1}"])
def test_a_file_that_is_wrong_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "delivery.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"delivery\.yaml"):
        read_destinations(path)
