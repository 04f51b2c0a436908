"""What a card tells: the fields asked for, then the nearest lines, shared among the products, never live facts."""

from typing import Any

import pytest

from shopbot.cards import TOLD, Asked, cards_of
from shopbot.chat_format import as_cards
from shopbot.statements import Source, policy_source, product_source
from shopbot.types import PolicySection, Product, ProductFacts
from tests.fakes_data import HashEmbedder, fact

ATTRIBUTES = {
    "weight_g": 300,
    "care": "wash by hand",
    "lid": "of glass",
    "handle": "of oak",
    "base": "fit for every hob",
    "lining": "tin",
}
SECTION = policy_source(
    2, PolicySection(id="returns.label", policy="returns", heading="Return label", text="The label costs $4.50.")
)


def pan(number: int = 1, **values: Any) -> Source:
    blank = {"title": "Copper Saucepan", "description": "", "brand": "", "currency": "USD", "category": "Pans"}
    record = Product(id=f"K-{number}", **{**blank, "attributes": ATTRIBUTES, **values})
    return product_source(number, record, ProductFacts(own=fact(price=12900, stock=12)), "en")


def told(question: str, *sources: Source) -> dict[int, list[str]]:
    cards = cards_of(question, sources, {}, HashEmbedder())
    return {number: [statement.field for statement in card.lines] for number, card in cards.items()}


# ---------------------------------------------------------------- which


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ("is the lid of glass", "lid"),
        ("how heavy is it", "weight"),
        ("may I wash it", "care"),
        ("tin inside?", "lining"),
    ],
)
def test_the_nearest_line_comes_first(question: str, field: str) -> None:
    assert told(question, pan())[1][0] == field


def test_lines_come_nearest_first() -> None:
    assert told("handle of oak, lid of what, tin", pan())[1][:3] == ["handle", "lid", "lining"]


def test_words_by_which_a_field_is_spoken_of_count_beside_the_words_of_its_line() -> None:
    """No word of "care: wash by hand" is asked for; the embedder of these tests knows words alone."""
    assert told("how to clean it", pan())[1][0] == "care"


def test_sentences_of_the_description_are_lines_too() -> None:
    described = pan(description="It was hammered in Harbor. Nickel keeps the rim bright.")
    (nearest, *_) = cards_of("does nickel keep the rim bright", [described], {}, HashEmbedder())[1].lines
    assert (nearest.field, nearest.text) == ("description", "Nickel keeps the rim bright.")


@pytest.mark.parametrize("question", ["what does it cost", "price", "is it in stock, how many are left", "the lid"])
def test_live_facts_are_never_told_not_even_as_attributes(question: str) -> None:
    only = pan(attributes={"price": "moderate", "stock": "plenty", "lid": "of glass"})
    assert {("price", "moderate"), ("stock", "plenty")} <= {(s.field, s.value) for s in only.statements}
    assert told(question, only) == {1: ["lid"]}


def test_what_is_said_without_a_value_is_not_told() -> None:
    """Sizes, colours and the category: those that can be referred to stand in the card's list of fields."""
    only = pan(attributes={"lid": "of glass"})
    assert "category" in {statement.field for statement in only.statements}
    assert told("which category", only) == {1: ["lid"]}


def test_the_words_of_the_title_do_not_count_in_the_question() -> None:
    attributes = {"copper": "a copper saucepan of copper", "lid": "of glass"}
    assert told("lid of the copper saucepan", pan(attributes=attributes))[1][0] == "lid"
    assert told("lid of the copper saucepan", pan(attributes=attributes, title="Big Pot"))[1][0] == "copper"


def test_a_question_of_nothing_but_the_title_is_taken_as_it_is() -> None:
    assert told("Copper Saucepan", pan(attributes={**ATTRIBUTES, "note": "copper saucepan"}))[1][0] == "note"


# ---------------------------------------------------------------- how many


@pytest.mark.parametrize(("count", "lines"), [(1, TOLD), (2, TOLD // 2), (TOLD, 1), (TOLD + 1, 1)])
def test_products_share_the_number_of_lines_and_each_has_one(count: int, lines: int) -> None:
    found = told("is the lid of glass", *(pan(number) for number in range(1, count + 1)))
    assert list(found) == list(range(1, count + 1))
    assert {len(fields) for fields in found.values()} == {lines}
    assert {fields[0] for fields in found.values()} == {"lid"}


def test_a_product_without_statements_has_no_line() -> None:
    embedder = HashEmbedder()
    assert cards_of("is the lid of glass", [pan(attributes={})], {}, embedder)[1].lines == ()
    assert embedder.embedded == []
    assert told("is the lid of glass", pan(attributes={}), pan(2)) == {1: [], 2: ["lid", "handle"]}


def test_without_a_product_nothing_is_told_or_embedded() -> None:
    embedder = HashEmbedder()
    assert cards_of("what is the label", [SECTION], {}, embedder) == {}
    assert cards_of("what is the label", [], {}, embedder) == {}
    assert embedder.embedded == []


def test_fields_that_are_asked_for_take_the_place_of_lines_and_are_not_told_again() -> None:
    asked = {1: Asked(("lid", "care"))}
    (card,) = cards_of("is the lid of glass, may I wash it", [pan()], asked, HashEmbedder()).values()
    assert card.asked == asked[1]
    assert len(card.lines) == TOLD - 2
    assert {"lid", "care"}.isdisjoint(statement.field for statement in card.lines)


def test_however_much_is_asked_for_one_line_is_told() -> None:
    asked = {1: Asked(("lid", "care", "weight", "base", "price"))}
    assert len(cards_of("tin?", [pan()], asked, HashEmbedder())[1].lines) == 1


# ---------------------------------------------------------------- on the card


def test_a_card_names_what_is_asked_for_then_what_every_product_has_and_below_them_what_is_told() -> None:
    source = pan(attributes={"fill_weight_g": 300, "lid": "of glass"}, description="Hammered\nin Harbor.")
    cards = cards_of("fill weight, price?", [source], {1: Asked(("lid", "price"))}, HashEmbedder())
    head, *below = as_cards([source], cards).splitlines()
    assert (head, below[0]) == ("Records:", "[1] Copper Saucepan: lid, price; stock, sizes, colors")
    assert below[1] == "fill_weight: 300 g"


def test_a_card_says_what_the_record_does_not_cover_in_the_customers_words() -> None:
    source = pan(attributes={"lid": "of glass"})
    cards = cards_of("is it pfas free", [source], {1: Asked((), ("pfas",))}, HashEmbedder())
    assert as_cards([source], cards).splitlines()[1:] == [
        "[1] Copper Saucepan: nothing on pfas; price, stock, sizes, colors", "lid: of glass"
    ]  # fmt: skip


def test_a_card_of_which_nothing_is_known_is_one_line_and_a_section_its_text() -> None:
    assert as_cards([pan(attributes={"lid": "of glass"}), SECTION]).splitlines() == [
        "Records:", "[1] Copper Saucepan: any; price, stock, sizes, colors", "[2] Return label",
        "The label costs $4.50.",
    ]  # fmt: skip
    assert as_cards([]) == "Records:\nnone"
