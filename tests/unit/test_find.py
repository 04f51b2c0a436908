"""What a question is about: a product named, the one talked about, or a thing that the shop may not have."""

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from graph.deps import Turn
from graph.find import _thing_asked_for, find_products, focus_of, is_about, is_brief
from graph.lexicon import Lexicon
from graph.turn import Message
from shopbot.language import stem
from shopbot.search import FusionWeights
from shopbot.types import ProductFacts
from tests.fakes_data import HashEmbedder, fact
from tests.unit.test_search import product, version_of
from tests.unit.test_verify_catalog import SHOP

JACKET = product("P1", "Fulmar Down Jacket", category="Jackets", attributes={"pockets": "two, with zips"})
TENT = product("P2", "Long Mere Tent", category="Tents", description="Dries fast. It fits into canoes.")
STOVE = product("P3", "Ember Stove", category="Cooking")
EMBEDDER = HashEmbedder()


class Facts:
    """Everything costs $100.00."""

    def read(self, product_ids: Sequence[str]) -> dict[str, ProductFacts]:
        return {product_id: ProductFacts(own=fact(price=10000, stock=1)) for product_id in product_ids}


def new_turn() -> Turn:
    version = version_of([JACKET, TENT, STOVE], [])
    lexicon = Lexicon(version.products, version.policies)
    deps = SimpleNamespace(
        shop=SHOP, facts=Facts(), embedder=EMBEDDER, weights=FusionWeights(1, 1), lexicon=lambda _: lexicon
    )
    return Turn(cast(Any, deps), version, "base", threading.Event())


TURN = new_turn()


def talk(*said: str) -> list[Message]:
    """Questions and answers in turn, a question first."""
    return [Message(role="assistant" if place % 2 else "user", content=text) for place, text in enumerate(said)]


ABOUT_THE_JACKET = talk("How much is the Fulmar Down Jacket?", "The Fulmar Down Jacket costs $100.00.")


# ---------------------------------------------------------------- the focus


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("pockets?", [["P1"]]),
        ("any zipped pockets", [["P1"]]),
        ("does it have pockets that I can close when I am climbing", [["P1"]]),
        ("the Long Mere Tent?", [["P2"]]),
        ("do you have gloves?", []),
        ("I have asked my brother about pockets on his old jackets", []),
    ],
)
def test_a_brief_or_pointing_question_goes_on_with_the_product_that_was_talked_about(
    question: str, expected: list[list[str]]
) -> None:
    assert focus_of(question, ABOUT_THE_JACKET, TURN) == expected


def test_the_focus_is_the_product_named_last() -> None:
    history = [*ABOUT_THE_JACKET, *talk("And the Long Mere Tent?", "The Long Mere Tent costs $100.00.")]
    assert focus_of("pockets?", history, TURN) == [["P2"]]
    assert focus_of("pockets?", [], TURN) == []


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("pockets?", True),
        ("one two three four five six seven", True),
        ("one two three four five six seven eight", False),
        ("do you sell gloves", False),
        ("looking for gloves", False),
    ],
)
def test_a_brief_question_has_seven_words_at_most_and_asks_for_no_thing(question: str, expected: bool) -> None:
    assert is_brief(question) is expected


@pytest.mark.parametrize(
    ("question", "focus", "expected"),
    [
        ("any zipped pockets", [["P1"]], True),
        ("gift cards?", [["P1"]], False),
        ("does it float", [["P1"]], True),
        ("gift cards for the Fulmar Down Jacket?", [["P1"]], True),
        ("pockets?", [], False),
    ],
)
def test_a_question_is_about_the_focus_if_it_names_it_points_to_it_or_asks_for_a_field_of_it(
    question: str, focus: list[list[str]], expected: bool
) -> None:
    assert is_about(question, focus, TURN) is expected


# ---------------------------------------------------------------- a thing asked for


@pytest.mark.parametrize(
    ("question", "thing"),
    [
        ("Do you sell kayaks for two?", "kayaks"),
        ("do you have a tent under $200", "tent"),
        ("I'm looking for a blue jacket, a warm one", "jacket"),
        ("got any inflatable canoes?", "canoes"),
        ("canoes?", "canoes"),
        ("how do I return my canoes", None),
        ("do you have anything", None),
    ],
)
def test_the_thing_asked_for_is_the_noun_before_a_preposition_or_a_comma(question: str, thing: str | None) -> None:
    assert _thing_asked_for(question) == (thing and stem(thing))


def found(question: str) -> tuple[list[str], list[str]]:
    """The words that lead, and the ids of what is shown."""
    findings = find_products(question, EMBEDDER.embed([question])[0], [], TURN)
    return [lead.text for lead in findings.lead], [point.source.id for point in findings.points]


def test_a_thing_that_no_found_title_has_is_said_to_be_unknown() -> None:
    """Though a description has the word: a tent that fits into canoes is none."""
    lead, shown = found("do you have canoes that fits into a long tent, dries fast?")
    assert lead == [TURN.phrase("unknown_product", words="“canoes”"), TURN.phrase("closest")]
    assert shown == ["P2"]


def test_a_thing_that_a_found_title_has_is_shown() -> None:
    lead, shown = found("do you have a long tent that fits into canoes, dries fast?")
    assert (lead, shown) == ([TURN.phrase("found")], ["P2"])
