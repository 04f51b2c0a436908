"""What the catalog's own words tell about a question: which products it names, and what the shop has no word for."""

import pytest

from graph.asking import nearest_word
from graph.lexicon import Lexicon
from shopbot.types import PolicySection, Product, Variant


def product(product_id: str, title: str, description: str = "A thing for outdoors.", **more: object) -> Product:
    values = {"category": "Gear", "brand": "Gale", "currency": "USD", "attributes": {}} | more
    return Product.model_validate({"id": product_id, "title": title, "description": description, **values})


JACKET = product("P1", "Fulmar Down Jacket", "Goose down against dry cold. Kayakers welcome.")
VEST = product("P2", "Fulmar Down Vest", "The same without sleeves.")
TENT = product("P3", "Long Mere 8 Family Tent", attributes={"capacity_people": 8, "fabric": "ripstop polyester"})
MASCARA = product("P4", "Essence Mascara Lash Princess")
SHIRT = product("P5", "Tern Base Layer", variants=(Variant(sku="P5-S", size="S", color="Moss Green"),))
BOOTS = product("P6", "Corrie Boots")
POLICY = PolicySection(id="returns.window", policy="returns", heading="Return window", text="You have 45 days.")
LEXICON = Lexicon({item.id: item for item in (JACKET, VEST, TENT, MASCARA, SHIRT, BOOTS)}, {POLICY.id: POLICY})


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How much is the Fulmar Down Jacket?", [["P1"]]),
        ("HOW MUCH IS THE FULMAR DOWN JACKET", [["P1"]]),
        ("fulmar down vest price", [["P2"]]),
        ("the fulmar vest", [["P2"]]),
        ("is the Fulmar warm?", [["P1", "P2"]]),
        ("fulmer down jaket", [["P1"]]),
        ("lash princess mascara", [["P4"]]),
        ("the corrie", [["P6"]]),
        ("the Corrie's weight", [["P6"]]),
        ("family tent long mere 8", [["P3"]]),
        ("a tent", []),
        ("something warm", []),
        ("how do I return something?", []),
        ("", []),
    ],
)
def test_a_product_is_named_by_its_name_word_or_most_of_its_title(question: str, expected: list[list[str]]) -> None:
    assert [sorted(group) for group in LEXICON.mentions(question)] == expected


def test_two_products_in_one_question_are_two_groups() -> None:
    found = LEXICON.mentions("Is the Corrie better than the Tern Base Layer?")
    assert sorted(found) == [["P5"], ["P6"]]


def test_named_collects_alternatives() -> None:
    assert LEXICON.named("the Fulmar") == {"P1", "P2"}


MANY = [product(f"L{n}", f"Osprey {n} Pole", "For long days on long ridges.") for n in range(12)]
WITH_MANY = Lexicon({item.id: item for item in [TENT, *MANY]}, {})


def test_an_everyday_first_word_is_no_name() -> None:
    """ "Long" begins a title and stands in many descriptions: "a long hike" names no tent."""
    assert WITH_MANY.mentions("a long hike") == []


def test_a_first_word_of_many_products_is_a_kind_and_no_name() -> None:
    many = {
        f"D{n}": product(f"D{n}", f"Down {word}") for n, word in enumerate("Hat Mitt Sock Vest Coat Quilt Cap".split())
    }
    assert Lexicon(many, {}).mentions("is down warm?") == []


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How much is the Fulmar Down Jacket?", "How much is it?"),
        ("HOW MUCH IS THE FULMAR DOWN JACKET", "HOW MUCH IS it"),
        ("Fulmar Down Jacket, price?", "it, price?"),
        ("fulmarr down jaket price pls", "it price pls"),
        ("is your Fulmar warm", "is it warm"),
        ("This Fulmar vest: is that vest washable?", "it: is that vest washable?"),
        ("The Corrie's weight", "it's weight"),
        ("is it (Fulmar vest) washable", "is it (it) washable"),
        ('is the "Fulmar Down Jacket" warm', 'is "it" warm'),
        ("jacket fulmar down in M", "it in M"),
        ("a mascara for my lash, a princess one", "a mascara for my lash, it one"),
        ("is the mascara by Essence Lash Princess any good", "is the mascara by it any good"),
        ("Is the Corrie better than the Tern Base Layer?", "Is it better than it?"),
        ("I like the Fulmar Down Jacket. Is the Fulmar warm?", "I like it. Is it warm?"),
        ("Is the Fulmar Down Jacket full of down?", "Is it full of down?"),
        ("Is the Fulmar Down Jacket a warm jacket?", "Is it a warm jacket?"),
        ("and the Corrie?", "and it?"),
        ("Corrie", "it"),
        ("is a tent  warm", "is a tent  warm"),
        ("does it weigh a lot", "does it weigh a lot"),
        ("", ""),
    ],
)
def test_it_stands_for_each_product_that_is_named(question: str, expected: str) -> None:
    """With its article and without the rest of its title; words of the title that name nothing stay."""
    assert LEXICON.about_it(question) == expected


def test_an_everyday_first_word_elsewhere_in_the_message_stays() -> None:
    question = "how long is the Long Mere 8 Family Tent?"
    assert WITH_MANY.about_it(question) == "how long is it?"


def test_a_title_of_everyday_words_is_replaced_where_most_of_it_stands() -> None:
    sock, cap = product("D1", "Down Sock"), product("D2", "Down Cap")
    others = [product(f"D{n}", f"Down Thing {n}", "Of down.") for n in range(3, 12)]
    lexicon = Lexicon({item.id: item for item in [sock, cap, *others]}, {})
    assert lexicon.mentions("are down socks as warm as down?") == [["D1"]]
    assert lexicon.about_it("are down socks as warm as down?") == "are it as warm as down?"


@pytest.mark.parametrize(
    ("question", "unknown"),
    [
        ("Do you sell canoes?", ["canoes"]),
        ("Do you sell skateboards or unicycles?", ["skateboards", "unicycles"]),
        ("Do you sell down jackets?", []),
        ("Is there a polyester tent?", []),
        ("anything in moss green?", []),
        ("how long is the return window", []),
        ("what does it cost and is it available in my size?", []),
        ("the fulmarr jaket", []),
        ("xy 12 900", []),
        ("<b>snowboards</b>", ["snowboards"]),
        ("I'm sure they'd fit, we've seen they're tents", ["sure", "seen"]),
        ("I’d rather you’ll ship canoe's", ["rather", "ship", "canoe"]),
    ],
)
def test_unknown_words_are_those_of_no_record(question: str, unknown: list[str]) -> None:
    assert LEXICON.unknown_words(question) == unknown


def test_a_title_named_in_an_answer_about_another_product_is_found() -> None:
    assert LEXICON.others_named("The Corrie Boots cost $99.", ["P1"]) == ["Corrie Boots"]
    assert LEXICON.others_named("The Fulmar Down Jacket costs $99.", ["P1"]) == []


@pytest.mark.parametrize(
    ("word", "nearest"),
    [("availble", "available"), ("jackett", "jacket"), ("zebra", None), ("cost", None), ("prise", None)],
)
def test_only_long_words_are_read_as_misspelt(word: str, nearest: str | None) -> None:
    """Four letters have too many neighbours: "cost" is no "coat"."""
    assert nearest_word(word, ["available", "jacket", "coat", "price"]) == nearest


def test_an_empty_catalog_names_nothing() -> None:
    lexicon = Lexicon({}, {})
    assert lexicon.mentions("the Fulmar Down Jacket") == []
    assert lexicon.unknown_words("canoes") == ["canoes"]
    assert lexicon.about_it("the Fulmar Down Jacket") == "the Fulmar Down Jacket"
