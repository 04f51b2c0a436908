"""From the words of a message to the statements that answer it; what the record lacks is said to be lacking."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from graph.asks import (
    ABSENT_MARGIN,
    CLAUSE,
    LINE_SHARE,
    NAMED,
    SECOND,
    SILENT_CLAUSE,
    SPOKEN_OF,
    STRANGE_WORD_BONUS,
    UNKNOWN_BONUS,
    WORD_BONUS,
    Reading,
    Utterance,
    by_clause,
    clauses_of,
    fitting_rows,
    options_asked,
    read_question,
    read_utterance,
    requested,
    says_nothing,
    wanted_words,
)
from graph.lexicon import Lexicon
from shopbot.cards import Asked
from shopbot.embedding import Vectors
from shopbot.intents import Intents, fit_intents
from shopbot.statements import Source, policy_source, product_source
from shopbot.types import PolicySection, Product, ProductFacts, Variant
from tests.fakes_data import HashEmbedder, fact
from tests.unit.test_intents import scores_of

EMBEDDER = HashEmbedder()


def product(product_id: str, title: str, **more: object) -> Product:
    values = {"description": "", "category": "Jackets", "brand": "Gale", "currency": "USD", "attributes": {}}
    return Product.model_validate({"id": product_id, "title": title, **values, **more})


SIZES = [("S", "Ink Blue"), ("M", "Ink Blue"), ("XL", "Ink Blue"), ("S", "Moss"), ("M", "Moss"), ("XL", "Moss")]
JACKET = product(
    "P1",
    "Fulmar Down Jacket",
    description="A warm jacket for dry cold. Its collar is lined with fleece.",
    attributes={
        "weight_g": 515,
        "fill_power": 800,
        "hood": "helmet-compatible",
        "waterproof": "water-repellent, not waterproof",
        "care": "machine wash at 30 °C",
        "warranty": "5 years",
        "season": ["autumn", "winter"],
    },
    variants=tuple(Variant(sku=f"{size}-{color}", size=size, color=color) for size, color in SIZES),
)
BOOTS = product("P2", "Corrie Boots", category="Boots", attributes={"weight_g": 1240, "sole": "Vibram"})
PACK = product("P3", "Teal Daypack", attributes={"pockets": "two, one for a bluetooth speaker"})
LEXICON = Lexicon({item.id: item for item in (JACKET, BOOTS, PACK)}, {})


def jacket() -> Source:
    stock = {v.sku: fact(v.sku, price=None, stock=0 if v.sku == "M-Moss" else 4) for v in JACKET.variants}
    stock["XL-Ink Blue"] = fact("XL-Ink Blue", price=36900, stock=4)
    return product_source(1, JACKET, ProductFacts(own=fact("", price=34900, stock=None), variants=stock), "en-US")


SOURCE = jacket()
OTHER = product_source(2, BOOTS, ProductFacts(own=fact("", price=19900, stock=3)), "en-US")

# As fields.yaml has them, names replaced; `pockets` and `capacity` are fields of other products.
EXAMPLES = {
    "field.price": ["how much is it", "what does it cost", "price of it", "how expensive is it", "how much to pay"],
    "field.stock": ["is it in stock", "is it available", "do you have it", "any left of it", "is it sold out"],
    "field.sizes": ["what sizes does it come in", "which sizes are there", "is it made in larger sizes"],
    "field.colors": ["which colours are there", "what colors does it come in", "is there another color of it"],
    "field.weight": ["how heavy is it", "how much does it weigh", "weight of it", "is it light to carry"],
    "field.hood": ["does it have a hood", "has it got a hood", "can I pull it over my head"],
    "field.waterproof": ["is it waterproof", "will it keep the rain out", "can it get wet", "does water come through"],
    "field.care": ["how do I wash it", "can it go in the washing machine", "is it washable", "how to clean it"],
    "field.warranty": ["is there a warranty", "how long is the guarantee", "what if it breaks after a year"],
    "field.season": ["which season is it for", "can I use it in summer", "is it for winter"],
    "field.pockets": ["does it have pockets", "how many pockets", "where do I put my phone"],
    "field.capacity": ["what is its capacity", "how many litres does it hold"],
    "unknown": ["does it have a heater", "has it got usb", "is it made by hand", "what is its iso rating"],
    "product": ["do you sell tents", "which jacket is the warmest", "something for a cold hike"],
    "other": ["hello", "are you a robot"],
}
INTENTS = fit_intents(EXAMPLES, EMBEDDER)
NO_FIELDS = fit_intents({label: EXAMPLES[label] for label in ("product", "other")}, EMBEDDER)


def read(question: str, intents: Intents = INTENTS) -> Utterance:
    return by_clause(read_utterance(question, LEXICON, intents, EMBEDDER), LEXICON, intents, EMBEDDER)


def ask(question: str, intents: Intents = INTENTS, source: Source = SOURCE) -> Reading:
    return requested(question, read(question, intents), source, EMBEDDER)


def fields(question: str, intents: Intents = INTENTS) -> list[str]:
    reading = ask(question, intents)
    assert reading.unanswered == ()
    return list(dict.fromkeys(statement.field for statement in reading.statements))


# ---------------------------------------------------------------- the message


def test_a_message_is_read_as_a_whole_with_its_names_replaced() -> None:
    utterance = read_utterance("Is the Fulmar Down Jacket warm? And the price?", LEXICON, INTENTS, EMBEDDER)
    assert utterance.parts == ("Is it warm? And the price?",)
    assert utterance.text == "Is it warm? And the price?"
    np.testing.assert_array_equal(utterance.vector, EMBEDDER.embed([utterance.text])[0])
    assert utterance.meant.values.shape == (1, len(EXAMPLES))


def test_its_clauses_are_read_behind_the_whole() -> None:
    utterance = read("Is the Fulmar Down Jacket waterproof and has it bluetooth or wifi?")
    assert utterance.parts == (
        "Is it waterproof and has it bluetooth or wifi?",
        "Is it waterproof",
        "has it bluetooth or wifi",
    )
    assert utterance.strange == (True, False, True)
    np.testing.assert_array_equal(utterance.vectors, EMBEDDER.embed(utterance.parts))
    np.testing.assert_array_equal(utterance.meant.values, INTENTS.read(utterance.parts, utterance.vectors).values)


def test_a_message_of_one_clause_is_not_read_again() -> None:
    whole = read_utterance("Is the Fulmar Down Jacket waterproof?", LEXICON, INTENTS, EMBEDDER)
    embedder = HashEmbedder()
    assert by_clause(whole, LEXICON, INTENTS, embedder) is whole
    assert embedder.embedded == []


def test_a_strange_word_is_one_of_no_record() -> None:
    assert read("is it bluetooth").strange == (False,)  # a pack has a pocket for it
    assert read("is it a kayak").strange == (True,)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("how much is it and how heavy is it?", ["how much is it", "how heavy is it"]),
        ("price & weight plus care", ["price", "weight", "care"]),
        ("I hike. Is it warm? Also, is it light", ["I hike", "Is it warm", "Also", "is it light"]),
        ("is it warm, dry; and light", ["is it warm", "dry", "and light"]),
        ("is it warm - or not", ["is it warm", "or not"]),
        ("it costs 1,299.50", ["it costs 1,299.50"]),
        ("a helmet-compatible hood", ["a helmet-compatible hood"]),
        ("sandy hand", ["sandy hand"]),
        ("?!", []),
        ("", []),
    ],
)
def test_a_clause_ends_at_a_mark_or_a_joining_word(text: str, clauses: list[str]) -> None:
    assert clauses_of(text) == clauses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("and it?", True),
        ("it", True),
        ("what about it?", True),
        ("Same question for it, please", True),
        ("and the same thing again", True),
        ("", True),
        ("and it in blue?", False),
        ("is it warm", False),
        ("price?", False),
        ("and 2 of it", False),
        ("how much is it?", False),
        ("it for him or for her", False),
        ("do you have it?", False),
        ("is it there?", False),
    ],
)
def test_a_message_that_only_names_a_product_says_nothing(text: str, expected: bool) -> None:
    assert says_nothing(text) is expected


def test_the_words_that_say_what_a_message_is_about() -> None:
    assert wanted_words("does it have Bluetooth, and what is its UV-rating?") == ["bluetooth", "uv", "rating"]
    assert wanted_words("would it fit my wife, please") == []


# ---------------------------------------------------------------- a field


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How much is the Fulmar Down Jacket?", ["price"]),
        ("what does the fulmar cost", ["price"]),
        ("how expensive is it", ["price"]),
        ("is it in stock?", ["stock"]),
        ("do you have the fulmar down jacket in stock", ["stock"]),
        ("How much does it weigh?", ["weight"]),
        ("how heavy is the fulmar", ["weight"]),
        ("is it waterproof?", ["waterproof"]),
        ("can it get wet in the rain", ["waterproof"]),
        ("does it have a hood?", ["hood"]),
        ("how do I wash it?", ["care"]),
        ("what sizes does it come in?", ["sizes"]),
        ("which colours are there?", ["colors"]),
        ("is there a guarantee?", ["warranty"]),
        ("is it a jacket for the winter", ["season"]),
    ],
)
def test_a_question_gets_the_field_that_it_asks_for(question: str, expected: list[str]) -> None:
    assert fields(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What does it cost and what does it weigh?", {"price", "weight"}),
        ("the price of it and the weight of it please", {"price", "weight"}),
        ("Is it waterproof and how do I wash it?", {"waterproof", "care"}),
        ("Is it waterproof? What is the price of it?", {"waterproof", "price"}),
    ],
)
def test_a_question_for_two_fields_gets_both(question: str, expected: set[str]) -> None:
    assert set(fields(question)) == expected


@pytest.mark.parametrize("question", ["The Fulmar Down Jacket?", "what about the Fulmar", "and it?"])
def test_a_message_that_only_names_the_product_gets_what_it_is_and_costs(question: str) -> None:
    reading = ask(question)
    assert reading == Reading(tuple(SOURCE.of("description", "price", "stock")))
    assert reading.asked.fields == ("price", "stock", "description")


def test_the_words_of_the_title_ask_for_nothing() -> None:
    """ "Down" stands in the title: the question is not about the down."""
    assert fields("how much is the fulmar down jacket") == ["price"]


def test_each_record_is_read_for_itself() -> None:
    question = "does the Fulmar Down Jacket or the Corrie have a hood?"
    readings = read_question(question, read(question), [SOURCE, OTHER], EMBEDDER)
    assert [statement.field for statement in readings[1].statements] == ["hood"]
    assert (readings[2].statements, readings[2].unanswered) == ((), ("hood",))


# ---------------------------------------------------------------- sizes and colours


IN_M = [
    "In Ink Blue, the Fulmar Down Jacket is in stock in sizes S, M and XL.",
    "In Moss, the Fulmar Down Jacket is sold out in size M.",
]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is it available in M?", IN_M),
        ("do you have it in medium?", IN_M),
        ("is it available in moss in size s?", ["In Moss, the Fulmar Down Jacket is in stock in sizes S and XL."]),
        ("does it come in blue?", ["In Ink Blue, the Fulmar Down Jacket is in stock in sizes S, M and XL."]),
        ("how much is it in XL?", ["In size XL, the Fulmar Down Jacket costs $369.00."]),
        ("how much is it in S?", ["The Fulmar Down Jacket costs $349.00."]),
        ("does it have a heater in M", IN_M),
    ],
)  # fmt: skip
def test_a_named_size_or_colour_gets_its_own_price_or_stock(question: str, expected: list[str]) -> None:
    reading = ask(question)
    assert ([statement.text for statement in reading.statements], reading.unanswered) == (expected, ())


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"field.sizes": 0.5}, ["stock"]),
        ({"field.colors": 0.5, "field.sizes": 0.4}, ["stock"]),
        ({"field.price": 0.5}, ["price"]),
        ({"field.price": 0.5, "field.stock": 0.4}, ["price", "stock"]),
        ({"field.waterproof": 0.5, "field.sizes": 0.4}, ["stock", "waterproof"]),
        ({"field.price": 0.1, "unknown": 0.5}, ["stock"]),
    ],
)
def test_a_named_option_asks_for_its_stock_unless_it_asks_for_its_price(
    scores: dict[str, float], expected: list[str]
) -> None:
    assert chosen(scores, question="XL?") == (expected, False)


def test_a_size_that_is_not_made_gets_no_stock_of_another() -> None:
    statements = ask("Is it available in XXXL?").statements
    assert all("XXXL" not in statement.text for statement in statements)
    assert {"sizes", "stock"} & {statement.field for statement in statements}


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("is it there in xl or large, in moss", ("XL", "Moss")),
        ("the blue one in size s", ("S", "Ink Blue")),
        ("in XXXL", ()),
        ("it's for him", ()),
    ],
)
def test_options_are_those_that_are_made_sizes_first(question: str, options: tuple[str, ...]) -> None:
    assert options_asked(question, SOURCE) == options


def test_a_colour_in_a_title_is_no_option() -> None:
    pack = product("P3", "Teal Daypack", variants=(Variant(sku="a", color="Teal"), Variant(sku="b", color="Moss")))
    source = product_source(1, pack, None, "en-US")
    assert options_asked("is the Teal Daypack there in moss", source) == ("Moss",)


def test_a_colour_in_the_title_of_another_product_is_none_either() -> None:
    pack = product_source(2, product("P4", "Moss Daypack"), None, "en-US")
    question = "how heavy is the Fulmar Down Jacket or the Moss Daypack?"
    assert options_asked(question, SOURCE) == ("Moss",)
    alone, beside = (
        [statement.field for statement in read_question(question, read(question), sources, EMBEDDER)[1].statements]
        for sources in ([SOURCE], [SOURCE, pack])
    )
    assert alone[0] == "stock"
    assert beside[0] == "weight"
    assert "stock" not in beside


# ---------------------------------------------------------------- what no record says


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("Does it have wifi?", ("wifi",)),
        ("What is its UV rating?", ("uv", "rating")),
        ("Has it got a usb heater?", ("usb", "heater")),
        ("does the Fulmar have pockets for a phone?", ("pockets", "phone")),
        ("what is the capacity of the fulmar", ("capacity",)),
    ],
)
def test_what_the_record_does_not_say_is_named_as_missing(question: str, missing: tuple[str, ...]) -> None:
    """Be it in no record of the shop, or in those of other products."""
    reading = ask(question)
    assert (reading.statements, reading.unanswered) == ((), missing)


def test_of_two_questions_the_one_is_answered_and_the_other_is_not() -> None:
    reading = ask("Is it waterproof? And does it have pockets?")
    assert [statement.field for statement in reading.statements] == ["waterproof"]
    assert reading.unanswered == ("pockets",)


def test_at_most_three_words_are_said_to_be_missing() -> None:
    assert len(ask("does it have a heater, usb, wifi, gps or an iso rating").unanswered) == 3


def test_a_word_of_the_description_finds_its_sentence() -> None:
    """Among the lines that may answer; also one that looks like a word of asking: a collar is no dollar."""
    reading = ask("Is the collar lined?")
    assert reading.lines[0].text == "Its collar is lined with fleece."


# ---------------------------------------------------------------- without fields.yaml


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what is its price?", ["price"]),
        ("what does the fulmar cost", ["price"]),
        ("is it in stock?", ["stock"]),
        ("what is the weight of it", ["weight"]),
        ("how heavy is the fulmar", ["weight"]),
        ("is it waterproof?", ["waterproof"]),
        ("can I wear it in the rain", ["waterproof"]),
        ("does it have a hood?", ["hood"]),
        ("how do I wash it?", ["care"]),
        ("which colours are there?", ["colors"]),
        ("is there a guarantee?", ["warranty"]),
        ("its fill power", ["fill power"]),
    ],
)
def test_a_shop_without_example_questions_finds_fields_by_their_words(question: str, expected: list[str]) -> None:
    assert fields(question, NO_FIELDS) == expected


def test_a_field_without_example_questions_is_found_by_its_words_beside_those_that_have_some() -> None:
    assert fields("what fill power does it have") == ["fill power"]


@pytest.mark.parametrize("question", ["does it have wifi?", "what is its uv rating?"])
def test_such_a_shop_says_what_is_strange_to_it(question: str) -> None:
    reading = ask(question, NO_FIELDS)
    assert reading.statements == ()
    assert reading.unanswered


# ---------------------------------------------------------------- how scores decide


def told(
    *messages: Mapping[str, float], texts: Sequence[str] = (), strange: Sequence[bool] = (), question: str = "of it"
) -> Reading:
    """Read the jacket for messages of these scores, which share no words with it: the whole, then its clauses."""
    parts = tuple(texts) or ("zzz",) * len(messages)
    vectors: Vectors = np.zeros((len(parts), EMBEDDER.dimension), dtype=np.float32)
    utterance = Utterance(parts, tuple(strange) or (False,) * len(parts), vectors, scores_of(*messages))
    return requested(question, utterance, SOURCE, EMBEDDER)


def chosen(*messages: Mapping[str, float], **more: Any) -> tuple[list[str], bool]:
    """The fields that are told, and whether something is said to be missing."""
    reading = told(*messages, **more)
    return list(reading.asked.fields), bool(reading.unanswered)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"field.price": 0.5, "field.weight": 0.1}, ["price"]),
        ({"field.price": 0.02, "field.weight": 0.01}, ["price"]),
        ({"field.price": 0.3, "field.weight": 0.16}, ["price", "weight"]),
        ({"field.weight": 0.4, "field.price": 0.3}, ["weight", "price"]),
        ({"field.price": 0.4, "field.weight": 0.19}, ["price"]),
        ({"field.price": 0.2, "field.weight": SECOND - 0.01}, ["price"]),
        ({"field.price": 0.5, "field.weight": 0.4, "field.care": 0.4}, ["price", "weight"]),
    ],
)
def test_one_clause_asks_for_its_best_field_and_perhaps_a_second(scores: dict[str, float], expected: list[str]) -> None:
    assert chosen({**scores, "unknown": -UNKNOWN_BONUS}) == (expected, False)


@pytest.mark.parametrize(
    ("scores", "is_silent"),
    [
        ({"unknown": 0.5 - UNKNOWN_BONUS + 0.01}, True),
        ({"unknown": 0.5 - UNKNOWN_BONUS - 0.01}, False),
        ({"field.pockets": 0.5 + ABSENT_MARGIN + 0.01}, True),
        ({"field.pockets": 0.5 + ABSENT_MARGIN - 0.01}, False),
        ({"section.returns.window": 0.9, "order": 0.9, "product": 0.9}, False),
    ],
)
def test_the_record_is_silent_where_what_it_lacks_scores_better(scores: dict[str, float], is_silent: bool) -> None:
    assert chosen({"field.price": 0.5, **scores}) == ([] if is_silent else ["price"], is_silent)


def test_a_word_of_no_record_makes_it_likelier_that_the_record_is_silent() -> None:
    scores = {"field.price": 0.5, "unknown": 0.5 - UNKNOWN_BONUS - STRANGE_WORD_BONUS + 0.01}
    assert chosen(scores) == (["price"], False)
    assert chosen(scores, strange=[True]) == ([], True)


def test_words_of_a_value_speak_for_its_field() -> None:
    """As many as three; of what stands in a price or a stock none do."""
    scores = {"field.price": 0.5, "field.hood": 0.5 - 2 * WORD_BONUS, "field.care": 0.0, "field.stock": 0.0}
    assert chosen(scores, texts=["helmet"])[0] == ["price", "hood"]
    assert chosen(scores, texts=["helmet compatible"])[0] == ["price", "hood"]
    more = {**scores, "field.hood": 0.51 - 2 * WORD_BONUS}
    assert chosen(more, texts=["helmet compatible"])[0] == ["hood", "price"]
    assert chosen({**scores, "field.price": 0.01}, texts=["$349.00"])[0] == ["hood"]


def test_the_line_of_a_field_speaks_for_it_by_its_cosine() -> None:
    line = EMBEDDER.embed(["hood: helmet-compatible"])
    nearer = Utterance(("zzz",), (False,), line, scores_of({"field.price": 0.3, "field.hood": 0.3 - LINE_SHARE / 2}))
    assert requested("it", nearer, SOURCE, EMBEDDER).asked.fields[0] == "hood"
    assert told({"field.price": 0.3, "field.hood": 0.3 - LINE_SHARE / 2}).asked.fields[0] == "price"


def test_a_clause_asks_for_its_best_field_if_that_is_good_enough() -> None:
    whole, first = {"field.price": 0.0}, {"field.weight": CLAUSE + 0.01}
    assert chosen(whole, first, {"field.care": CLAUSE + 0.02}) == (["care", "weight"], False)
    assert chosen(whole, first, {"field.care": CLAUSE - 0.06}) == (["weight"], False)


def test_a_clause_that_asks_for_two_fields_gets_both_but_never_the_worse_alone() -> None:
    quiet = {"field.price": 0.0}
    both = {"field.care": CLAUSE + 0.01, "field.hood": SECOND + 0.01}
    assert chosen(quiet, both, {"field.price": 0.9}) == (["price", "care", "hood"], False)
    neither = {"field.care": CLAUSE - 0.01, "field.hood": SECOND + 0.01}
    assert chosen(quiet, neither, {"field.price": 0.9}) == (["price"], False)


def test_the_whole_of_several_clauses_asks_for_its_two_best_fields_if_they_are_good_enough() -> None:
    quiet = {"field.price": 0.0, "field.care": 0.0}
    assert chosen({"field.price": 0.9, "field.care": SECOND + 0.01}, quiet, quiet) == (["price", "care"], False)
    assert chosen({"field.price": 0.9, "field.care": SECOND - 0.01}, quiet, quiet) == (["price"], False)
    assert chosen({"field.price": SECOND + 0.01}, quiet, quiet) == (["price"], False)


def test_the_whole_of_several_clauses_is_never_said_to_be_missing() -> None:
    """Something in it may be; its clauses tell what."""
    quiet = {"field.price": 0.0, "unknown": -0.2}
    assert chosen({"field.price": 0.3, "field.care": 0.2, "unknown": 0.9}, quiet, quiet) == (["price", "care"], False)


def test_a_clause_that_the_record_does_not_answer_is_said_to_be_missing() -> None:
    texts = ["zzz and wifi", "zzz", "wifi"]
    whole, first = {"field.price": 0.0, "unknown": 0.9}, {"field.price": 0.5}
    silent, faint = ({"unknown": SILENT_CLAUSE - UNKNOWN_BONUS + more} for more in (0.01, -0.01))
    assert told(whole, first, silent, texts=texts).unanswered == ("wifi",)
    assert chosen(whole, first, silent, texts=texts) == (["price"], True)
    assert chosen(whole, first, faint, texts=texts) == (["price"], False)


def test_where_no_clause_asks_for_anything_the_product_is_described() -> None:
    faint = {"field.price": 0.01, "unknown": 0.02}
    assert chosen(faint, faint, faint)[0] == ["price", "stock", "description"]


def test_at_most_three_fields_are_told_the_best_first() -> None:
    clauses = [{f"field.{name}": score} for name, score in
               (("price", 0.3), ("weight", 0.6), ("care", 0.5), ("hood", 0.4))]  # fmt: skip
    assert chosen({"field.price": 0.0}, *clauses) == (["weight", "care", "hood"], False)


def test_a_message_that_says_nothing_new_is_not_said_to_be_missing_anything() -> None:
    """Words of asking alone are nothing that a record could be silent on; no answer is ever empty."""
    reading = told({"unknown": 0.9}, texts=["would it suit my wife"])
    assert reading == Reading(tuple(SOURCE.of("description", "price", "stock")))


@pytest.mark.parametrize(("text", "score"), [("its care", NAMED), ("its machine", SPOKEN_OF)])
def test_a_field_without_examples_scores_by_its_own_word_or_by_those_of_customers(text: str, score: float) -> None:
    """Both stand in its line besides."""
    assert told({"field.price": score + WORD_BONUS - 0.01}, texts=[text]).asked.fields[0] == "care"
    assert told({"field.price": score + WORD_BONUS + 0.01}, texts=[text]).asked.fields[0] == "price"


def test_a_field_that_is_named_comes_before_one_that_is_spoken_of_in_other_words() -> None:
    assert told({"other": 0.0}, texts=["its guarantee or hood"]).asked.fields[0] == "hood"
    assert told({"other": 0.0}, texts=["its guarantee"]).asked.fields[0] == "warranty"


def test_the_category_and_the_description_are_never_chosen() -> None:
    """The category of a jacket is no answer; sentences of the description are lines."""
    reading = told({"field.price": 0.2}, texts=["its category or description"])
    assert reading.asked.fields == ("price",)
    assert "category" not in [line.field for line in reading.lines]


# ---------------------------------------------------------------- lines


def test_lines_are_what_else_the_record_says_likeliest_first() -> None:
    """Live facts are never among them, nor what is answered already."""
    scores = {"field.price": 0.9, "field.care": 0.3, "field.hood": 0.4, "field.weight": 0.2}
    lines = told(scores).lines
    assert [line.field for line in lines[:3]] == ["hood", "care", "weight"]
    assert {line.field for line in lines} == {
        "hood", "care", "weight", "fill power", "waterproof", "warranty", "season", "description"
    }  # fmt: skip
    assert [line.text for line in lines if line.field == "description"] == [
        line.text for line in SOURCE.of("description")
    ]
    assert [line.field for line in told({"field.hood": 0.9, "field.care": 0.3}).lines[:1]] == ["care"]


def test_lines_are_there_where_the_record_is_silent() -> None:
    assert [line.field for line in told({"field.hood": 0.4, "unknown": 0.9}).lines[:1]] == ["hood"]


def test_a_reading_is_asked_of_the_card_by_the_names_of_its_fields() -> None:
    line = SOURCE.of("care")[0]
    reading = Reading(tuple(SOURCE.of("fill power", "stock")), (line,), ("wifi",))
    assert reading.asked == Asked(("stock", "fill_power"), ("wifi",), (line,))


# ---------------------------------------------------------------- rows of a table


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
