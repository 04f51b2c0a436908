"""What a question is about: a product named, the one talked about, or a thing that the shop may not have."""

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from graph.deps import Turn
from graph.find import Findings, _thing_asked_for, find_products, focus_of, is_brief, standalone
from graph.lexicon import Lexicon
from graph.state import Lead
from graph.turn import Message
from shopbot.intents import SECTION, fit_intents
from shopbot.language import stem
from shopbot.search import FusionWeights
from shopbot.types import PolicySection, ProductFacts, Variant
from tests.fakes_data import HashEmbedder, fact
from tests.unit.test_search import product, version_of
from tests.unit.test_verify_catalog import SHOP

JACKET = product(
    "P1",
    "Fulmar Down Jacket",
    category="Jackets",
    attributes={"pockets": "two, with zips", "hood": "fixed", "weight_g": 515},
    variants=tuple(Variant(sku=color, size="M", color=color) for color in ("Ember", "Dusk Blue")),
)
TENT = product("P2", "Long Mere Tent", category="Tents", description="Dries fast. It fits into canoes.")
STOVE = product("P3", "Ember Stove", category="Cooking")
EMBEDDER = HashEmbedder()


class Facts:
    """Everything costs $100.00."""

    def read(self, product_ids: Sequence[str]) -> dict[str, ProductFacts]:
        return {product_id: ProductFacts(own=fact(price=10000, stock=1)) for product_id in product_ids}


EXAMPLES = {
    "field.price": ["how much is it", "what does it cost", "price of it"],
    "field.stock": ["is it in stock", "is it there in red", "and in red"],
    "field.pockets": ["does it have pockets", "any pockets", "where do I put my phone", "pockets with zips"],
    "field.hood": ["does it have a hood", "any hood on it"],
    "field.weight": ["how heavy is it", "what does it weigh"],
    "field.waterproof": ["is it waterproof", "will it keep the rain out"],
    "unknown": ["does it have a heater", "is it made by hand"],
    "product": ["do you have tents", "I am looking for a jacket", "do you sell gloves", "what is good for climbing"],
    "policy": ["how do I return something", "can I return it"],
    "other": ["hello", "my brother went climbing", "I have asked my brother"],
}


def new_turn(*sections: PolicySection) -> Turn:
    """A turn in a shop of three products; its classifier knows the sections' questions, too."""
    version = version_of([JACKET, TENT, STOVE], list(sections))
    examples = EXAMPLES | {SECTION + section.id: list(section.questions) for section in sections}
    reader = (Lexicon(version.products, version.policies), fit_intents(examples, EMBEDDER))
    deps = SimpleNamespace(
        shop=SHOP,
        facts=Facts(),
        embedder=EMBEDDER,
        weights=FusionWeights(1, 1),
        reader=lambda _: reader,
        destinations=(),
    )
    return Turn(cast(Any, deps), version, "base", threading.Event())


TURN = new_turn()


def talk(*said: str) -> list[Message]:
    """Questions and answers in turn, a question first."""
    return [Message(role="assistant" if place % 2 else "user", content=text) for place, text in enumerate(said)]


ABOUT_THE_JACKET = talk("How much is the Fulmar Down Jacket?", "The Fulmar Down Jacket costs $100.00.")


# ---------------------------------------------------------------- the focus


def focus(question: str, history: Sequence[Message] = ABOUT_THE_JACKET) -> list[list[str]]:
    return focus_of(question, TURN.read(question), history, TURN)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("pockets?", [["P1"]]),
        ("any zipped pockets", [["P1"]]),
        ("does it have pockets that I can close when I am climbing", [["P1"]]),
        ("the Long Mere Tent?", [["P2"]]),
        ("the Fulmar or the Long Mere Tent?", [["P1"], ["P2"]]),
        ("do you have gloves?", []),
        ("what do you have in pockets for climbing when I have jackets", []),
    ],
)
def test_a_brief_or_pointing_question_goes_on_with_the_product_that_was_talked_about(
    question: str, expected: list[list[str]]
) -> None:
    assert focus(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("my phone has to go somewhere when climbing: which pockets with zips", [["P1"]]),
        ("I am looking for a jacket my brother has when he goes climbing", []),
    ],
)
def test_a_long_question_goes_on_if_it_asks_for_a_field_rather_than_for_products(
    question: str, expected: list[list[str]]
) -> None:
    assert not is_brief(question)
    assert focus(question) == expected
    assert focus(question, []) == []


def test_the_focus_is_the_product_named_last() -> None:
    history = [*ABOUT_THE_JACKET, *talk("And the Long Mere Tent?", "The Long Mere Tent costs $100.00.")]
    assert focus("pockets?", history) == [["P2"]]
    assert focus("pockets?", [*history, *talk("hello", "Hi.")]) == [["P2"]]
    assert focus("pockets?", []) == []


@pytest.mark.parametrize(
    "question", ["is it there in ember?", "and in Ember", "the M in ember", "how much is the ember?"]
)
def test_a_colour_of_the_product_that_was_talked_about_is_no_other_product(question: str) -> None:
    """There is an Ember Stove; the jacket comes in Ember."""
    assert focus(question) == [["P1"]]


@pytest.mark.parametrize(
    ("question", "history", "expected"),
    [
        ("how much is the ember?", [], [["P3"]]),
        ("how much is the ember?", talk("And the Long Mere Tent?", "It costs $100.00."), [["P3"]]),
        ("how much is the Fulmar in ember?", talk("And the Long Mere Tent?", "It costs $100.00."), [["P1"]]),
        ("how much is the Long Mere Tent in blue?", ABOUT_THE_JACKET, [["P2"]]),
    ],
)
def test_it_is_the_name_of_another_where_nothing_has_that_colour(
    question: str, history: list[Message], expected: list[list[str]]
) -> None:
    assert focus(question, history) == expected


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


# ---------------------------------------------------------------- what is asked


def asked(question: str, history: Sequence[Message] = ABOUT_THE_JACKET) -> str:
    utterance = TURN.read(question)
    return standalone(question, utterance, history, bool(focus_of(question, utterance, history, TURN)))


@pytest.mark.parametrize(
    "question",
    ["and the Long Mere Tent?", "what about the Ember Stove", "the Long Mere?", "Same question for the Ember Stove"],
)
def test_a_message_that_only_names_a_product_asks_what_the_one_before_asked(question: str) -> None:
    assert asked(question) == "How much is the Fulmar Down Jacket?"


@pytest.mark.parametrize(
    "question",
    [
        "is the Long Mere Tent waterproof?",
        "is it there in ember?",
        "how much is the Long Mere Tent?",
        "pockets?",
        "and in M?",
        "do you sell gloves?",
    ],
)
def test_a_message_that_asks_something_asks_that(question: str) -> None:
    history = talk("does the Fulmar Down Jacket have a hood", "Hood of the Fulmar Down Jacket: fixed.")
    assert asked(question, history) == question


def test_what_was_asked_is_what_the_customer_said_last() -> None:
    history = [*ABOUT_THE_JACKET, *talk("and is it waterproof?", "It is.")]
    assert asked("and the Long Mere Tent?", history) == "and is it waterproof?"
    assert asked("and the Long Mere Tent?", []) == "and the Long Mere Tent?"


def test_a_message_that_points_back_to_no_product_stands_behind_the_one_before() -> None:
    history = talk("How do I return something?", "By mail.")
    assert asked("and when does that arrive?", history) == "How do I return something? and when does that arrive?"
    assert asked("and that?", history) == "How do I return something? and that?"
    assert asked("Do you sell gloves?", history) == "Do you sell gloves?"


def about(question: str, *product_ids: str) -> Findings:
    return find_products(question, TURN.read(question), [[product_id] for product_id in product_ids], TURN)


def texts(findings: Findings) -> list[str]:
    return [point.statement.text for point in findings.points]


def test_every_clause_is_looked_up_in_the_record() -> None:
    findings = about("does the Fulmar Down Jacket have a hood and how heavy is it?", "P1")
    assert sorted(texts(findings)) == ["Hood of the Fulmar Down Jacket: fixed.", "The Fulmar Down Jacket weighs 515 g."]
    assert set(findings.asked[1].fields) == {"hood", "weight"}
    assert (findings.lead, findings.as_list) == ([], False)


def test_what_the_record_does_not_say_leads_with_the_words_of_the_customer() -> None:
    findings = about("does the Fulmar Down Jacket have a heater?", "P1")
    text = TURN.phrase("unknown_attribute", product="Fulmar Down Jacket", words="“heater”")
    assert (findings.lead, findings.points) == ([Lead(text, (stem("heater"),), "P1")], [])
    assert findings.asked[1].unanswered == ("heater",)


def test_an_answer_about_several_products_makes_two_points_of_each_at_most() -> None:
    findings = about("the Fulmar Down Jacket and the Long Mere Tent?", "P1", "P2")
    numbered = [(point.source.number, point.source.id, point.statement.field) for point in findings.points]
    assert numbered == [(1, "P1", "price"), (1, "P1", "stock"), (2, "P2", "price"), (2, "P2", "stock")]
    assert findings.as_list
    assert [source.id for source in findings.sources] == ["P1", "P2"]


def test_what_was_asked_before_is_asked_of_the_product_named_now() -> None:
    earlier = TURN.read("Does the Fulmar Down Jacket have a hood?")
    findings = find_products("and the Ember Stove?", TURN.read("How much is it?"), [["P3"]], TURN)
    assert texts(findings) == ["The Ember Stove costs $100.00."]
    findings = find_products("and the Ember Stove?", earlier, [["P3"]], TURN)
    assert (findings.points, findings.asked[1].unanswered) == ([], ("hood",))


def test_names_of_several_products_are_asked_back_about() -> None:
    findings = find_products("the ember?", TURN.read("the ember?"), [["P1", "P3"]], TURN)
    assert [point.source.id for point in findings.points] == ["P1", "P3"]
    assert [lead.text for lead in findings.lead] == [TURN.phrase("which_one")]


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
    findings = find_products(question, TURN.read(question), [], TURN)
    return [lead.text for lead in findings.lead], [point.source.id for point in findings.points]


def test_a_thing_that_no_found_title_has_is_said_to_be_unknown() -> None:
    """Though a description has the word: a tent that fits into canoes is none."""
    lead, shown = found("do you have canoes that fits into a long tent, dries fast?")
    assert lead == [TURN.phrase("unknown_product", words="“canoes”"), TURN.phrase("closest")]
    assert shown == ["P2"]


def test_a_thing_that_a_found_title_has_is_shown() -> None:
    lead, shown = found("do you have a long tent that fits into canoes, dries fast?")
    assert (lead, shown) == ([TURN.phrase("found")], ["P2"])


@pytest.mark.parametrize("question", ["how much is it?", "does it have a hood", "where do I put my phone"])
def test_a_field_of_no_product_is_asked_back_about(question: str) -> None:
    assert found(question) == ([TURN.phrase("which_product")], [])
