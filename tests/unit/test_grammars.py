"""What a reply may refer to: the fields asked for once each in any order, or none; otherwise what the card shows."""

from collections.abc import Sequence

import pytest

from shopbot.cards import Asked
from shopbot.grammars import MOST_IN_ANY_ORDER, of_citations, of_references
from shopbot.statements import Source, policy_source, product_source
from shopbot.types import PolicySection, Product

NO_OPTIONS: dict[int, Sequence[str]] = {}


def product(number: int = 1) -> Source:
    attributes = {"weight_g": 515, "drop_mm": 8, "care": "wash cold", "hood": "none", "fill": "down"}
    item = Product(
        id=f"P{number}", title=f"Fulmar {number}", description="x", category="Jackets", brand="Gale", currency="USD",
        attributes=attributes, variants=(),
    )  # fmt: skip
    return product_source(number, item, None, "en-US")


def rules(grammar: str | None) -> dict[str, str]:
    assert grammar is not None
    return dict(line.split(" ::= ", 1) for line in grammar.splitlines())


def test_what_is_asked_for_is_told_once_in_any_order_or_not_at_all() -> None:
    found = rules(of_references([product()], {1: Asked(("weight", "drop"))}, NO_OPTIONS))
    assert found["root"].split(" | ") == ["text", "text r0 text r1 text", "text r1 text r0 text"]
    assert found["r0"] == '"{1.weight}"'
    assert found["r1"] == '"{1.drop}"'
    assert found["text"] == "[^{}]*"


def test_a_stock_is_told_for_the_options_of_the_question() -> None:
    asked = {1: Asked(("stock", "weight"))}
    found = rules(of_references([product()], asked, {1: ("M", "Ink Blue")}))
    assert found["r0"] == '"{1.stock:M,Ink Blue}"'
    assert found["r1"] == '"{1.weight}"'


def test_two_records_are_both_told_of() -> None:
    asked = {1: Asked(("weight",)), 2: Asked(("weight",))}
    found = rules(of_references([product(1), product(2)], asked, NO_OPTIONS))
    assert [found["r0"], found["r1"]] == ['"{1.weight}"', '"{2.weight}"']


def test_more_than_a_few_are_told_in_any_order_and_number() -> None:
    fields = ("weight", "drop", "care", "hood", "fill")
    assert len(fields) > MOST_IN_ANY_ORDER
    found = rules(of_references([product()], {1: Asked(fields)}, NO_OPTIONS))
    references = " | ".join(f'"{{1.{name}}}"' for name in fields)
    assert found["root"] == f"text (({references}) text)*"


def test_where_the_record_is_silent_only_the_lines_of_the_card_can_be_told() -> None:
    source = product()
    asked = {1: Asked((), ("pockets",), source.of("hood"))}
    assert rules(of_references([source], asked, NO_OPTIONS))["root"] == 'text (("{1.hood}") text)*'


def test_where_nothing_is_asked_for_by_name_everything_that_exists_can_be_told() -> None:
    root = rules(of_references([product()], {}, NO_OPTIONS))["root"]
    assert '"{1.price}"' in root
    assert '"{1.hood}"' in root
    assert "{1.sizes}" not in root  # it is made in none


def test_a_reply_over_policies_refers_to_nothing() -> None:
    section = PolicySection(id="returns.window", policy="Returns", heading="Window", text="45 days.")
    assert of_references([policy_source(1, section)], {}, NO_OPTIONS) is None


def test_a_reply_begins_with_one_of_the_hints() -> None:
    found = rules(of_citations(["returns.window", "returns.label"]))
    assert found["root"] == '("[returns.window]" | "[returns.label]") text'
    assert of_citations([]) is None


@pytest.mark.parametrize(
    ("marker", "written"), [('a"b', '("[a\\"b]") text'), ("a\\b", '("[a\\\\b]") text'), ("a\nb", '("[a\\nb]") text')]
)
def test_no_name_can_break_out_of_its_quotes(marker: str, written: str) -> None:
    assert rules(of_citations([marker]))["root"] == written
