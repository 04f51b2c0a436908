"""Sentences around references: what speaks of the field, of the product and of nothing else is filled in and shown."""

from collections.abc import Mapping, Sequence

import pytest

from graph.frames import Setting, check_frame
from graph.lexicon import Lexicon
from graph.verify import Check, Finding
from shopbot.statements import Source, policy_source, product_source
from shopbot.types import PolicySection, Product, ProductFacts, Variant
from tests.fakes_data import fact
from tests.unit.test_verify_catalog import catalog, lexicon

JACKET = Product(
    id="P1",
    title="Fulmar Down Jacket",
    description="A warm jacket for dry cold.",
    category="Jackets",
    brand="Gale",
    currency="USD",
    attributes={
        "weight_g": 515,
        "fill_weight_g": 195,
        "fill": "800-fill goose down",
        "waterproof": "water-repellent finish, not waterproof",
        "materials": "recycled nylon shell",
        "comfort_temp_c": -5,
        "limit_temp_c": -12,
        "warranty": "5 years",
    },
    variants=tuple(
        Variant(sku=f"P1-{size}-{color}", size=size, color=color) for color in ("Ink", "Moss") for size in "SML"
    ),
)
VEST = JACKET.model_copy(update={"id": "P2", "title": "Fulmar Down Vest", "variants": ()})
KNIFE = JACKET.model_copy(
    update={"id": "P3", "title": "Chef's Knife 20", "variants": (), "attributes": {"blade_cm": 20}}
)
LEXICON = Lexicon({product.id: product for product in (JACKET, VEST, KNIFE)}, {})


def jacket(
    price: int | None = 34900, sale: int | None = None, gone: Sequence[str] = ("P1-L-Ink", "P1-L-Moss")
) -> Source:
    variants = {v.sku: fact(v.sku, stock=0 if v.sku in gone else 4) for v in JACKET.variants}
    variants["P1-M-Moss"] = fact("P1-M-Moss", price=36900, stock=4)
    return product_source(1, JACKET, ProductFacts(own=fact(price=price, sale=sale), variants=variants), "en-US")


SOURCE = jacket()
VEST_SOURCE = product_source(2, VEST, ProductFacts(own=fact(price=19900, stock=1)), "en-US")
POLICY = policy_source(
    2, PolicySection(id="returns.window", policy="returns", heading="Return window", text="You have 45 days.")
)
BOTH = {1: SOURCE, 2: VEST_SOURCE}


def checked(
    sentence: str,
    sources: Mapping[int, Source] | None = None,
    options: Sequence[str] = (),
    previous: Source | None = None,
) -> tuple[Check, str]:
    """Check a sentence over these records, the jacket alone by default; `options` are asked of record 1."""
    return check_frame(sentence, Setting(sources or {1: SOURCE}, LEXICON, "en-US", {1: options}, previous))


# ---------------------------------------------------------------- what passes


@pytest.mark.parametrize(
    ("sentence", "text", "fields"),
    [
        ("The Fulmar Down Jacket costs {1.price}.", "The Fulmar Down Jacket costs $349.00.", {"price"}),
        ("It costs {1.price}.", "It costs $349.00.", {"price"}),
        ("Price: {1.price}.", "Price: $349.00.", {"price"}),
        ("The down jacket costs {1.price}.", "The down jacket costs $349.00.", {"price"}),
        ("{1.price} is what you pay for it.", "$349.00 is what you pay for it.", {"price"}),
        ("The record gives {1.weight} as its weight.", "The record gives 515 g as its weight.", {"weight"}),
        ("We list the weight of the Fulmar Down Jacket as {1.weight}.",
         "We list the weight of the Fulmar Down Jacket as 515 g.", {"weight"}),
        ("It weighs {1.weight}.", "It weighs 515 g.", {"weight"}),
        ("{1.weight} is the weight.", "515 g is the weight.", {"weight"}),
        ("Fill weight of the Fulmar Down Jacket: {1.fill_weight}.",
         "Fill weight of the Fulmar Down Jacket: 195 g.", {"fill weight"}),
        ("The limit temperature of the Fulmar Down Jacket is {1.limit_temp}.",
         "The limit temperature of the Fulmar Down Jacket is -12 °C.", {"limit temp"}),
        ("The record says this of water: {1.waterproof}.",
         "The record says this of water: water-repellent finish, not waterproof.", {"waterproof"}),
        ("Sizes of the Fulmar Down Jacket: {1.sizes}.", "Sizes of the Fulmar Down Jacket: S, M and L.", {"sizes"}),
        ("Colors: {1.colors}.", "Colors: Ink and Moss.", {"colors"}),
        ("Stock of the Fulmar Down Jacket: {1.stock}.",
         "Stock of the Fulmar Down Jacket: in stock in S and M, sold out in L.", {"stock"}),
        ("It weighs {1.weight} and costs {1.price}.", "It weighs 515 g and costs $349.00.", {"weight", "price"}),
        ("Comfort temperature {1.comfort_temp}, limit temperature {1.limit_temp}.",
         "Comfort temperature -5 °C, limit temperature -12 °C.", {"comfort temp", "limit temp"}),
    ],
)  # fmt: skip
def test_a_sentence_that_speaks_of_its_field_is_filled_in_and_says_that_fields_statements(
    sentence: str, text: str, fields: set[str]
) -> None:
    statements = tuple(s for s in SOURCE.statements if s.field in fields)
    assert (Check(SOURCE, statements), text) == checked(sentence)


def test_a_number_in_the_name_is_no_number_of_the_sentence() -> None:
    source = product_source(1, KNIFE, ProductFacts(own=fact(price=14900, stock=1)), "en-US")
    assert checked("The Chef's Knife 20 costs {1.price}.", {1: source})[1] == "The Chef's Knife 20 costs $149.00."


@pytest.mark.parametrize(
    ("sentence", "options", "text"),
    [
        ("In M, the Fulmar Down Jacket is {1.stock}.", ("M",), "In M, the Fulmar Down Jacket is in stock."),
        ("In L and Ink, the Fulmar Down Jacket is {1.stock}.", ("L", "Ink"),
         "In L and Ink, the Fulmar Down Jacket is sold out."),
        ("In Ink, the Fulmar Down Jacket is {1.stock}.", ("M", "Ink"),
         "In Ink, the Fulmar Down Jacket is in stock in M."),
        ("Stock of the Fulmar Down Jacket: {1.stock}.", ("M", "Moss"),
         "Stock of the Fulmar Down Jacket: in stock in M and Moss."),
        ("In M and Moss, it costs {1.price}.", ("M", "Moss"), "In M and Moss, it costs $369.00."),
    ],
)  # fmt: skip
def test_stock_and_price_are_told_of_what_the_customer_asked_for(
    sentence: str, options: tuple[str, ...], text: str
) -> None:
    assert checked(sentence, options=options)[1] == text


def test_what_is_told_of_a_size_says_so() -> None:
    gone = jacket(gone=("P1-S-Ink", "P1-S-Moss"))
    assert checked("It is {1.stock}.", {1: gone}, ("S",))[1] == "It is sold out in S."


@pytest.mark.parametrize("written", ["{1.stock:S}", "{1.stock:Moss}", "{1.stock:XXL}", "{1.stock}"])
def test_options_that_the_model_puts_into_a_reference_change_nothing(written: str) -> None:
    assert checked(f"In L, the Fulmar Down Jacket is {written}.", options=("L",))[1] == (
        "In L, the Fulmar Down Jacket is sold out."
    )


def test_a_size_in_figures_is_no_number_where_it_was_asked_for() -> None:
    item = JACKET.model_copy(update={"variants": (Variant(sku="a", size="EU 42"), Variant(sku="b", size="EU 43"))})
    facts = ProductFacts(own=fact(price=1), variants={"a": fact("a", stock=1), "b": fact("b", stock=0)})
    sources = {1: product_source(1, item, facts, "en-US")}
    sentence = "In EU 42, the Fulmar Down Jacket is {1.stock}."
    assert checked(sentence, sources, ["EU 42"])[1] == "In EU 42, the Fulmar Down Jacket is in stock."
    assert checked(sentence, sources)[0].finding == Finding.NUMBER
    assert checked(sentence, sources, ["EU 43"])[0].finding == Finding.NUMBER


# ---------------------------------------------------------------- what is held back


@pytest.mark.parametrize(
    ("sentence", "finding"),
    [
        # another product
        ("The Fulmar Down Vest costs {1.price}.", Finding.OTHER_PRODUCT),
        ("Like the Chef's Knife 20, it costs {1.price}.", Finding.OTHER_PRODUCT),
        ("{1.price}", Finding.OTHER_PRODUCT),
        # numbers of its own
        ("The Fulmar Down Jacket costs {1.price}, $9 off.", Finding.NUMBER),
        ("The 3 jackets cost {1.price}.", Finding.NUMBER),
        ("It is {1.stock}, 2 left.", Finding.NUMBER),
        ("It weighs {1.weight} [1].", Finding.NUMBER),
        # limits, which an exact value is not
        ("It costs more than {1.price}.", Finding.NUMBER),
        ("It costs under {1.price}.", Finding.NUMBER),
        ("It costs up to {1.price}.", Finding.NUMBER),
        ("It was {1.price}.", Finding.NUMBER),
        ("It weighs under {1.weight}.", Finding.NUMBER),
        # denials
        ("The Fulmar Down Jacket is not {1.stock}.", Finding.POLARITY),
        ("The Fulmar Down Jacket doesn't cost {1.price}.", Finding.POLARITY),
        ("It costs {1.price}, no more.", Finding.POLARITY),
        ("It weighs {1.weight} without the hood.", Finding.POLARITY),
        ("It isn’t {1.stock}.", Finding.POLARITY),
        # stock around the reference
        ("It is in stock and costs {1.price}.", Finding.STOCK),
        ("The Fulmar Down Jacket is sold out, {1.price}.", Finding.STOCK),
        ("It costs {1.price} and is available.", Finding.STOCK),
        ("It is {1.stock}, few left.", Finding.STOCK),
        # sizes and colours that were not asked for
        ("In M, the Fulmar Down Jacket is {1.stock}.", Finding.OPTION),
        ("In XXL, the Fulmar Down Jacket is {1.stock}.", Finding.OPTION),
        ("In ink, the Fulmar Down Jacket is {1.stock}.", Finding.OPTION),
        ("The Fulmar Down Jacket in Moss weighs {1.weight}.", Finding.OPTION),
        # rank and promise
        ("It is the cheapest at {1.price}.", Finding.RANKING),
        ("A perfect weight: {1.weight}.", Finding.RANKING),
        # words of the model's own
        ("It is stylish and costs {1.price}.", Finding.WORDS),
        ("It costs {1.price}; free shipping.", Finding.WORDS),
        ("It is windproof and weighs {1.weight}.", Finding.WORDS),
        ("The warranty on the zip is {1.warranty}.", Finding.WORDS),
        ("Comfort temperature of the Fulmar Down Jacket: {1.limit_temp}.", Finding.WORDS),
        ("Limit temperature of the Fulmar Down Jacket: {1.comfort_temp}.", Finding.WORDS),
        ("Hood of the Fulmar Down Jacket: {1.hood}.", Finding.WORDS),
        # another field
        ("It weighs {1.fill_weight}.", Finding.FIELD),
        ("The Fulmar Down Jacket has a warranty of {1.weight}.", Finding.FIELD),
        ("The warranty of the Fulmar Down Jacket costs {1.price}.", Finding.FIELD),
        ("The Fulmar Down Jacket: {1.weight}.", Finding.FIELD),
        ("It weighs {1.weight} and {1.materials}.", Finding.FIELD),
        ("Weight {1.price}, price {1.weight}.", Finding.FIELD),
        ("Comfort temperature {1.limit_temp}, limit temperature {1.comfort_temp}.", Finding.FIELD),
        # values that are not there
        ("{1.was} was the price of it.", Finding.UNRESOLVED),
        # records that are not there
        ("The Fulmar Down Jacket costs {4.price}.", Finding.UNKNOWN_SOURCE),
        ("It costs {0.price}.", Finding.UNKNOWN_SOURCE),
    ],
)
def test_what_is_wrong_around_a_reference_holds_the_sentence_back(sentence: str, finding: Finding) -> None:
    outcome, text = checked(sentence)
    assert (finding, (), "") == (outcome.finding, outcome.statements, text)


@pytest.mark.parametrize(
    ("sentence", "record"),
    [
        ("The weight of the Everest Down Jacket is {1.fill_weight}.", "CO-0101"),
        ("Number of reviews: {1.rating}.", "CO-0101"),
        ("It weighs {1.price}.", "CO-0101"),
        ("Sizes of the Wigeon Women's Down Bag: {1.packed_size}.", "CO-1113"),
    ],
)
def test_part_of_a_fields_name_is_not_the_field(sentence: str, record: str) -> None:
    assert on_catalog(sentence, record).finding == Finding.FIELD


@pytest.mark.parametrize(
    "sentence",
    [
        "It is made of wool and costs {1.price}.",
        "The Everest Down Jacket is dishwasher-safe and costs {1.price}.",
        "The Everest Down Jacket is freestanding and weighs {1.weight}.",
        "It is black and costs {1.price}.",
        "The Everest Down Jacket costs {1.price} a year.",
        "In Slate, the Everest Down Jacket is {1.stock}.",
        "In xl, it is {1.stock}.",
    ],
)
def test_words_of_other_fields_products_and_options_claim_nothing(sentence: str) -> None:
    """Though other sentences of the shop have them."""
    assert not on_catalog(sentence, "CO-0101").passed


def on_catalog(sentence: str, record: str) -> Check:
    """The outcome over one record of the sample shop."""
    products, facts = catalog()
    source = product_source(1, products[record], facts[record], "en-US")
    return check_frame(sentence, Setting({1: source}, lexicon(), "en-US"))[0]


def test_an_option_that_was_asked_for_lets_no_other_one_through() -> None:
    sentence = "In M, the Fulmar Down Jacket is {1.stock}."
    assert checked(sentence, options=("L",))[0].finding == Finding.OPTION
    assert checked(sentence, options=("Ink",))[0].finding == Finding.OPTION


def test_a_stock_or_price_that_is_unknown_is_not_said() -> None:
    unknown = product_source(1, JACKET, None, "en-US")
    for sentence in ("It costs {1.price}.", "Stock: {1.stock}."):
        assert checked(sentence, {1: unknown})[0] == Check(unknown, finding=Finding.UNRESOLVED)


def test_sizes_of_different_prices_have_no_price_together() -> None:
    assert checked("It costs {1.price}.", options=("M",))[0].finding == Finding.UNRESOLVED


def test_a_policy_has_nothing_to_refer_to() -> None:
    assert checked("It costs {2.price}.", {1: SOURCE, 2: POLICY})[0] == Check(None, finding=Finding.UNKNOWN_SOURCE)


# ---------------------------------------------------------------- several records


def test_among_several_records_a_sentence_has_to_name_its_product() -> None:
    assert checked("It costs {1.price}.", BOTH)[0].finding == Finding.OTHER_PRODUCT
    assert checked("Price: {2.price}.", BOTH)[0].finding == Finding.OTHER_PRODUCT
    assert checked("The Fulmar costs {1.price}.", BOTH)[0].finding == Finding.OTHER_PRODUCT
    named, text = checked("The Fulmar Down Vest costs {2.price}.", BOTH)
    assert (named.source, text) == (VEST_SOURCE, "The Fulmar Down Vest costs $199.00.")
    assert checked("The Fulmar Down Jacket costs {2.price}.", BOTH)[0].finding == Finding.OTHER_PRODUCT


def test_it_is_the_product_of_the_sentence_before() -> None:
    assert checked("It weighs {1.weight}.", BOTH, previous=SOURCE)[1] == "It weighs 515 g."
    assert checked("It costs {2.price}.", BOTH, previous=VEST_SOURCE)[1] == "It costs $199.00."
    assert checked("It costs {2.price}.", BOTH, previous=SOURCE)[0].finding == Finding.OTHER_PRODUCT


@pytest.mark.parametrize(
    "sentence",
    [
        "The Fulmar Down Jacket costs {1.price} and the Fulmar Down Vest {2.price}.",
        "The Fulmar Down Jacket costs {1.price}, the weight is {2.weight}.",
        "Price: {1.price}, {2.price}.",
    ],
)
def test_one_sentence_refers_to_one_record(sentence: str) -> None:
    assert checked(sentence, BOTH)[0] == Check(SOURCE, finding=Finding.OTHER_PRODUCT)
