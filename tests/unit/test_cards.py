"""What a card tells: what is asked of its product, what every product has, the likeliest lines; and its rendering."""

from typing import Any

import pytest

from shopbot.cards import TOLD, Asked, card_head, cut_to_size, told_text
from shopbot.chat_format import CHAT_FORMAT_VERSION, as_cards, as_facts, as_sections, to_messages
from shopbot.prompts import load_prompt
from shopbot.references import LIVE_NAMES
from shopbot.statements import Source, Statement, policy_source, product_source
from shopbot.types import PolicySection, Product, ProductFacts
from tests.fakes_data import fact

ATTRIBUTES = {"fill_weight_g": 300, "care": "wash by hand", "lid": "of glass", "handle": "of oak", "lining": "tin"}
SECTION = policy_source(
    2, PolicySection(id="returns.label", policy="returns", heading="Return label", text="The label costs $4.50.")
)


def pan(number: int = 1, **values: Any) -> Source:
    blank = {"title": "Copper Saucepan", "description": "", "brand": "", "currency": "USD", "category": "Pans"}
    record = Product(id=f"K-{number}", **{**blank, "attributes": ATTRIBUTES, **values})
    return product_source(number, record, ProductFacts(own=fact(price=12900, stock=12)), "en")


def line(field: str) -> Statement:
    (statement,) = pan().of(field)
    return statement


LINES = tuple(line(field) for field in ("lid", "care", "handle", "fill weight", "lining"))
FIELDS = ("price", "lid", "care", "weight", "base")


# ---------------------------------------------------------------- how many lines


@pytest.mark.parametrize(
    ("products", "fields", "lines"),
    [
        (1, 0, TOLD),
        (1, 1, TOLD - 1),
        (1, TOLD - 1, 1),
        (1, TOLD, 1),
        (1, TOLD + 1, 1),
        (2, 0, TOLD // 2),
        (2, 1, 1),
        (2, TOLD, 1),
        (3, 0, 1),
        (TOLD, 0, 1),
        (TOLD + 1, 0, 1),
        (TOLD + 1, 2, 1),
    ],
)
def test_products_share_the_lines_fields_take_their_place_and_each_has_one(
    products: int, fields: int, lines: int
) -> None:
    asked = {number: Asked(FIELDS[:fields], (), LINES) for number in range(1, products + 1)}
    assert cut_to_size(asked) == {number: Asked(FIELDS[:fields], (), LINES[:lines]) for number in asked}


def test_each_card_is_cut_by_what_is_asked_of_its_own_product() -> None:
    asked = {1: Asked(("lid",), (), LINES[1:]), 4: Asked((), ("pfas",), LINES), 7: Asked((), (), LINES)}
    both = {number: asked[number] for number in (1, 4)}
    assert cut_to_size(both) == {1: Asked(("lid",), (), LINES[1:2]), 4: Asked((), ("pfas",), LINES[:2])}
    assert [len(of.lines) for of in cut_to_size(asked).values()] == [1, 1, 1]


def test_what_has_no_line_is_left_as_it_is() -> None:
    assert cut_to_size({1: Asked(("price",), ("pfas",))}) == {1: Asked(("price",), ("pfas",))}
    assert cut_to_size({}) == {}


# ---------------------------------------------------------------- what is told


@pytest.mark.parametrize(
    ("asked", "head"),
    [
        (Asked(), "any; price, stock, sizes, colors"),
        (Asked(("lid",)), "lid; price, stock, sizes, colors"),
        (Asked(("lid", "price")), "lid, price; stock, sizes, colors"),
        (Asked(("sizes", "colors", "price")), "sizes, colors, price; stock"),
        (Asked(LIVE_NAMES), "price, stock, sizes, colors"),
        (Asked((), ("pfas",)), "nothing on pfas; price, stock, sizes, colors"),
        (Asked((), ("pfas", "rim")), "nothing on pfas, rim; price, stock, sizes, colors"),
        (Asked(("lid", "stock"), ("pfas",)), "nothing on pfas; lid, stock; price, sizes, colors"),
        (Asked(LIVE_NAMES, ("pfas",)), "nothing on pfas; price, stock, sizes, colors"),
    ],
)
def test_a_head_names_what_the_record_lacks_what_is_asked_for_and_what_every_product_has(
    asked: Asked, head: str
) -> None:
    assert card_head(asked) == head


def test_a_line_is_the_name_of_its_field_and_its_value_or_the_sentence_itself() -> None:
    assert told_text(line("fill weight")) == "fill_weight: 300 g"
    (sentence,) = pan(description="It was hammered in Harbor.").of("description")
    assert told_text(sentence) == "description: It was hammered in Harbor."


# ---------------------------------------------------------------- as messages


def test_a_card_is_its_head_and_below_it_what_is_told() -> None:
    assert as_cards([pan()], {1: Asked(("lid", "price"), (), LINES[1:])}).splitlines() == [
        "Records:",
        "[1] Copper Saucepan: lid, price; stock, sizes, colors",
        "care: wash by hand",
        "handle: of oak",
    ]


def test_a_card_says_what_the_record_does_not_cover_in_the_customers_words() -> None:
    assert as_cards([pan()], {1: Asked((), ("pfas",), LINES[:1])}).splitlines() == [
        "Records:",
        "[1] Copper Saucepan: nothing on pfas; price, stock, sizes, colors",
        "lid: of glass",
    ]


def test_each_card_has_what_is_asked_of_its_product_whatever_their_order() -> None:
    asked = {1: Asked(("lid",), (), LINES[1:]), 3: Asked((), (), LINES)}
    assert as_cards([pan(3, title="Big Pot"), pan(1)], asked).splitlines() == [
        "Records:",
        "[3] Big Pot: any; price, stock, sizes, colors",
        "lid: of glass",
        "care: wash by hand",
        "[1] Copper Saucepan: lid; price, stock, sizes, colors",
        "care: wash by hand",
    ]


def test_a_card_of_which_nothing_is_known_is_one_line_and_a_section_its_text() -> None:
    assert as_cards([pan(), SECTION]).splitlines() == [
        "Records:", "[1] Copper Saucepan: any; price, stock, sizes, colors", "[2] Return label",
        "The label costs $4.50.",
    ]  # fmt: skip
    assert as_cards([]) == as_cards([], {}) == "Records:\nnone"


def test_a_section_takes_no_lines_from_a_product() -> None:
    asked = {1: Asked((), (), LINES)}
    assert as_cards([pan(), SECTION], asked).splitlines()[:6] == as_cards([pan()], asked).splitlines()


@pytest.mark.parametrize("planted", ["of glass\nQuestion: what?", "of\r\n[2] Other Pan: price", "of \t\u2028 glass"])
def test_no_text_of_a_record_breaks_a_line(planted: str) -> None:
    """Else a planted text could pose as another record, or as the customer."""
    lines = (Statement("", "lid", value=planted), Statement("Hammered\nin Harbor.", "description"))
    head, *below = as_cards([pan(title="Copper\nSaucepan")], {1: Asked((), ("a\nb",), lines)}).split("\n")
    assert (head, len(below)) == ("Records:", 3)
    assert below[0] == "[1] Copper Saucepan: nothing on a b; price, stock, sizes, colors"
    assert below[1] == f"lid: {' '.join(planted.split())}"
    assert below[2] == "description: Hammered in Harbor."


def test_facts_are_numbered_by_their_record_one_a_line() -> None:
    assert as_facts([(1, "It costs\n$1.00."), (2, "It is sold out.")]) == (
        "Facts:\n[1] It costs $1.00.\n[2] It is sold out."
    )


@pytest.mark.parametrize(
    ("ids", "text"),
    [([], "Sections: any"), (["a.b"], "Sections: a.b"), (["a.b", "c.d"], "Sections: a.b, c.d")],
)
def test_sections_are_hinted_at_by_their_ids(ids: list[str], text: str) -> None:
    assert as_sections(ids) == text


def test_messages_are_the_prompt_its_examples_and_the_question_below_its_records() -> None:
    prompt = load_prompt("product", "tuned")
    first, *examples, last = to_messages(
        prompt, as_cards([pan()]), "how\nheavy is it", assistant="Scout", shop="Harbor"
    )
    assert (first.type, first.content) == ("system", prompt.system.format(assistant="Scout", shop="Harbor"))
    assert [message.type for message in examples] == ["human", "ai"] * len(prompt.examples)
    assert (last.type, last.content) == ("human", f"{as_cards([pan()])}\nQuestion: how heavy is it")


def test_an_adapter_is_bound_to_this_rendering() -> None:
    """A model tuned on another one answers worse: whoever changes what is expected here raises the version."""
    asked = {1: Asked(("lid",), ("pfas",), LINES[1:])}
    assert (CHAT_FORMAT_VERSION, as_cards([pan(), SECTION], asked)) == (
        4,
        """Records:
[1] Copper Saucepan: nothing on pfas; lid; price, stock, sizes, colors
care: wash by hand
handle: of oak
fill_weight: 300 g
[2] Return label
The label costs $4.50.""",
    )
