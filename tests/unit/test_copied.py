"""Values copied in place of references: answers, cards, and what is left out."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from finetune.copied import with_values
from finetune.recipe import DataPlan, Recipe, read_recipe
from shopbot.cards import Asked
from shopbot.chat_format import as_cards
from shopbot.errors import ConfigError
from shopbot.facts import FactUpdate, facts_of
from shopbot.references import values_of
from shopbot.statements import Source, product_source
from shopbot.types import Product, Variant

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PAN = Product(
    id="K-1",
    title="Copper Pan",
    category="Pans",
    description="",
    brand="",
    currency="USD",
    attributes={"weight_g": 300, "lid": "of glass"},
    variants=(Variant(sku="S", size="S", color="Red"), Variant(sku="L", size="L", color="Red")),
)
FEED = [
    FactUpdate("K-1", "", {"price_minor": 4900, "sale_price_minor": None, "stock": None}, NOW, "USD"),
    FactUpdate("K-1", "S", {"price_minor": None, "sale_price_minor": None, "stock": 3}, NOW, "USD"),
    FactUpdate("K-1", "L", {"price_minor": None, "sale_price_minor": None, "stock": 0}, NOW, "USD"),
]


def pan(number: int = 1) -> Source:
    return product_source(number, PAN, facts_of(FEED)["K-1"], "en-US")


@pytest.mark.parametrize(
    ("referring", "copying"),
    [
        ("The Copper Pan weighs {1.weight}.", "The Copper Pan weighs 300 g [1]."),
        ("It costs {1.price}. Lid: {1.lid}.", "It costs $49.00 [1]. Lid: of glass [1]."),
        ("In L, the Copper Pan is {1.stock:L}.", "In L, the Copper Pan is sold out [1]."),
        ("Nothing is known of a spout.", "Nothing is known of a spout."),
        ("It is {1.height} high.", "It is {1.height} high."),
    ],
)
def test_an_answer_has_the_values_that_it_referred_to_and_cites_their_record(referring: str, copying: str) -> None:
    assert with_values(referring, {1: pan()}, "en-US") == copying


def test_two_records_are_cited_each_by_its_number() -> None:
    answer = with_values("Lid: {1.lid}. Lid: {2.lid}.", {1: pan(), 2: pan(2)}, "en-US")
    assert answer == "Lid: of glass [1]. Lid: of glass [2]."


def test_a_card_shows_the_values_that_are_to_be_copied_with_those_of_the_options_asked_for() -> None:
    values = {1: values_of(("lid", "spout", "price", "stock"), pan(), "en-US", ("L",))}
    assert as_cards([pan()], {1: Asked(("lid", "stock"))}, values).splitlines()[1:] == [
        "[1] Copper Pan: lid, stock; price, sizes, colors",
        "lid: of glass",
        "price: $49.00",
        "stock: sold out in L",
    ]


def test_facts_of_a_feed_are_those_that_its_publish_would_write() -> None:
    facts = facts_of(FEED)["K-1"]
    assert facts.own.payable_minor == 4900
    assert (facts.stock_of("S"), facts.stock_of("L")) == (3, 0)
    assert facts.stock == 3
    assert facts_of(FEED[1:]) == {}  # nothing is known of the article itself


def test_a_recipe_extends_another_key_by_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: lora\nname: mine\nlora: {r: 4}\ndata: {facts: 10}\n")
    mine, parent = read_recipe(str(path)), read_recipe("lora")
    assert (mine.name, mine.lora.r, mine.data.facts) == ("mine", 4, 10)
    assert mine.lora.alpha == parent.lora.alpha
    assert mine.data == parent.data.model_copy(update={"facts": 10})
    assert mine.learning_rate == parent.learning_rate


def test_a_recipe_that_extends_nothing_known_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: nothing\nname: mine\n")
    with pytest.raises(ConfigError, match="no recipe 'nothing'"):
        read_recipe(str(path))


@pytest.mark.parametrize("name", ["lora", "quarter", "copied"])
def test_every_shipped_recipe_can_be_read(name: str) -> None:
    assert read_recipe(name).name == name


def test_values_are_referred_to_unless_a_recipe_says_otherwise() -> None:
    assert DataPlan().values == Recipe(name="x").data.values == "referred"
    assert read_recipe("copied").data.values == "copied"
