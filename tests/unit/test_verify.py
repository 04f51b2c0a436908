"""The verifier's rule, case by case: what a record supports is shown, everything else is not."""

import pytest

from graph.lexicon import Lexicon
from graph.verify import SILENT_ON, Finding, check, is_true_silence
from shopbot.statements import policy_source, product_source
from shopbot.types import PolicySection, Product, ProductFacts, Variant
from tests.fakes_data import fact

JACKET = Product(
    id="P1",
    title="Fulmar Down Jacket",
    description="A warm jacket for dry cold. The 20-denier shell is light rather than tough.",
    category="Jackets",
    brand="Gale",
    currency="USD",
    attributes={
        "weight_g": 515,
        "fill_weight_g": 195,
        "fill": "800-fill goose down",
        "waterproof": "water-repellent finish, not waterproof",
        "materials": "recycled nylon shell",
        "care": "machine wash at 30 °C, do not tumble dry",
        "warranty": "5 years",
    },
    variants=(
        Variant(sku="P1-S", size="S", color="Ink"),
        Variant(sku="P1-M", size="M", color="Ink"),
        Variant(sku="P1-L", size="L", color="Ink"),
    ),
)
VEST = JACKET.model_copy(update={"id": "P2", "title": "Fulmar Down Vest", "variants": ()})
JACKET_FACTS = ProductFacts(
    own=fact(price=34900),
    variants={"P1-S": fact("P1-S", stock=4), "P1-M": fact("P1-M", stock=2), "P1-L": fact("P1-L", stock=0)},
)
SALE_FACTS = ProductFacts(own=fact(price=34900, sale=27900, stock=3))
LEXICON = Lexicon({"P1": JACKET, "P2": VEST}, {})
JACKET_SOURCE = product_source(1, JACKET, JACKET_FACTS, "en-US")


@pytest.mark.parametrize(
    "sentence",
    [
        "The Fulmar Down Jacket costs $349.00 [1].",
        "It costs $349 [1].",
        "The Fulmar Down Jacket weighs 515 g [1].",
        "It is filled with 800-fill goose down [1].",
        "The Fulmar Down Jacket is water-repellent, not waterproof [1].",
        "It is in stock in sizes S and M [1].",
        "The Fulmar Down Jacket is sold out in size L [1].",
        "It is available in S and M, but sold out in L [1].",
        "The jacket has a warranty of 5 years.",
    ],
)
def test_what_the_record_says_passes(sentence: str) -> None:
    outcome = check(sentence, {1: JACKET_SOURCE}, LEXICON)
    assert outcome.finding is None


@pytest.mark.parametrize(
    ("sentence", "finding"),
    [
        ("The Fulmar Down Jacket costs $199.00 [1].", Finding.NUMBER),
        ("It weighs 195 g [1].", Finding.NUMBER),
        ("It is filled with 515 g of down [1].", Finding.NUMBER),
        ("The Fulmar Down Jacket is waterproof [1].", Finding.POLARITY),
        ("You can tumble dry it [1].", Finding.POLARITY),
        ("The Fulmar Down Jacket is in stock in size L [1].", Finding.STOCK),
        ("It is sold out in size M [1].", Finding.STOCK),
        ("It is available in XL [1].", Finding.STOCK),
        ("It is sold out [1].", Finding.STOCK),
        ("It is made of wool [1].", Finding.WORDS),
        ("It is the warmest jacket [1].", Finding.RANKING),
        ("The Fulmar Down Vest costs $349.00 [1].", Finding.OTHER_PRODUCT),
        ("The Fulmar Down Jacket costs $349.00 [4].", Finding.UNKNOWN_SOURCE),
        ("Which size do you need?", Finding.EMPTY),
        ("[1].", Finding.EMPTY),
        ("The warranty of the Fulmar Down Jacket is 7 years [1].", Finding.NUMBER),
    ],
)
def test_what_the_record_does_not_say_is_held_back(sentence: str, finding: Finding) -> None:
    assert check(sentence, {1: JACKET_SOURCE}, LEXICON).finding == finding


@pytest.mark.parametrize(
    "sentence",
    [
        "Right now you'd pay $349 for the Fulmar Down Jacket, and it weighs 515 g [1].",
        "The jacket isn't waterproof [1].",
        "Only S and M are in stock [1].",
        "In L it is sold out, but S and M are still available [1].",
        "You can machine wash it at 30 °C, but don't tumble dry it [1].",
        "The fill weight is 195 g [1].",
        "Its shell is made of recycled nylon [1].",
        "The warranty lasts five years [1].",
        "At the moment, M is not sold out [1].",
    ],
)
def test_what_the_record_says_passes_in_other_words(sentence: str) -> None:
    assert check(sentence, {1: JACKET_SOURCE}, LEXICON).finding is None


@pytest.mark.parametrize(
    ("sentence", "finding"),
    [
        ("The Fulmar Down Jacket costs €349.00 [1].", Finding.NUMBER),
        ("The Fulmar Down Jacket is not $349.00 [1].", Finding.NUMBER),
        ("The Fulmar Down Jacket does not cost $349.00 [1].", Finding.POLARITY),
        ("It is on sale [1].", Finding.NUMBER),
        ("It costs $349.00 instead of $399.00 [1].", Finding.NUMBER),
        ("It is $10 off [1].", Finding.NUMBER),
        ("Only S is in stock [1].", Finding.STOCK),
        ("All sizes are in stock [1].", Finding.STOCK),
        ("L is not sold out [1].", Finding.STOCK),
        ("It is in stock in sizes S, S and M [1].", Finding.REPETITION),
        ("It weighs 515 kg [1].", Finding.NUMBER),
        ("The fill weight is 515 g [1].", Finding.NUMBER),
        ("The warranty lasts six years [1].", Finding.NUMBER),
        ("It does not have a recycled nylon shell [1].", Finding.POLARITY),
        ("It is not not waterproof [1].", Finding.POLARITY),
        ("It costs $349.00, see https://cheap-jackets.example/now [1].", Finding.ADDRESS),
        ("It costs $349.00 [1], like the vest [2].", Finding.UNKNOWN_SOURCE),
    ],
)
def test_what_is_turned_round_in_other_words_is_held_back(sentence: str, finding: Finding) -> None:
    assert check(sentence, {1: JACKET_SOURCE}, LEXICON).finding == finding


@pytest.mark.parametrize(
    ("sentence", "passes"),
    [
        ("It costs $279.00 instead of $349.00 [1].", True),
        ("It was $349.00 and now costs $279.00 [1].", True),
        ("It's reduced from $349.00 to $279.00 [1].", True),
        ("It was $279.00 and now costs $349.00 [1].", False),
        ("It costs $349.00 instead of $279.00 [1].", False),
        ("It costs over $279.00 [1].", False),
        ("It costs $279.00, down from $399.00 [1].", False),
    ],
)
def test_two_prices_of_a_sale_keep_their_roles(sentence: str, passes: bool) -> None:
    source = product_source(1, JACKET, SALE_FACTS, "en-US")
    assert check(sentence, {1: source}, LEXICON).passed is passes


def test_a_product_on_sale_is_not_offered_at_its_old_price() -> None:
    source = product_source(1, JACKET, SALE_FACTS, "en-US")
    assert check("It costs $349.00 [1].", {1: source}, LEXICON).finding == Finding.NUMBER
    assert check("It is on sale for $279.00, down from $349.00 [1].", {1: source}, LEXICON).passed
    assert check("It is on sale for $349.00, down from $279.00 [1].", {1: source}, LEXICON).finding == Finding.NUMBER


@pytest.mark.parametrize(
    "price", ["is down from $349.00", "costs over $349.00", "was $349.00", "costs less than $349.00"]
)
def test_an_amount_beside_the_price_is_not_the_price(price: str) -> None:
    assert check(f"The Fulmar Down Jacket {price} [1].", {1: JACKET_SOURCE}, LEXICON).finding == Finding.NUMBER


def test_unknown_stock_supports_neither_yes_nor_no() -> None:
    source = product_source(1, VEST, ProductFacts(own=fact(price=100, stock=None)), "en-US")
    assert check("It is in stock [1].", {1: source}, LEXICON).finding == Finding.STOCK
    assert check("It is sold out [1].", {1: source}, LEXICON).finding == Finding.STOCK


def test_among_several_sources_a_sentence_has_to_name_its_product() -> None:
    vest = product_source(2, VEST, ProductFacts(own=fact(price=19900, stock=1)), "en-US")
    sources = {1: JACKET_SOURCE, 2: vest}
    assert check("It costs $349.00.", sources, LEXICON).finding == Finding.OTHER_PRODUCT
    outcome = check("The Fulmar Down Vest costs $199.00.", sources, LEXICON)
    assert outcome.source == vest
    assert check("The Fulmar Down Vest costs $199.00 [1].", sources, LEXICON).finding == Finding.OTHER_PRODUCT


POLICY = policy_source(
    1,
    PolicySection(
        id="returns.window",
        policy="returns",
        heading="Return window",
        text="You have 45 days from the delivery date to send an item back. After the window closes, we cannot give a "
        "refund.\n\nShipping is free on orders over $75.00.\n\n1. Sign in.\n2. Print the return label.",
    ),
)


@pytest.mark.parametrize(
    "sentence",
    [
        "You have 45 days from the delivery date to send an item back [1].",
        "You have 45 days to send the item back from delivery date.",
        "Shipping is free on orders over $75 [1].",
        "Print the return label [1].",
        "After the window closes, we cannot give a refund [1].",
    ],
)
def test_a_rule_retold_in_full_passes(sentence: str) -> None:
    assert check(sentence, {1: POLICY}, LEXICON).finding is None


@pytest.mark.parametrize(
    "sentence",
    [
        "You've got 45 days from the delivery date to send an item back [1].",
        "After the window closes, refunds can't be given [1].",
        "Shipping is free on orders of over $75 [1].",
    ],
)
def test_a_rule_retold_in_other_words_passes(sentence: str) -> None:
    assert check(sentence, {1: POLICY}, LEXICON).finding is None


def test_it_is_what_the_sentence_before_was_about() -> None:
    vest = product_source(2, VEST, ProductFacts(own=fact(price=19900, stock=1)), "en-US")
    sources = {1: JACKET_SOURCE, 2: vest}
    first = check("The Fulmar Down Vest costs $199.00 [2].", sources, LEXICON)
    assert check("It weighs 515 g [2].", sources, LEXICON, first).passed
    assert check("It weighs 515 g [1].", sources, LEXICON, first).finding == Finding.OTHER_PRODUCT


@pytest.mark.parametrize(
    ("sentence", "finding"),
    [
        ("Shipping is free on orders [1].", Finding.NUMBER),
        ("You have 30 days from the delivery date to send an item back [1].", Finding.NUMBER),
        ("After the window closes, we give a refund [1].", Finding.POLARITY),
        ("You have 45 days to refund [1].", Finding.POLARITY),
        ("You can call us to return it [1].", Finding.WORDS),
    ],
)
def test_a_rule_bent_or_cut_is_held_back(sentence: str, finding: Finding) -> None:
    assert check(sentence, {1: POLICY}, LEXICON).finding == finding


PHRASE = "Our record of the Fulmar Down Jacket doesn't say anything about {}, and I won't guess."


@pytest.mark.parametrize(
    ("about", "question"),
    [
        ("RFID blocking", "does the Fulmar jacket have RFID blocking?"),
        ("latex", "any latex in it? I'm allergic"),
        ("the pockets", "how many pockets"),
    ],
)
def test_a_record_is_silent_about_what_it_has_no_word_for(about: str, question: str) -> None:
    assert is_true_silence(PHRASE.format(about), PHRASE.format(SILENT_ON), JACKET_SOURCE, question)


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        (PHRASE.format("the fill"), "what is the fill?"),  # it stands there
        (PHRASE.format("down"), "is it down?"),
        (PHRASE.format("the price"), "what's the price?"),  # nobody has it but the live facts
        (PHRASE.format("stock"), "any stock?"),
        (PHRASE.format("switch-loyalty"), "does it switch off?"),  # not the customer's word
        (PHRASE.format(""), "does it have RFID blocking?"),
        (PHRASE.format("RFID blocking").replace("doesn't say", "says"), "does it have RFID blocking?"),
        (PHRASE.format("RFID blocking of 5 cm"), "does it have RFID blocking of 5 cm?"),
    ],
)
def test_whoever_says_more_is_not_believed(sentence: str, question: str) -> None:
    assert not is_true_silence(sentence, PHRASE.format(SILENT_ON), JACKET_SOURCE, question)
