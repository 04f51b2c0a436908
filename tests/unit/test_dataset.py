"""What the training set of a shop teaches: values are referred to, policies recited, hints not always right."""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from rapidfuzz import fuzz

from evals.cases import SETS, read_cases
from finetune.dataset import (
    FOLDS,
    FOLLOW_UPS_EVERY,
    HINTS,
    MISTYPED_SHARE,
    WITHOUT_HINTS_EVERY,
    Builder,
    _with_answer,
    citation_first,
    is_misread,
    is_silent,
)
from finetune.examples import TrainingExample, read_examples, write_examples
from finetune.material import Conversation, FieldPatterns, Material, NotSold, Patterns, read_material
from finetune.pipeline import _write_chat
from finetune.recipe import DataPlan
from shopbot.cards import TOLD, Asked
from shopbot.errors import ConfigError
from shopbot.facts import FactUpdate, facts_of
from shopbot.intents import about_it, fold_of
from shopbot.language import content_stems, split_sentences, words
from shopbot.prompts import RolePrompt, load_prompt
from shopbot.references import REFERENCE, field_names, references
from shopbot.sections import alike
from shopbot.shop import Shop, Unknown, load_shop
from shopbot.statements import LIVE_FIELDS, Source, Statement, policy_source, product_source
from shopbot.types import Hit, PolicySection, Product, Variant
from tests.fakes_data import PRODUCTS, write_shop
from tests.unit.test_verify_catalog import SHOP, catalog

SMALL = DataPlan(
    facts=300, several_fields=80, stock=80, compare=40, unknown=60, partly_known=40, not_sold=20, recitals=4, texts=2
)
SECTIONS = {section.id: section for section in SHOP.policies}
HINTED = re.compile(r"^Sections: (.*)$", re.MULTILINE)
PRODUCT_KINDS = ("product", "several_fields", "stock", "compare", "unknown_attribute", "partly_known", "not_sold")


def prompts() -> dict[str, RolePrompt]:
    return {role: load_prompt(role, "tuned") for role in ("product", "policy", "policy_text")}


class WordReader:
    """Takes every line of a product for one that may answer; ranks sections by the share of the words that they have.

    Notes each question with the fold whose classifier was to read it.
    """

    def __init__(self, policies: Iterable[PolicySection]) -> None:
        self._stems = {section.id: set(content_stems(f"{section.heading} {section.text}")) for section in policies}
        self.read: list[tuple[str, int]] = []
        self.ranked: list[tuple[str, int]] = []

    def asked(self, question: str, sources: Sequence[Source], fold: int) -> Mapping[int, Asked]:
        self.read.append((question, fold))
        return {source.number: Asked(lines=lines_of(source)) for source in sources}

    def sections(self, question: str, fold: int) -> list[Hit]:
        self.ranked.append((question, fold))
        said = set(content_stems(question)) or {question}
        hits = [Hit(id=key, score=len(said & stems) / len(said)) for key, stems in self._stems.items()]
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))


def lines_of(source: Source) -> tuple[Statement, ...]:
    return tuple(line for line in source.statements if line.field not in LIVE_FIELDS)


def nothing(*_: object) -> None:
    """Progress that nobody watches."""


@cache
def training_products() -> tuple[Product, ...]:
    held = {case.product for name in SETS for case in read_cases(name)}
    return tuple(product for product in catalog()[0].values() if product.id not in held)


def policies() -> tuple[PolicySection, ...]:
    """Those of the sample shop, with only the first eight questions about each."""
    return tuple(section.model_copy(update={"questions": section.questions[:8]}) for section in SHOP.policies)


@cache
def cairn() -> tuple[TrainingExample, ...]:
    """A small training set of the sample shop."""
    shop = SHOP.model_copy(update={"policies": policies()})
    return tuple(builder(shop, read_material(SHOP), training_products(), plan=SMALL).build(nothing))


def of(*kinds: str) -> list[TrainingExample]:
    found = [example for example in cairn() if example.kind in kinds]
    assert found
    return found


@cache
def source(record: str, number: int = 1) -> Source:
    products = catalog()[0]
    if record in products:
        return product_source(number, products[record], None, "en")
    return policy_source(number, SECTIONS[record])


def without_names(text: str, products: Iterable[str]) -> str:
    for title in sorted((catalog()[0][product].title for product in products), key=len, reverse=True):
        text = text.replace(title, " ")
    return text


# ---------------------------------------------------------------- a small shop: what the seed decides


def ware(record: str, title: str, category: str, **values: Any) -> Product:
    blank = {"description": "", "brand": "", "currency": "USD", "attributes": {"weight_g": 300}}
    return Product(id=record, title=title, category=category, **{**blank, **values})


WARES = (
    ware("K-1", "Copper Saucepan", "Pans"),
    ware("K-2", "Iron Skillet", "Pans", attributes={"weight_g": 2300, "lid": "a glass lid"}),
    ware("K-3", "Linen Apron", "Textiles", variants=tuple(Variant(sku=s, size=s, color="Sand") for s in "SL")),
    ware("K-4", "Oven Gloves", "Textiles"),
)
QUESTIONS = """
returns.window: ["How long may I return something?", "return deadline", "days to send it back", "too late to return?"]
returns.label: ["what is the label", "who pays the label", "label price"]
shipping.costs: ["What does delivery cost?", "is shipping free", "how long does a parcel travel"]
size-aprons.chart: ["which apron fits me"]
"""


def patterns(*questions: str, follow_ups: Sequence[str] = ()) -> FieldPatterns:
    answers = ("{name}: {value}.", "The {name} is {value}.")
    return FieldPatterns(questions=questions, follow_ups=tuple(follow_ups), answers=answers)


MATERIAL = Material(
    patterns=Patterns(
        fields={
            "price": patterns("{name} price", "how much is the {name}", "cost of {name}", follow_ups=["& its price"]),
            "stock": patterns("{name} there?", "got the {name}", follow_ups=["& is it there"]),
            "weight": patterns("{name} weight", "how heavy is {name}", follow_ups=["& its weight", "& heavy"]),
            "lid": patterns("what lid has the {name}", follow_ups=["& its lid"]),
            "spout": patterns("what spout has the {name}", follow_ups=["& its spout"]),
            "stock_option": FieldPatterns(
                questions=("{name} in {option}?",),
                answers=("In {option}, the {name} is {value}.", "In {option}, it is {value}."),
            ),
        },
        unknown=(
            Unknown(ask="does the {name} have a lid", what="a lid", word="lid"),
            Unknown(ask="can the {name} sing", what="its voice", word="sing"),
            Unknown(ask="has the {name} a pocket", what="a pocket", word="pocket", kind="cloth"),
        ),
        unknown_answers=("We know nothing of {what} of the {name}. Ask {email}.",),
        not_sold=(NotSold(ask="got surfboards", what="surfboards"), NotSold(ask="kayaks?", what="kayaks")),
        not_sold_answers=("We have no {what}.",),
        compare=("{field} of {first} and {second}",),
        joiners=("{fields} of the {name}",),
        second_questions=("{first} + {second}", "{first}. {Second}?"),
        kinds={"cloth": ("Textiles",)},
        field_words={
            "price": ("price", "cost"),
            "weight": ("weight", "heaviness"),
            "stock": ("stock",),
            "lid": ("kind of lid",),
            "spout": ("kind of spout",),
        },
    ),
    conversations=(),
)
PLAN = DataPlan(
    facts=20, several_fields=8, stock=8, compare=6, unknown=6, partly_known=6, not_sold=6, recitals=2, texts=1
)


@pytest.fixture
def small_shop(tmp_path: Path) -> Shop:
    return load_shop(write_shop(tmp_path, PRODUCTS, **{"policies/questions.yaml": QUESTIONS}))


def built(shop: Shop, seed: int = 7, wares: Sequence[Product] = WARES, *conversations: Any) -> list[TrainingExample]:
    written = tuple(Conversation.model_validate(item) for item in conversations)
    material = MATERIAL.model_copy(update={"conversations": written})
    return builder(shop, material, wares, seed).build(nothing)


def builder(
    shop: Shop,
    material: Material = MATERIAL,
    wares: Sequence[Product] = WARES,
    seed: int = 7,
    plan: DataPlan = PLAN,
    reader: WordReader | None = None,
) -> Builder:
    return Builder(shop, wares, material, prompts(), plan, seed, reader or WordReader(shop.policies))


def built_often(shop: Shop, *kinds: str) -> list[TrainingExample]:
    """Those of the kinds, of as many seeds as it takes to meet all that can happen."""
    found = [example for seed in range(12) for example in built(shop, seed) if example.kind in kinds]
    assert found
    return found


def with_fields(**fields: FieldPatterns) -> Material:
    return MATERIAL.model_copy(update={"patterns": MATERIAL.patterns.model_copy(update={"fields": fields})})


def test_the_same_seed_makes_the_same_examples_in_the_same_order(small_shop: Shop) -> None:
    assert built(small_shop) == built(small_shop)


def test_another_seed_makes_others(small_shop: Shop) -> None:
    assert built(small_shop) != built(small_shop, seed=8)


def test_every_kind_is_made_as_often_as_planned_at_most(small_shop: Shop) -> None:
    """Less often where there is not so much to ask: nothing is asked twice."""
    kinds: list[str] = [example.kind for example in built(small_shop)]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    # Of three sections, because the size chart is not recited.
    exact = {"not_sold": 6, "policy_closed": 2 + 2 + 2, "policy_opening": 2 + 1 + 1, "policy_text": 3}
    most = {"compare": 6, "product": 20, "several_fields": 8, "stock": 8, "unknown_attribute": 6, "partly_known": 6}
    most |= exact
    assert set(counts) == set(most)
    assert [kind for kind, count in counts.items() if count > most[kind]] == []
    assert {kind: counts[kind] for kind in exact} == exact


def test_no_prompt_is_asked_twice_whatever_its_case_and_punctuation(
    small_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight stocks planned: the apron is called by two names and made in two sizes."""
    monkeypatch.setattr("finetune.dataset.MISTYPED_SHARE", 0)
    examples = built(small_shop)
    asked = [" ".join(words(example.prompt[-1].content)) for example in examples]
    assert len(asked) == len(set(asked))
    assert len([example for example in examples if example.kind == "stock"]) <= 4


def test_a_shop_without_variants_can_be_trained(small_shop: Shop) -> None:
    wares = [item for item in WARES if not item.variants]
    assert [example.id for example in built(small_shop, 7, wares) if example.kind == "stock"] == []


def test_a_product_that_is_alone_in_its_category_is_compared_with_nothing(small_shop: Shop) -> None:
    alone = [ware(f"L-{number}", f"Lone Thing{number}", f"Kind {number}") for number in range(20)]
    compared = [e.products for e in built(small_shop, 7, [*WARES, *alone]) if e.kind == "compare"]
    assert [pair for pair in compared if any(record.startswith("L-") for record in pair)] == []


def test_what_has_every_field_of_the_patterns_is_asked_for_unknown_things_only(small_shop: Shop) -> None:
    fields = {name: asked for name, asked in MATERIAL.patterns.fields.items() if name not in ("lid", "spout")}
    examples = builder(small_shop, with_fields(**fields)).build(nothing)
    answers = [example.answer for example in examples if example.kind == "unknown_attribute"]
    assert answers
    assert [answer for answer in answers if not re.search(r"of (a lid|a pocket|its voice) of", answer)] == []


def test_kinds_come_mixed(small_shop: Shop) -> None:
    """A training that sees one kind after the other forgets the first."""
    kinds = [example.kind for example in built(small_shop)]
    changes = sum(before != after for before, after in pairwise(kinds))
    assert changes > 2 * len(set(kinds))


def test_building_tells_its_progress(small_shop: Shop) -> None:
    said: list[tuple[str, int, int]] = []
    builder(small_shop).build(lambda *step: said.append(step))
    assert [(number, count) for _, number, count in said] == [(number, 10) for number in range(1, 11)]


def test_examples_survive_being_written_and_read(small_shop: Shop, tmp_path: Path) -> None:
    examples = built(small_shop)
    digest = write_examples(examples, tmp_path / "a.jsonl")
    assert examples == read_examples(tmp_path / "a.jsonl")
    assert digest == write_examples(examples, tmp_path / "b.jsonl")


def test_a_plural_name_gets_a_plural_verb(small_shop: Shop) -> None:
    examples = [example for seed in range(4) for example in built(small_shop, seed)]
    answers = [example.answer for example in examples if example.products == ("K-4",)]
    assert [answer for answer in answers if "Gloves is" in answer] == []
    assert [answer for answer in answers if "Gloves are" in answer] != []


def test_what_a_record_says_is_not_taught_as_unknown(small_shop: Shop) -> None:
    """The skillet has a lid; whether the others have one is not known, nor of what kind."""
    taught = {
        (example.products[0], thing)
        for example in built_often(small_shop, "unknown_attribute", "partly_known")
        for thing in ("lid", "spout", "voice")
        if f" {thing} " in example.answer
    }
    assert {thing for record, thing in taught if record == "K-2"} == {"spout", "voice"}
    assert {thing for record, thing in taught if record != "K-2"} == {"lid", "spout", "voice"}
    skillet = product_source(1, WARES[1], None, "en")
    assert [is_silent(skillet, item) for item in MATERIAL.patterns.unknown] == [False, True, True]


def test_what_is_unknown_of_some_categories_only_is_asked_of_them_alone(small_shop: Shop) -> None:
    """Nobody asks a pan for its pocket."""
    examples = built_often(small_shop, "unknown_attribute", "partly_known")
    asked = {example.products[0] for example in examples if "a pocket" in example.answer}
    assert asked == {"K-3", "K-4"}


def test_what_is_partly_known_tells_one_field_after_what_it_does_not_know(small_shop: Shop) -> None:
    for example in built_often(small_shop, "partly_known"):
        unknown, told = example.answer.split("help@harbor.example. ")
        assert unknown.startswith("We know nothing of "), example.answer
        assert len(references(told)) == 1, example.answer
        assert references(unknown) == [], example.answer
        assert re.search(r" \+ &|\. &", example.question), example.question


def test_every_fourth_fact_is_asked_without_a_name(small_shop: Shop) -> None:
    for example in built_often(small_shop, "product"):
        number = int(example.id.removeprefix("fact-"))
        assert example.question.startswith("&") == (number % FOLLOW_UPS_EVERY == 1), example.id


def test_of_four_questions_for_several_fields_three_are_questions_one_after_the_other(small_shop: Shop) -> None:
    """Each with a reference of its own in the answer; the first of them names the product."""
    for example in built_often(small_shop, "several_fields"):
        asked = example.question.split("&")
        is_list = int(example.id.removeprefix("several-")) % 4 == 0
        assert len(asked) == (1 if is_list else len(references(example.answer))), example.question
        assert (" of the " in example.question) == is_list, example.question


def test_a_second_question_that_begins_a_sentence_begins_with_a_capital_letter(small_shop: Shop) -> None:
    made = builder(small_shop)
    joined = {made._joined("how heavy is it?", "its price") for _ in range(50)}
    assert joined == {"how heavy is it + its price", "how heavy is it. Its price?"}


def test_no_question_has_a_placeholder_left_even_where_a_field_has_no_follow_ups(small_shop: Shop) -> None:
    fields = {name: item.model_copy(update={"follow_ups": ()}) for name, item in MATERIAL.patterns.fields.items()}
    examples = builder(small_shop, with_fields(**fields)).build(nothing)
    assert [example.question for example in examples if "{" in example.question] == []


def test_some_of_the_questions_by_patterns_are_mistyped(small_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not made by patterns is left as people wrote it."""
    mistyped: list[str] = []

    def marked(text: str, _: random.Random) -> str:
        mistyped.append(text)
        return f"~{text}"

    monkeypatch.setattr("finetune.dataset.mistyped", marked)
    turn = {"user": "price?", "records": ["K-1"], "answer": "The Copper Saucepan costs {1.price}."}
    written = tuple(
        Conversation.model_validate({"id": f"C-{n}", "kind": "product", "turns": [turn]}) for n in range(50)
    )
    plan, material = PLAN.model_copy(update={"facts": 500}), MATERIAL.model_copy(update={"conversations": written})
    examples = builder(small_shop, material, plan=plan).build(nothing)
    assert len(mistyped) / 530 == pytest.approx(MISTYPED_SHARE, abs=0.04)
    assert {example.tool for example in examples if "~" in example.question} == {"patterns"}


def test_a_mistyped_question_is_the_one_of_the_prompt(small_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune.dataset.MISTYPED_SHARE", 1)
    monkeypatch.setattr("finetune.dataset.mistyped", lambda text, _: f"~{text}")
    made = [example for example in built(small_shop) if example.tool == "patterns"]
    assert [example.id for example in made if not example.prompt[-1].content.endswith(f"\nQuestion: {example.question}")
            or not example.question.startswith("~")] == []  # fmt: skip


def test_the_first_questions_of_a_section_get_its_recital_all_others_the_opening(small_shop: Shop) -> None:
    closed = {example.id: example for example in built(small_shop) if example.role == "policy"}
    asked: dict[str, list[str]] = {}
    for section in ("returns.window", "returns.label", "shipping.costs"):
        of_section = [closed.pop(f"closed-{section}-{number}") for number in range(3 + (section == "returns.window"))]
        asked[section] = sorted(example.question for example in of_section)
        kinds = [example.kind for example in of_section]
        assert kinds == ["policy_closed"] * PLAN.recitals + ["policy_opening"] * (len(kinds) - PLAN.recitals)
        assert [example.answer for example in of_section if example.is_opening] == [f"[{section}]"] * kinds.count(
            "policy_opening"
        )
    assert closed == {}
    assert asked == {s.id: sorted(s.questions) for s in small_shop.policies if s.id in asked}


def test_a_hosted_tuning_gets_no_unfinished_answers(small_shop: Shop, tmp_path: Path) -> None:
    examples = built(small_shop)
    _write_chat(examples, tmp_path / "chat.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "chat.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["messages"][-1]["content"] for line in lines] == [
        example.answer for example in examples if example.kind != "policy_opening"
    ]
    assert len(lines) < len(examples)


def test_a_field_that_a_record_has_not_and_does_not_speak_of_is_absent(small_shop: Shop) -> None:
    teapot = ware("K-5", "Clay Teapot", "Pots", description="Its spout pours well.")
    made = builder(small_shop, wares=[*WARES, teapot])
    absent = {item.id: [unknown.word for unknown in made._absent_fields(item)] for item in (*WARES[:2], teapot)}
    assert absent == {"K-1": ["lid", "spout"], "K-2": ["spout"], "K-5": ["lid"]}


def test_a_conversation_about_a_record_that_is_not_for_training_is_refused(small_shop: Shop) -> None:
    """Also one about a product that the evaluation keeps for itself."""
    turn = {"user": "price?", "records": ["K-1", "K-9"], "answer": "The Copper Saucepan costs {1.price}."}
    with pytest.raises(ConfigError, match=r"conversation C-7: no training record 'K-9'"):
        built(small_shop, 7, WARES, {"id": "C-7", "kind": "product", "turns": [turn]})


@pytest.mark.parametrize(
    ("records", "answer", "expected"),
    [
        (["K-1"], "It costs {1.price}.", ("product", "It costs {1.price}.")),
        (["K-1", "shipping.costs"], "It costs {1.price}. Parcels cost $6.00 and travel for two days. [2]",
         ("product", "It costs {1.price}. [2] Parcels cost $6.00 and travel for two days.")),
        (["returns.label"], "The label costs $4.50. [1]", ("policy_text", "[1] The label costs $4.50.")),
        (["returns.label"], "[returns.label] The label costs $4.50.",
         ("policy", "[returns.label] The label costs $4.50.")),
        ([], "Which product do you mean?", ("product", "Which product do you mean?")),
    ],
)  # fmt: skip
def test_a_written_turn_is_laid_out_as_its_records_are_when_served(
    small_shop: Shop, records: list[str], answer: str, expected: tuple[str, str]
) -> None:
    turn = {"user": "well?", "records": records, "answer": answer}
    examples = built(small_shop, 7, WARES, {"id": "C-1", "kind": "product", "turns": [turn]})
    (example,) = [item for item in examples if item.kind == "conversation"]
    assert expected == (example.role, example.answer)
    hinted = HINTED.search(example.prompt[-1].content)
    assert (hinted[1] if hinted else None) == ("returns.label" if example.role == "policy" else None)


def test_the_first_sentence_of_an_answer_names_the_product(small_shop: Shop) -> None:
    """A sentence that is checked has to say whose value it refers to; the next ones may say "it"."""
    titles = {item.id: item.title for item in WARES}
    examples = built_often(small_shop, "product", "several_fields", "stock", "compare")
    unnamed = [e.id for e in examples if titles[e.products[0]] not in split_sentences(e.answer)[0]]
    assert unnamed == []
    assert [e.id for e in examples if e.kind == "stock" and not re.match(r"In [^,]+, the ", e.answer)] == []


# ---------------------------------------------------------------- a small shop: what reads the questions

MARK = re.compile(r"\b[a-z]+[qf]\d+\b")
Marked = tuple[list[TrainingExample], Mapping[str, set[int]]]


def many(mark: str, pattern: str = "{mark} {{name}}") -> tuple[str, ...]:
    """Forty patterns, each with a word of its own: enough for every fold."""
    found = tuple(pattern.format(mark=f"{mark}{number}") for number in range(40))
    assert {fold_of(about_it(text), FOLDS) for text in found} == set(range(FOLDS))
    return found


@cache
def marked() -> tuple[Material, dict[str, str]]:
    """Material of which every question can be told by a word, and the patterns by these words."""
    fields = {
        name: asked.model_copy(
            update={
                "questions": many(f"{name[:3]}{name[-3:]}q"),
                "follow_ups": many(f"{name[:3]}{name[-3:]}f", "& {mark}"),
            }
        )
        for name, asked in MATERIAL.patterns.fields.items()
    }
    fields["stock_option"] = fields["stock_option"].model_copy(
        update={"questions": many("optionq", "{mark} {{name}} in {{option}}")}
    )
    unknown = tuple(Unknown(ask=ask, what="its voice", word="sing") for ask in many("unknownq"))
    patterns = MATERIAL.patterns.model_copy(update={"fields": fields, "unknown": unknown})
    asked = [*(item.ask for item in unknown), *(q for f in fields.values() for q in (*f.questions, *f.follow_ups))]
    return MATERIAL.model_copy(update={"patterns": patterns}), {MARK.findall(text)[0]: text for text in asked}


def marked_examples(shop: Shop) -> Marked:
    """Examples of the marked material, and the folds that each question was read by."""
    reader = WordReader(shop.policies)
    plan = PLAN.model_copy(
        update={
            **dict.fromkeys(("facts", "several_fields", "stock", "unknown", "partly_known"), 60),
            "compare": 20,
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("finetune.dataset.MISTYPED_SHARE", 0)
        examples = builder(shop, marked()[0], plan=plan, reader=reader).build(nothing)
    folds: dict[str, set[int]] = defaultdict(set)
    for question, fold in reader.read:
        folds[question].add(fold)
    return examples, folds


BY_PATTERNS = [("product", 1), ("several_fields", 3), ("stock", 1), ("unknown_attribute", 1), ("partly_known", 2)]


@pytest.mark.parametrize(("kind", "patterns"), BY_PATTERNS)
def test_no_question_has_a_pattern_that_its_classifier_has_seen(kind: str, patterns: int, small_shop: Shop) -> None:
    examples, folds = marked_examples(small_shop)
    made = {e.question: MARK.findall(e.question) for e in examples if e.kind == kind and MARK.search(e.question)}
    assert len(made) > 15
    assert max(len(marks) for marks in made.values()) == patterns
    seen = [
        (question, mark)
        for question, marks in made.items()
        for mark in marks
        if folds[question] != {fold_of(about_it(marked()[1][mark]), FOLDS)}
    ]
    assert seen == []


@pytest.mark.parametrize(("kind", "patterns"), BY_PATTERNS)
def test_patterns_of_every_fold_are_asked(kind: str, patterns: int, small_shop: Shop) -> None:
    examples, _ = marked_examples(small_shop)
    marks = {mark for example in examples if example.kind == kind for mark in MARK.findall(example.question)}
    assert {fold_of(about_it(marked()[1][mark]), FOLDS) for mark in marks} == set(range(FOLDS))


def test_where_no_question_is_new_any_other_is_asked(small_shop: Shop) -> None:
    made, of_fold = builder(small_shop), {fold_of(about_it(text), FOLDS): text for text in many("weightq")}
    made._fold = 1
    assert {made._ask([of_fold[0], of_fold[1], of_fold[2]]) for _ in range(20)} == {of_fold[1]}
    assert {made._ask([of_fold[0], of_fold[2]]) for _ in range(20)} == {of_fold[0], of_fold[2]}


def test_a_question_about_a_policy_is_ranked_once_by_the_classifier_that_has_not_seen_it(small_shop: Shop) -> None:
    reader = WordReader(small_shop.policies)
    examples = builder(small_shop, reader=reader).build(nothing)
    asked = [example.question for example in examples if example.role == "policy"]
    assert sorted(reader.ranked) == sorted((question, fold_of(question, FOLDS)) for question in asked)
    assert len(reader.ranked) == 10  # of three sections: the size chart is not recited


def test_only_questions_about_products_are_read_for_fields_and_only_those_about_policies_ranked(
    small_shop: Shop,
) -> None:
    reader = WordReader(small_shop.policies)
    examples = builder(small_shop, reader=reader).build(nothing)
    by_role = {role: {normal(e.question) for e in examples if e.role == role} for role in ("product", "policy")}
    assert {normal(question) for question, _ in reader.read} == by_role["product"]
    assert {normal(question) for question, _ in reader.ranked} == by_role["policy"]


def normal(question: str) -> str:
    return " ".join(words(question))


class Understanding(WordReader):
    """Finds the weight in every question, and a lid that no record tells of."""

    def asked(self, question: str, sources: Sequence[Source], fold: int) -> Mapping[int, Asked]:
        return {source.number: Asked(("weight",), ("lid",), lines_of(source)[:1]) for source in sources}


def test_a_card_tells_what_the_reader_has_found_asked(small_shop: Shop) -> None:
    """As the workflow will find it, whatever is right: what the reader misses is learnt from."""
    examples = builder(small_shop, reader=Understanding(small_shop.policies)).build(nothing)
    cards = {e.prompt[-1].content.partition("\nQuestion:")[0] for e in examples if e.products == ("K-1",)}
    assert cards == {
        "Records:\n[1] Copper Saucepan: nothing on lid; weight; price, stock, sizes, colors\nweight: 300 g"
    }


def test_misread_questions_can_be_left_out(small_shop: Shop) -> None:
    """Of a reader that finds the weight and something unknown in every question only that is left."""
    plan = PLAN.model_copy(update={"misread_kept": 0, "unread_kept": 0})
    examples = builder(small_shop, plan=plan, reader=Understanding(small_shop.policies)).build(nothing)
    kinds = {example.kind for example in examples if example.tool == "patterns"}
    assert kinds == {"unknown_attribute", "partly_known", "not_sold"}
    told = [e.answer for e in examples if e.kind == "partly_known"]
    assert told
    assert all(answer.count("{1.weight}") == 1 for answer in told)


def test_a_share_of_the_misread_questions_is_kept(small_shop: Shop) -> None:
    made = builder(small_shop, plan=PLAN.model_copy(update={"misread_kept": 0.3, "unread_kept": 0.6}))
    example = TrainingExample(
        id="x", kind="product", role="product", tool="patterns", question="", prompt=(), answer=""
    )
    misread = example.model_copy(update={"is_misread": True})
    assert sum(made._is_kept(misread) for _ in range(2000)) / 2000 == pytest.approx(0.3, abs=0.04)
    unread = misread.model_copy(update={"kind": "unknown_attribute"})
    assert sum(made._is_kept(unread) for _ in range(2000)) / 2000 == pytest.approx(0.6, abs=0.04)
    assert all(made._is_kept(example) for _ in range(100))


@pytest.mark.parametrize(
    ("kind", "asked", "answer", "misread"),
    [
        ("product", Asked(("weight",)), "It weighs {1.weight}.", False),
        ("product", Asked(("care",)), "It weighs {1.weight}.", True),
        ("product", Asked(("weight", "care")), "It weighs {1.weight}.", True),
        ("product", Asked(("weight",), ("lid",)), "It weighs {1.weight}.", True),
        ("stock", Asked(("stock",)), "In M, it is {1.stock:M}.", False),
        ("several_fields", Asked(("weight", "care")), "Care: {1.care}. It weighs {1.weight}.", False),
        ("several_fields", Asked(("weight",)), "Care: {1.care}. It weighs {1.weight}.", True),
        ("unknown_attribute", Asked((), ("lid",)), "Our record doesn't say anything about the lid.", False),
        ("unknown_attribute", Asked(("care",), ("lid",)), "Our record doesn't say anything about the lid.", False),
        ("unknown_attribute", Asked(("care",)), "Our record doesn't say anything about the lid.", True),
        ("partly_known", Asked(("care",), ("lid",)), "It doesn't say anything about the lid. Care: {1.care}.", False),
        ("partly_known", Asked((), ("lid",)), "It doesn't say anything about the lid. Care: {1.care}.", True),
        ("not_sold", Asked((), ("kayaks",)), "We don't sell kayaks.", False),
    ],
)
def test_a_card_is_misread_that_names_other_things_than_the_answer_tells(
    kind: Any, asked: Asked, answer: str, misread: bool
) -> None:
    assert is_misread(kind, {1: asked}, answer) is misread


def test_values_can_be_copied_in_place_of_references(small_shop: Shop) -> None:
    """Into cards and answers alike; what has no value is asked for nothing."""
    now = datetime(2026, 11, 1, tzinfo=UTC)
    updates = [FactUpdate(item.id, "", {"price_minor": 1900, "stock": 3}, now, "USD") for item in WARES[:2]]
    plan, reader = PLAN.model_copy(update={"values": "copied"}), WordReader(small_shop.policies)
    made = Builder(small_shop, WARES, MATERIAL, prompts(), plan, 7, reader, facts_of(updates)).build(nothing)
    told = [example for example in made if example.kind == "product"]
    assert [example.answer for example in made if references(example.answer)] == []
    priced = {e.answer for e in told if "$19" in e.answer}
    assert priced
    assert priced <= {
        form for item in WARES[:2] for form in (f"{item.title}: $19.00 [1].", f"The {item.title} is $19.00 [1].")
    }
    assert all("price: $19.00" in e.prompt[-1].content for e in told if "$19" in e.answer)
    assert any(e.answer.endswith("300 g [1].") for e in told)


# ---------------------------------------------------------------- the sample shop: products


def test_no_answer_about_products_has_a_value_typed_into_it() -> None:
    """Neither a number, the sizes asked for aside, nor an attribute's own words."""
    typed = []
    for example in of(*PRODUCT_KINDS):
        text = without_names(REFERENCE.sub(" ", example.answer), example.products)
        asked = set(words(example.question))
        typed += [(example.id, word) for word in words(text) if word[0].isdigit() and word not in asked]
        values = [s.value for record in example.products for s in source(record).statements if len(s.value) > 8]
        typed += [(example.id, value) for value in values if value.lower() in text.lower()]
        typed += [(example.id, sign) for sign in ("$", "in stock", "sold out") if sign in text.lower()]
    assert typed == []


def test_every_answer_of_a_fact_refers_to_it_and_only_to_fields_that_its_records_have() -> None:
    for example in of("product", "several_fields", "stock", "compare"):
        sources = {number: source(record, number) for number, record in enumerate(example.products, start=1)}
        found = references(example.answer)
        assert found, example.id
        assert [r for r in found if r.field not in field_names(sources[r.number])] == [], example.id
        assert {r.number for r in found} == set(sources), example.id


def test_no_question_has_a_placeholder_left() -> None:
    assert [example.question for example in cairn() if "{" in example.question] == []


@pytest.mark.parametrize("kind", ["unknown_attribute", "not_sold"])
def test_what_is_not_known_or_not_sold_is_referred_to_by_nothing(kind: str) -> None:
    assert [example.id for example in of(kind) if references(example.answer)] == []


def test_a_question_for_several_fields_gets_a_sentence_for_each() -> None:
    for example in of("several_fields"):
        found = references(example.answer)
        assert len(found) == len({reference.field for reference in found}), example.id
        assert len(found) in (2, 3), example.id


def test_a_stock_refers_to_the_options_of_the_question_as_the_record_writes_them() -> None:
    for example in of("stock"):
        (reference,) = references(example.answer)
        product = catalog()[0][example.products[0]]
        made = {option for variant in product.variants for option in (variant.size, variant.color)}
        assert reference.field == "stock", example.id
        assert set(reference.options) <= made, example.id
        asked = [fuzz.partial_ratio(option.lower(), example.question.lower()) for option in reference.options]
        assert min(asked) >= 70, example.id  # mistyped, maybe
        assert 1 <= len(reference.options) <= 2, example.id


def test_a_comparison_is_of_two_products_of_one_category_in_the_same_field() -> None:
    products = catalog()[0]
    for example in of("compare"):
        first, second = (products[record] for record in example.products)
        assert first != second
        assert first.category == second.category, example.id
        assert [r.number for r in references(example.answer)] == [1, 2], example.id
        assert len({r.field for r in references(example.answer)}) == 1, example.id


def test_what_is_unknown_is_told_with_the_name_and_where_to_ask() -> None:
    for example in of("unknown_attribute", "partly_known"):
        assert catalog()[0][example.products[0]].title in example.answer
        assert SHOP.config.contact.email in example.answer


def test_of_what_is_partly_known_one_field_of_the_record_is_referred_to() -> None:
    for example in of("partly_known"):
        (reference,) = references(example.answer)
        assert reference.number == 1, example.id
        assert reference.field in field_names(source(example.products[0])), example.id


def test_everything_unknown_is_of_any_kind_or_one_that_names_categories_of_the_shop() -> None:
    """A kind that is not there would fit every product."""
    asked = read_material(SHOP).patterns
    assert {item.kind for item in asked.unknown} == {"any", *asked.kinds}
    categories = {product.category for product in catalog()[0].values()}
    assert {category for named in asked.kinds.values() for category in named} - categories == set()


def test_a_product_that_is_alone_shows_lines_of_its_record_and_two_share_them() -> None:
    for kind, count in (("product", 1), ("compare", 2)):
        for example in of(kind):
            cards = example.prompt[-1].content.partition("Records:\n")[2].partition("\nQuestion:")[0].splitlines()
            places = [place for place, line in enumerate(cards) if line.startswith("[")]
            assert len(places) == count, example.id
            told = [end - start - 1 for start, end in pairwise([*places, len(cards)])]
            assert told == [TOLD // count] * count, example.id


def test_only_products_for_training_are_used() -> None:
    allowed = {product.id for product in training_products()}
    assert {record for example in cairn() for record in example.products} - allowed == set()


def test_no_live_fact_stands_in_a_prompt_about_products() -> None:
    seen = [example.prompt[-1].content for example in of(*PRODUCT_KINDS)]
    assert [text for text in seen if re.search(r"\$\d|in stock|sold out", text.partition("\nQuestion:")[0])] == []


def test_ids_are_unique_and_every_prompt_ends_with_its_question() -> None:
    examples = cairn()
    assert len(examples) == len({example.id for example in examples})
    for example in examples:
        assert example.prompt[-1].role == "user"
        assert example.prompt[-1].content.endswith(f"\nQuestion: {' '.join(example.question.split())}"), example.id


# ---------------------------------------------------------------- the sample shop: policies


def answered(example: TrainingExample) -> str:
    """The section that an example about a policy is to be answered from."""
    return example.id.partition("-")[2].rpartition("-")[0]


def hints(example: TrainingExample) -> list[str]:
    found = HINTED.search(example.prompt[-1].content)
    assert found
    return [] if found[1] == "any" else found[1].split(", ")


def test_a_closed_book_example_has_the_right_section_among_its_hints_or_no_hint() -> None:
    for example in of("policy_closed", "policy_opening"):
        number = int(example.id.rpartition("-")[2])
        if number % WITHOUT_HINTS_EVERY == 0:
            assert hints(example) == [], example.id
        else:
            assert answered(example) in hints(example), example.id
            assert 1 <= len(set(hints(example))) == len(hints(example)) <= HINTS, example.id


def test_there_are_as_many_hints_as_sections_that_fit_alike() -> None:
    """As the reader ranks them; a section that it missed comes in among them."""
    reader = WordReader(policies())
    missed = 0
    for example in of("policy_closed", "policy_opening"):
        if found := hints(example):
            near = [hit.id for hit in alike(reader.sections(example.question, 0)[:HINTS])]
            is_missed = answered(example) not in near
            assert len(found) == min(HINTS, len(near) + is_missed), example.id
            assert [hint for hint in found if hint in near] == near[: HINTS - is_missed], example.id
            missed += is_missed
    assert missed


def test_sure_retrieval_gives_one_hint_and_doubtful_retrieval_more() -> None:
    assert {len(hints(example)) for example in of("policy_closed", "policy_opening")} == set(range(HINTS + 1))


def test_the_right_section_is_not_always_the_first_hint() -> None:
    """Or the model would learn to take the first one always."""
    hinted = [example for example in of("policy_closed", "policy_opening") if len(hints(example)) > 1]
    first = sum(hints(example)[0] == answered(example) for example in hinted) / len(hinted)
    assert 0.2 < first < 0.95


def test_a_section_that_retrieval_missed_comes_in_anywhere_among_its_hints() -> None:
    assert _with_answer(["a", "b", "c"], "c", random.Random(7)) == ["a", "b", "c"]
    put = {tuple(_with_answer(["a", "b", "c"], "d", random.Random(seed))) for seed in range(50)}
    assert put == {("d", "a", "b"), ("a", "d", "b"), ("a", "b", "d")}
    assert {tuple(_with_answer(["a"], "d", random.Random(seed))) for seed in range(50)} == {("a", "d"), ("d", "a")}
    assert _with_answer([], "d", random.Random(7)) == ["d"]


def test_of_a_section_as_many_questions_as_planned_are_answered_over_its_text() -> None:
    """Beside at most one other section."""
    counts = Counter(answered(example) for example in of("policy_text"))
    assert set(counts.values()) == {SMALL.texts}
    assert {len(example.sections) for example in of("policy_text")} == {1, 2}


def test_a_policy_is_recited_whole_in_its_own_lines_behind_its_name() -> None:
    for example in of("policy_closed"):
        section = answered(example)
        told = example.answer.removeprefix(f"[{section}] ")
        assert told != example.answer, example.id
        assert example.question in SECTIONS[section].questions, example.id
        assert example.sections == (section,), example.id
        assert strangers(told, source(section)) == [], example.id
        lines = [statement.text for statement in source(section).statements]
        places = [told.find(line) for line in lines]
        assert -1 not in places, example.id
        assert places == sorted(places), example.id


def strangers(text: str, section: Source) -> list[str]:
    """What is left of an answer when the section's lines are taken out, longest first."""
    for line in sorted((statement.text for statement in section.statements), key=len, reverse=True):
        text = text.replace(line, "\n")
    return [rest for rest in text.split("\n") if not re.fullmatch(r"\s*(\d+\.)?\s*", rest)]


def test_an_answer_over_texts_cites_the_number_that_its_section_has_in_the_prompt() -> None:
    places = set()
    for example in of("policy_text"):
        number = int(example.answer[1])
        section = answered(example)
        assert example.answer.startswith(f"[{number}] "), example.id
        assert example.sections[number - 1] == section, example.id
        assert f"[{number}] {SECTIONS[section].heading}\n" in example.prompt[-1].content, example.id
        assert strangers(example.answer[4:], source(section)) == [], example.id
        assert [s.text for s in source(section).statements if s.text not in example.answer] == [], example.id
        places.add(number)
    assert places == {1, 2}


def test_every_step_is_recited_on_a_line_of_its_own_with_its_number() -> None:
    for example in of("policy_closed", "policy_text"):
        steps = source(answered(example)).of("step")
        numbered = re.findall(r"^(?:\[[^]]+\] )?(\d+)\. (.+)", example.answer, re.MULTILINE)
        for number, text in numbered:
            assert text.startswith(steps[int(number) - 1].text), example.id
        assert [int(number) for number, _ in numbered] == list(range(1, len(steps) + 1)), example.id


def test_a_size_chart_is_not_recited() -> None:
    charts = {section.id for section in SHOP.policies if "|" in section.text}
    assert charts
    assert {answered(example) for example in of("policy_closed", "policy_opening", "policy_text")} & charts == set()


# ---------------------------------------------------------------- the sample shop: written conversations


def written_turns() -> list[tuple[str, tuple[str, ...], str]]:
    material = read_material(SHOP)
    return [
        (f"{conversation.id}-{number}", turn.records, turn.answer)
        for conversation in material.conversations
        for number, turn in enumerate(conversation.turns)
    ]


def test_written_answers_refer_only_to_records_and_options_that_there_are() -> None:
    products = catalog()[0]
    wrong = []
    for key, records, answer in written_turns():
        for reference in references(answer):
            record = records[reference.number - 1] if 0 < reference.number <= len(records) else None
            if record not in products:
                wrong.append((key, reference))
                continue
            made = {option for v in products[record].variants for option in (v.size, v.color)}
            if not set(reference.options) <= made:
                wrong.append((key, reference))
    assert wrong == []


def test_written_answers_refer_only_to_fields_that_their_records_have() -> None:
    wrong = []
    for key, records, answer in written_turns():
        named = {number: [*field_names(source(record)), "was"] for number, record in enumerate(records, start=1)
                 if record not in SECTIONS}  # fmt: skip
        wrong += [
            (key, reference) for reference in references(answer) if reference.field not in named[reference.number]
        ]
    assert wrong == []


def test_written_answers_cite_sections_of_their_prompt_only() -> None:
    wrong = []
    for key, records, answer in written_turns():
        cited = [records[int(n) - 1] if 0 < int(n) <= len(records) else n for n in re.findall(r"\[(\d+)\]", answer)]
        cited += re.findall(r"\[([a-z0-9-]+\.[a-z0-9-]+)\]", answer)
        wrong += [(key, record) for record in cited if record not in SECTIONS or record not in records]
    assert wrong == []


def test_no_written_answer_has_a_placeholder_that_is_no_reference() -> None:
    assert [key for key, _, answer in written_turns() if re.search(r"[{}]", REFERENCE.sub("", answer))] == []


def test_no_written_answer_types_a_price_or_a_stock_of_a_product() -> None:
    """Amounts stand in what is quoted from a policy only."""
    typed = []
    for key, records, answer in written_turns():
        told = " ".join(statement.text for r in records if r in SECTIONS for statement in source(r).statements)
        text = REFERENCE.sub(" ", answer)
        typed += [(key, amount) for amount in re.findall(r"\$\d[\d.,]*\d", text) if amount not in told]
        typed += [(key, state) for state in ("in stock", "sold out") if state in text.lower() and state not in told]
    assert typed == []


def test_moving_the_citations_of_written_answers_changes_nothing_else() -> None:
    def plain(text: str) -> list[str]:
        return re.sub(r"\[\d\]", " ", text).split()

    for key, records, answer in written_turns():
        if not re.match(r"\[[a-z]", answer):
            sections = {n: source(record, n) for n, record in enumerate(records, start=1) if record in SECTIONS}
            moved = citation_first(answer, sections)
            assert plain(answer) == plain(moved), key
            assert sorted(re.findall(r"\[\d\]", answer)) == sorted(re.findall(r"\[\d\]", moved)), key
            assert not moved.rstrip().endswith("]"), key


# ---------------------------------------------------------------- material: how fields are asked for, and told


FIELDS = """
fields:
  price: {questions: ["{name} price"], follow_ups: ["& its price"]}
  lid: {questions: ["what lid has the {name}", "{name} lid?"]}
unknown:
  - {ask: "can the {name} sing", what: its voice, word: sing}
  - {ask: "has the {name} a pocket", what: a pocket, word: pocket, kind: cloth}
"""
TOLD_BY: dict[str, Any] = {
    "fields": {"price": {"answers": ["{name}: {value}."]}, "lid": {"answers": ["Its lid is {value}."]}},
    "unknown_answers": ["We know nothing of {what}."],
    "not_sold": [{"ask": "kayaks?", "what": "kayaks"}],
    "not_sold_answers": ["We have no {what}."],
    "compare": ["{field} of {first} and {second}"],
    "joiners": ["{fields} of the {name}"],
    "second_questions": ["{first} + {second}"],
    "kinds": {"cloth": ["Textiles"]},
    "field_words": {"price": ["price"]},
}
TALK = {"id": "C-1", "kind": "product", "turns": [{"user": "price?", "records": ["K-1"], "answer": "{1.price}."}]}


def material_of(
    folder: Path, patterns: object = TOLD_BY, talk: str = json.dumps(TALK), **files: str | None
) -> Material:
    """What is read of a shop with these files; `patterns` go into training/patterns.yaml."""
    written = patterns if isinstance(patterns, str) else yaml.safe_dump(patterns)
    files = {"fields.yaml": FIELDS, "training/patterns.yaml": written, **files}
    files["training/conversations.jsonl"] = talk
    return read_material(load_shop(write_shop(folder, PRODUCTS, **files)))


def test_how_a_field_is_asked_for_comes_from_the_shop_how_it_is_told_from_training(tmp_path: Path) -> None:
    material = material_of(tmp_path)
    assert material.patterns.fields == {
        "price": FieldPatterns(questions=("{name} price",), follow_ups=("& its price",), answers=("{name}: {value}.",)),
        "lid": FieldPatterns(questions=("what lid has the {name}", "{name} lid?"), answers=("Its lid is {value}.",)),
    }
    assert material.patterns.unknown == (
        Unknown(ask="can the {name} sing", what="its voice", word="sing"),
        Unknown(ask="has the {name} a pocket", what="a pocket", word="pocket", kind="cloth"),
    )
    assert material.conversations == (Conversation.model_validate(TALK),)


def test_a_field_that_is_asked_for_and_never_told_is_left_out(tmp_path: Path) -> None:
    """The classifier learns its questions; the model has no sentence to tell it by."""
    fields = {"price": TOLD_BY["fields"]["price"]}
    assert list(material_of(tmp_path, TOLD_BY | {"fields": fields}).patterns.fields) == ["price"]


@pytest.mark.parametrize("fields", [FIELDS.replace("lid:", "spout:"), None])
def test_a_field_that_is_told_and_never_asked_for_is_refused(fields: str | None, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"patterns\.yaml: fields: fields\.yaml has no question for 'lid'"):
        material_of(tmp_path, TOLD_BY | {"fields": {"lid": TOLD_BY["fields"]["lid"]}}, **{"fields.yaml": fields})


def test_something_unknown_of_a_kind_that_training_does_not_know_is_refused(tmp_path: Path) -> None:
    """It would fit every product."""
    with pytest.raises(ConfigError, match=r"(?s)patterns\.yaml: .*kind 'cloth' is not among the kinds: pan"):
        material_of(tmp_path, TOLD_BY | {"kinds": {"pan": ["Pans"]}})


@pytest.mark.parametrize(
    ("patterns", "named"),
    [
        (TOLD_BY | {"fields": {"lid": {"answers": []}}}, "lid.answers"),
        (TOLD_BY | {"fields": {"lid": {"answers": ["{value}"], "questions": ["lid?"]}}}, "lid.questions"),
        (TOLD_BY | {"fields": None}, "dictionary"),
        ({key: value for key, value in TOLD_BY.items() if key != "joiners"}, "joiners"),
        (TOLD_BY | {"mood": ["merry"]}, "mood"),
        (None, ""),
        ([], ""),
        ("fields: {", "line 1"),
    ],
)
def test_patterns_that_are_wrong_are_named_by_file_and_key(patterns: object, named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"(?s)training/patterns\.yaml: .*{named}"):
        material_of(tmp_path, patterns)


@pytest.mark.parametrize("line", ["{", "[]", json.dumps(TALK | {"turns": []}), json.dumps(TALK | {"mood": 1})])
def test_a_wrong_conversation_is_named_by_file_and_line(line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"conversations\.jsonl, line 2"):
        material_of(tmp_path, talk=f"{json.dumps(TALK)}\n{line}\n")


@pytest.mark.parametrize("name", ["patterns.yaml", "conversations.jsonl"])
def test_a_shop_without_material_is_told_which_file_is_missing(name: str, tmp_path: Path) -> None:
    material_of(tmp_path)
    (tmp_path / "training" / name).unlink()
    with pytest.raises(ConfigError, match=rf"training/{re.escape(name)}"):
        read_material(load_shop(tmp_path))


# ---------------------------------------------------------------- citations


WINDOW = policy_source(
    1,
    PolicySection(
        id="returns.window",
        policy="returns",
        heading="Return window",
        text="You have 45 days. The label costs $4.50.\n\n1. Sign in.\n2. Print the label.",
    ),
)
COSTS = policy_source(
    2, PolicySection(id="shipping.costs", policy="shipping", heading="Costs", text="Parcels cost $6.00.")
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("You have 45 days. [1]", "[1] You have 45 days."),
        ("You have 45 days. The label costs $4.50. [1]", "[1] You have 45 days. The label costs $4.50."),
        ("Happy to help. You have 45 days. [1]", "Happy to help. [1] You have 45 days."),
        ("You have 45 days. [1] Anything else?", "[1] You have 45 days. Anything else?"),
        ("You have 45 days. [1] Parcels cost $6.00. [2]", "[1] You have 45 days. [2] Parcels cost $6.00."),
        ("It costs {3.price}. Parcels cost $6.00. [2] Bye.", "It costs {3.price}. [2] Parcels cost $6.00. Bye."),
        ("Here is how.\n1. Sign in.\n2. Print the label. [1]", "Here is how.\n[1] 1. Sign in.\n2. Print the label."),
        ("It costs {3.price}.", "It costs {3.price}."),
        ("", ""),
    ],
)
def test_a_citation_moves_before_the_sentences_that_are_quoted(written: str, expected: str) -> None:
    assert expected == citation_first(written, {1: WINDOW, 2: COSTS})


def test_the_section_of_the_number_is_the_one_that_is_looked_at() -> None:
    with pytest.raises(ConfigError, match=r"cites shipping\.costs without quoting it: 'You have 45 days\.'"):
        citation_first("You have 45 days. [2]", {1: WINDOW, 2: COSTS})


def test_a_citation_of_a_number_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cites \[3\], which is no policy section of its prompt"):
        citation_first("You have 45 days. [3]", {1: WINDOW})


@pytest.mark.parametrize(
    "written", ["You have 30 days. [1]", "You have 45 days, luckily. [1]", "[1] You have 45 days."]
)
def test_a_citation_of_what_is_not_quoted_is_refused(written: str) -> None:
    with pytest.raises(ConfigError, match=r"cites returns\.window without quoting it"):
        citation_first(written, {1: WINDOW})
