"""The evaluation's cases are kept apart from all training material, and what they expect is true of the shop."""

import json
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

from evals.cases import FOLDER, SETS, SLICES, UNANSWERED, Case, read_cases, read_folder
from evals.gym.scenarios import SETS as GYM_SETS
from evals.gym.scenarios import Scenario, patterns_of, read_set
from evals.labelled import read_labelled
from evals.metrics import says
from finetune.material import read_material
from shopbot.errors import ConfigError
from shopbot.intents import about_it, examples_of
from shopbot.language import fold, words
from shopbot.statements import product_source
from tests.unit.test_verify_catalog import SHOP, catalog, lexicon

TRAINING = SHOP.folder / "training"
ASKED_IN = (SHOP.folder / "fields.yaml", SHOP.folder / "routes.yaml", SHOP.folder / "policies" / "questions.yaml")
SECTIONS = {section.id: section for section in SHOP.policies}
PROMOTIONS = {promotion.id: promotion for promotion in SHOP.promotions}
WITHOUT_OFFER = {"no offer", "not valid"}
GROUPED = ("paraphrase", "bias")


@cache
def cases() -> tuple[Case, ...]:
    """Both sets together: what is asked of a case is asked of all."""
    return tuple(case for name in SETS for case in read_cases(name))


def normal(question: str) -> str:
    return " ".join(words(question))


@pytest.mark.parametrize(("name", "slices"), [("development", set(SLICES)), ("test", set(SLICES) - set(GROUPED))])
def test_a_set_has_cases_of_its_slices_and_at_least_300(name: str, slices: set[str]) -> None:
    counts = Counter(case.slice for case in read_cases(name))
    assert set(counts) == slices
    assert sum(counts.values()) >= 300


def test_ids_are_unique_over_both_sets() -> None:
    assert [key for key, count in Counter(case.id for case in cases()).items() if count > 1] == []


def test_a_case_stands_in_the_file_of_its_slice() -> None:
    read = [(name, case) for kept in SETS for name in SLICES for case in read_cases(kept, (name,))]
    assert [case.id for name, case in read if case.slice != name] == []


def test_no_case_of_one_set_is_a_case_of_the_other() -> None:
    """Of the development set the code has learnt: the same conversation again would test nothing."""
    development, test = ({tuple(normal(m.content) for m in case.messages): case.id for case in read_cases(name)}
                         for name in SETS)  # fmt: skip
    assert [(development[said], test[said]) for said in development.keys() & test.keys()] == []


# ---------------------------------------------------------------- kept apart


def test_products_of_cases_never_occur_in_what_is_learnt_from() -> None:
    """By id among the records of written conversations, by id or name anywhere in the files."""
    products = catalog()[0]
    held = {case.product for case in cases() if case.product}
    conversations = read_material(SHOP).conversations
    used = {record for conversation in conversations for turn in conversation.turns for record in turn.records}
    assert held & used == set()
    files = {path.name: fold(path.read_text(encoding="utf-8")) for path in (*TRAINING.iterdir(), *ASKED_IN)}
    assert set(files) == {"conversations.jsonl", "patterns.yaml", "fields.yaml", "routes.yaml", "questions.yaml"}
    names = [fold(name) for product in sorted(held) for name in (product, products[product].title)]
    assert [(file, name) for file, text in files.items() for name in names if name in text] == []


@cache
def learnt_from() -> dict[str, tuple[str, ...]]:
    """All messages that the classifier or the model learns from, as they are written, with {name} for a name."""
    material, fields, policies = read_material(SHOP), SHOP.questions.fields.values(), SHOP.policies
    return {
        "routes": tuple(text for texts in SHOP.routes.values() for text in texts),
        "sections": tuple(text for section in policies for text in (section.heading, *section.questions)),
        "fields": tuple(text for field in fields for text in field.questions),
        "follow-ups": tuple(text for field in fields for text in field.follow_ups),
        "unknown": tuple(item.ask for item in SHOP.questions.unknown),
        "not sold": tuple(item.ask for item in material.patterns.not_sold),
        "conversations": tuple(turn.user for talk in material.conversations for turn in talk.turns),
    }


@pytest.mark.parametrize("kind", ["routes", "sections", "fields", "follow-ups", "unknown", "not sold", "conversations"])
def test_no_case_asks_word_for_word_what_is_learnt_from(kind: str) -> None:
    """A case that is an example would be no test."""
    asked = {normal(text) for text in learnt_from()[kind]}
    assert len(asked) > 50
    assert [(case.id, case.question) for case in cases() if normal(case.question) in asked] == []


def scenarios() -> list[Scenario]:
    return [scenario for name in GYM_SETS for scenario in read_set(name)]


@pytest.mark.parametrize("kind", ["routes", "sections", "fields", "follow-ups", "unknown", "not sold", "conversations"])
def test_no_customer_of_the_gym_says_word_for_word_what_is_learnt_from(kind: str) -> None:
    """A bare yes or no apart: there are not many ways to say it."""
    asked = {normal(text) for text in learnt_from()[kind]}
    said = {normal(step.say): scenario.id for scenario in scenarios() for step in scenario.steps}
    assert [(said[text], text) for text in said.keys() & asked if len(text.split()) > 2] == []


def test_no_customer_of_the_gym_says_what_a_case_asks() -> None:
    asked = {normal(case.question): case.id for case in cases()}
    said = {normal(step.say): scenario.id for scenario in scenarios() for step in scenario.steps}
    assert [(said[text], asked[text]) for text in said.keys() & asked.keys()] == []


def test_the_gym_asks_for_records_of_products_that_nothing_is_learnt_from() -> None:
    """Two others are found by the customer's own description: the cheapest tent, the second pillow of a list."""
    held = {case.product for case in cases() if case.product}
    texts = [text for scenario in scenarios() for _, text in patterns_of(scenario)]
    asked = {found for text in texts for found in re.findall(r"<(CO-\d+) ", text)}
    assert asked - held == {"CO-1014", "CO-1212"}


def test_nothing_else_is_learnt_from() -> None:
    """A new kind of example would have to be kept apart from the cases, too."""
    known = {about_it(text) for texts in learnt_from().values() for text in texts}
    examples = {text for texts in examples_of(SHOP, SHOP.policies).values() for text in texts}
    patterns = read_material(SHOP).patterns
    asks = [text for field in patterns.fields.values() for text in (*field.questions, *field.follow_ups)]
    asks += [item.ask for item in (*patterns.unknown, *patterns.not_sold)]
    assert len(examples) > 10_000
    assert (examples | {about_it(text) for text in asks}) - known == set()


@pytest.mark.parametrize(("name", "most"), [("development", 14), ("test", 0)])
def test_with_the_names_left_out_few_cases_are_examples(name: str, most: int) -> None:
    """The classifier reads "how heavy is it" of every product: short questions meet, though products are kept apart."""
    asked = {normal(text) for texts in examples_of(SHOP, SHOP.policies).values() for text in texts}
    read = {case.id: normal(lexicon().about_it(case.question)) for case in read_cases(name)}
    assert len({key for key, text in read.items() if text in asked}) <= most


@pytest.mark.parametrize("name", SETS)
def test_no_message_of_the_routes_is_an_example_word_for_word(name: str) -> None:
    """Counted, not shown: the test set is not read. By vectors: tests/integration/test_routes.py."""
    known = (*learnt_from().values(), *examples_of(SHOP, SHOP.policies).values())
    examples = {normal(text) for texts in known for text in texts}
    messages = routed(name)
    count, leaked = len(messages), len(messages & examples)
    assert count > 350
    assert leaked == 0


def test_no_message_of_the_routes_stands_in_both_sets() -> None:
    shared = len(routed("development") & routed("test"))
    assert shared == 0


def routed(name: str) -> set[str]:
    return {normal(row.utterance) for row in read_labelled(FOLDER / name / "routes.csv")}


def test_products_for_training_are_left() -> None:
    held = {case.product for case in cases() if case.product}
    assert len(held) >= 30
    assert len(catalog()[0]) - len(held) >= 100


# ---------------------------------------------------------------- what is expected is there


def test_every_record_that_a_case_names_exists() -> None:
    known = set(catalog()[0]) | set(SECTIONS) | set(PROMOTIONS)
    assert [(case.id, record) for case in cases() for record in case.records if record not in known] == []


def test_a_case_that_can_be_answered_has_records_and_expects_something_of_them() -> None:
    answered = [case for case in cases() if case.slice not in UNANSWERED]
    assert [case.id for case in answered if not (case.expects and all(case.expects))] == []
    assert [case.id for case in answered if not case.records and not says_there_is_no_offer(case)] == []
    assert [case.id for case in cases() if case.slice in UNANSWERED and case.expects] == []


def says_there_is_no_offer(case: Case) -> bool:
    """What is expected where no promotion answers: these are the shop's own phrases."""
    return case.slice == "promotion" and {key for keys in case.expects for key in keys} <= WITHOUT_OFFER


def test_promotions_of_cases_run_on_their_day_and_the_others_do_not() -> None:
    dated = [case for case in cases() if case.slice == "promotion"]
    assert [case.id for case in dated if case.today is None] == []
    for case in dated:
        running = {p.id for p in PROMOTIONS.values() if p.approved and case.today and p.starts <= case.today <= p.ends}
        assert case.promotion is None or case.promotion in running, case.id


def test_every_expected_string_stands_in_the_record_or_its_live_price_and_stock() -> None:
    """As text; whether an answer made of the record is taken for right is asked elsewhere."""
    missing = []
    for case in cases():
        if says_there_is_no_offer(case):
            continue
        told = fold(" ".join(text for record in case.records for text in texts_of(record)))
        missing += [(case.id, key) for keys in case.expects for key in keys if fold(key) not in told]
    assert missing == []


def texts_of(record: str) -> list[str]:
    """Everything that is true of a record, live facts as of the feed included."""
    if record in SECTIONS:
        return [SECTIONS[record].heading, SECTIONS[record].text]
    if record in PROMOTIONS:
        return [PROMOTIONS[record].text, PROMOTIONS[record].conditions or ""]
    products, facts = catalog()
    product = products[record]
    said = product_source(1, product, facts[record], SHOP.config.locale).statements
    listed = [str(value) for value in product.attributes.values()]
    return [product.title, product.description, *listed, *(statement.text for statement in said)]


def test_a_policy_case_is_answered_by_the_sections_own_words() -> None:
    """A recital of all of its sections says every key: the metric takes a right answer for right."""
    missed = [
        (case.id, key)
        for case in cases()
        if case.section
        for keys in case.expects
        for key in keys
        if not says(" ".join(text for record in case.records for text in texts_of(record)), key)
    ]
    assert missed == []


def test_a_product_case_is_answered_by_the_records_own_statements() -> None:
    products, facts = catalog()
    missed = []
    for case in cases():
        if case.product:
            said = product_source(1, products[case.product], facts[case.product], SHOP.config.locale).statements
            text = " ".join(statement.text for statement in said)
            missed += [(case.id, key) for keys in case.expects for key in keys if not says(text, key)]
    assert missed == []


# ---------------------------------------------------------------- conversations and groups


def test_a_conversation_ends_with_the_customer() -> None:
    assert [case.id for case in cases() if case.messages[-1].role != "user" or not case.question.strip()] == []
    assert [case.id for case in cases() if case.slice == "multi_turn" and len(case.messages) < 3] == []


def test_only_cases_of_two_slices_of_the_development_set_stand_in_groups() -> None:
    grouped = {(name, case.slice) for name in SETS for case in read_cases(name) if case.group or case.variant}
    assert grouped == {("development", name) for name in GROUPED}


@pytest.mark.parametrize("name", GROUPED)
def test_the_cases_of_a_group_ask_the_same_in_other_words(name: str) -> None:
    groups = defaultdict(list)
    for case in read_cases("development", (name,)):
        assert case.group, case.id
        groups[case.group].append(case)
    for group, members in groups.items():
        assert len(members) >= 3, group
        assert len({(case.product, case.section, case.expects) for case in members}) == 1, group
        assert len({case.question for case in members}) == len(members), group
        variants = [case.variant for case in members if case.variant]
        assert len(variants) == len(set(variants)), group


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("line", ["{", '{"id": "x"}', '{"id": "x", "slice": "facts", "messages": [], "mood": 1}'])
def test_a_wrong_case_is_named_by_file_and_line(tmp_path: Path, line: str) -> None:
    good = json.dumps({"id": "a", "slice": "facts", "messages": [{"role": "user", "content": "Hi"}]})
    (tmp_path / "facts.jsonl").write_text(f"{good}\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"facts\.jsonl, line 2"):
        read_folder(tmp_path, ("facts",))


@pytest.mark.parametrize("name", SETS)
def test_cases_are_read_in_the_order_of_slices_and_lines(name: str) -> None:
    first, second = read_cases(name, ("policy",)), read_cases(name, ("facts",))
    assert read_cases(name, ("policy", "facts")) == [*first, *second]
    lines = (FOLDER / name / "policy.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [case.id for case in first]


def test_a_slice_that_a_set_has_not_is_left_out(tmp_path: Path) -> None:
    good = json.dumps({"id": "a", "slice": "facts", "messages": [{"role": "user", "content": "Hi"}]})
    (tmp_path / "facts.jsonl").write_text(good, encoding="utf-8")
    assert [case.id for case in read_folder(tmp_path)] == ["a"]
    assert read_folder(tmp_path, ("bias",)) == []


def test_a_set_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="development, test"):
        read_cases("staging")
