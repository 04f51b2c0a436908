"""What a merchandiser's brief asks for, and which sentences of a record make it."""

from datetime import UTC, datetime

import pytest

from shopbot.descriptions import LONGEST, SHORTEST, TONES, USUAL, Brief, Tone, asks_to_write, brief_of, described
from shopbot.statements import Source, product_source
from shopbot.types import Fact, Product, ProductFacts, Variant

NOW = datetime(2026, 9, 1, tzinfo=UTC)

PRODUCT = Product(
    id="P-1",
    title="Tern Hat",
    description="A hat for days that can't decide. Its brim folds flat into a pocket. It dries while you have lunch.",
    category="Hats",
    brand="Cairn",
    currency="USD",
    attributes={"weight_g": 80, "materials": "wool", "best_for": ["walks"], "rating": 4.5, "care": "hand wash"},
    variants=(Variant(sku="P-1-S", size="S"),),
)


@pytest.fixture
def hat() -> Source:
    fact = Fact(
        article_id="P-1", sku="", price_minor=2500, sale_price_minor=None, currency="USD", price_as_of=NOW, stock=3,
        stock_as_of=NOW,
    )  # fmt: skip
    return product_source(1, PRODUCT, ProductFacts(own=fact), "en_US")


@pytest.mark.parametrize(
    ("text", "tone", "words"),
    [
        ("Write a description of the Tern Hat", "warm", USUAL),
        ("a technical text for the Tern Hat, 40 words please", "technical", 40),
        ("friendly 25-word blurb on the hat", "warm", 25),
        ("short plain description", "plain", 25),
        ("detailed factual copy", "technical", 110),
        ("describe it in 3 words", "warm", SHORTEST),
        ("describe it in 9000 words", "warm", LONGEST),
    ],
)
def test_a_brief_is_read_from_the_message(text: str, tone: Tone, words: int) -> None:
    assert brief_of(text) == Brief(tone=tone, words=words)


@pytest.mark.parametrize(
    ("text", "wants_text"),
    [
        ("Write something about the Tern Hat", True),
        ("product description for the hat", True),
        ("what does the hat weigh?", False),
        ("how many are left in S", False),
    ],
)
def test_a_wish_for_a_text_is_told_from_a_question(text: str, wants_text: bool) -> None:
    assert asks_to_write(text) is wants_text


@pytest.mark.parametrize("tone", TONES)
def test_a_description_never_tells_what_changes_or_what_others_think(tone: Tone, hat: Source) -> None:
    told = {statement.field for statement in described(hat, Brief(tone=tone, words=LONGEST))}
    assert told & {"price", "stock", "sizes", "colors", "rating"} == set()


def test_the_tone_chooses_the_sentences(hat: Source) -> None:
    fields = {tone: [s.field for s in described(hat, Brief(tone=tone, words=LONGEST))] for tone in TONES}
    assert fields["warm"] == ["description"] * 3 + ["best for"]
    assert fields["plain"] == ["description", "best for", "weight", "materials", "care"]
    assert fields["technical"] == ["weight", "materials", "care", "best for"]


@pytest.mark.parametrize("words", [15, 25, 60])
def test_the_length_is_kept_as_well_as_whole_sentences_allow(words: int, hat: Source) -> None:
    told = described(hat, Brief(tone="warm", words=words))
    longest = max(len(statement.text.split()) for statement in hat.statements)
    assert 1 <= sum(len(statement.text.split()) for statement in told) <= words + longest / 2
