"""From the words of a question to the statements that answer it; what the record lacks is said to be lacking."""

import pytest

from graph.asks import fitting_rows, requested
from shopbot.statements import Source, policy_source, product_source
from shopbot.types import PolicySection, Product, ProductFacts, Variant
from tests.fakes_data import fact


def jacket() -> Source:
    sizes = [("S", "Ink Blue"), ("M", "Ink Blue"), ("XL", "Ink Blue"), ("S", "Moss"), ("M", "Moss"), ("XL", "Moss")]
    variants = tuple(Variant(sku=f"{size}-{color}", size=size, color=color) for size, color in sizes)
    item = Product(
        id="P1",
        title="Fulmar Down Jacket",
        description="A warm jacket for dry cold. Its collar is lined with fleece.",
        category="Jackets",
        brand="Gale",
        currency="USD",
        attributes={
            "weight_g": 515,
            "fill_power": 800,
            "hood": "helmet-compatible",
            "waterproof": "water-repellent, not waterproof",
            "care": "machine wash at 30 °C",
            "warranty": "5 years",
            "season": ["autumn", "winter"],
        },
        variants=variants,
    )
    stock = {
        variant.sku: fact(variant.sku, price=None, stock=0 if variant.sku == "M-Moss" else 4) for variant in variants
    }
    stock["XL-Ink Blue"] = fact("XL-Ink Blue", price=36900, stock=4)
    return product_source(1, item, ProductFacts(own=fact("", price=34900, stock=None), variants=stock), "en-US")


SOURCE = jacket()


def fields(question: str) -> list[str]:
    statements, unanswered = requested(question, SOURCE)
    assert unanswered == []
    return list(dict.fromkeys(statement.field for statement in statements))


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How much is the Fulmar Down Jacket?", ["price"]),
        ("what does the fulmar cost", ["price"]),
        ("how expensive is it", ["price"]),
        ("how much does it go for", ["price"]),
        ("is it in stock?", ["stock"]),
        ("is it availble?", ["stock"]),
        ("How much does it weigh?", ["weight"]),
        ("how heavy is the fulmar", ["weight"]),
        ("is it waterproof?", ["waterproof"]),
        ("can it get wet in the rain", ["waterproof"]),
        ("does it have a hood?", ["hood"]),
        ("how do I wash it?", ["care"]),
        ("what sizes does it come in?", ["sizes"]),
        ("which colours are there?", ["colors"]),
        ("is there a guarantee?", ["warranty"]),
    ],
)
def test_a_question_gets_the_field_that_it_asks_for(question: str, expected: list[str]) -> None:
    assert fields(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What does it cost and what does it weigh?", {"price", "weight"}),
        ("price and weight please", {"price", "weight"}),
        ("Is it waterproof and how do I wash it?", {"waterproof", "care"}),
    ],
)
def test_a_question_for_two_fields_gets_both(question: str, expected: set[str]) -> None:
    assert set(fields(question)) == expected


def test_a_question_that_only_names_the_product_gets_what_it_is_and_costs() -> None:
    assert set(fields("The Fulmar Down Jacket?")) == {"description", "price", "stock"}


def test_the_words_of_the_title_ask_for_nothing() -> None:
    """ "Down" stands in the title: the question is not about the down."""
    assert fields("how much is the fulmar down jacket") == ["price"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is it available in M?", ["In Ink Blue, the Fulmar Down Jacket is in stock in sizes S, M and XL.",
                                   "In Moss, the Fulmar Down Jacket is sold out in size M."]),
        ("do you have it in medium?", ["In Ink Blue, the Fulmar Down Jacket is in stock in sizes S, M and XL.",
                                       "In Moss, the Fulmar Down Jacket is sold out in size M."]),
        ("is it available in moss in size s?", ["In Moss, the Fulmar Down Jacket is in stock in sizes S and XL."]),
        ("does it come in blue?", ["In Ink Blue, the Fulmar Down Jacket is in stock in sizes S, M and XL."]),
        ("how much is it in XL?", ["In size XL, the Fulmar Down Jacket costs $369.00."]),
        ("how much is it in S?", ["The Fulmar Down Jacket costs $349.00."]),
    ],
)  # fmt: skip
def test_a_named_size_or_colour_gets_its_own_price_or_stock(question: str, expected: list[str]) -> None:
    statements, _ = requested(question, SOURCE)
    assert [statement.text for statement in statements] == expected


def test_a_size_that_is_not_made_gets_no_stock_of_another() -> None:
    statements, _ = requested("Is it available in XXXL?", SOURCE)
    assert all("XXXL" not in statement.text for statement in statements)
    assert {"sizes", "stock"} & {statement.field for statement in statements}


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("Does it have bluetooth?", ["bluetooth"]),
        ("What is its UV rating?", ["uv"]),
        ("Is it fireproof?", ["fireproof"]),
    ],
)
def test_what_the_record_does_not_say_is_named_as_missing(question: str, missing: list[str]) -> None:
    statements, unanswered = requested(question, SOURCE)
    assert statements == []
    assert unanswered == missing


@pytest.mark.parametrize("question", ["What is its UV rating?", "Is it warmer than a bluetooth jacket?"])
def test_a_word_of_no_record_is_not_answered_with_something_near_it(question: str) -> None:
    """`unknown` is what the lexicon finds in no record of the whole catalog."""
    unknown = [word for word in ("uv", "bluetooth") if word in question.lower()]
    assert requested(question, SOURCE, unknown)[0] == []


def test_a_word_of_the_description_finds_its_sentence() -> None:
    """Also one that looks like a word of asking: a collar is no dollar."""
    statements, _ = requested("Is the collar lined?", SOURCE)
    assert [statement.text for statement in statements] == ["Its collar is lined with fleece."]


TABLE = policy_source(
    1,
    PolicySection(
        id="size-tops.chart",
        policy="size-tops",
        heading="Tops",
        text="| Size | Chest (cm) |\n|---|---|\n| S | 87 to 94 |\n| M | 95 to 102 |\n| L | 103 to 110 |\n\nMeasure.",
    ),
).statements


@pytest.mark.parametrize(
    ("question", "sizes"),
    [
        ("chest of 105 cm", ["L"]),
        ("my chest is 95", ["M"]),
        ("my chest is 102 cm", ["M"]),
        ("my chest is 102.5 cm", []),
        ("94 or 95", ["S", "M"]),
        ("what size am I", []),
        ("1,000,000", []),
    ],
)
def test_a_number_finds_the_row_that_it_lies_in(question: str, sizes: list[str]) -> None:
    assert [row.text[0] for row in fitting_rows(question, TABLE)] == sizes
