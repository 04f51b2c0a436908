import re
from datetime import date
from pathlib import Path

import pytest

from shopbot.errors import ConfigError
from shopbot.shop import FieldQuestions, Questions, Shop, Unknown, load_shop
from tests.fakes_data import FILES, ROOT, write_shop


def test_a_shop_folder_is_read_whole(tmp_path: Path) -> None:
    shop = load_shop(write_shop(tmp_path))
    assert shop.config.name == "Harbor Kitchen"
    assert [section.id for section in shop.policies] == [
        "returns.window",
        "returns.label",
        "shipping.costs",
        "size-aprons.chart",
    ]
    window = shop.policies[0]
    assert window.policy == "returns"
    assert window.heading == "Return window"
    assert window.text == "You have 30 days from delivery to send goods back."
    assert window.questions == ("How long may I return something?", "return deadline")
    assert shop.policies[3].text.startswith("| Size | Height |")
    assert [document.title for document in shop.documents] == ["Returns", "Shipping", "Apron sizes"]
    assert shop.promotions[0].ends == date(2026, 5, 7)
    assert shop.routes["policy"] == ("can I return it",)
    assert shop.phrases == {"hello": "Hello from {shop}."}
    assert shop.voice == "Warm and brief.\n"
    assert shop.catalog_feed == tmp_path / "catalog.jsonl"


def test_routes_phrases_and_size_guides_are_optional(tmp_path: Path) -> None:
    absent = {"routes.yaml": None, "phrases.yaml": None, "size_guides/aprons.md": None}
    shop = load_shop(write_shop(tmp_path, **absent))
    assert shop.routes == {}
    assert shop.phrases == {}


FIELDS = """
fields:
  price:
    questions: ["how much is the {name}?", "{name} price"]
    follow_ups: ["and the price?"]
  fill_weight:
    questions: ["fill weight of the {name}"]
unknown:
  - {ask: "where was the {name} made", what: the country, word: made in}
  - {ask: "does the {name} float", what: whether it floats, word: float, kind: pans}
"""


def test_how_customers_ask_for_fields_and_for_what_no_record_says_is_read(tmp_path: Path) -> None:
    assert load_shop(write_shop(tmp_path, **{"fields.yaml": FIELDS})).questions == Questions(
        fields={
            "price": FieldQuestions(
                questions=("how much is the {name}?", "{name} price"), follow_ups=("and the price?",)
            ),
            "fill_weight": FieldQuestions(questions=("fill weight of the {name}",), follow_ups=()),
        },
        unknown=(
            Unknown(ask="where was the {name} made", what="the country", word="made in", kind="any"),
            Unknown(ask="does the {name} float", what="whether it floats", word="float", kind="pans"),
        ),
    )


@pytest.mark.parametrize("text", [None, "", "# none yet\n", "fields: {}\nunknown: []\n"])
def test_a_shop_need_not_say_how_its_customers_ask(tmp_path: Path, text: str | None) -> None:
    questions = load_shop(write_shop(tmp_path, **{"fields.yaml": text})).questions
    assert (questions.fields, questions.unknown) == ({}, ())


@pytest.mark.parametrize("part", ["fields", "unknown"])
def test_either_part_of_the_questions_may_stand_alone(tmp_path: Path, part: str) -> None:
    fields, unknown = FIELDS.split("unknown:")
    text = fields if part == "fields" else f"unknown:{unknown}"
    questions = load_shop(write_shop(tmp_path, **{"fields.yaml": text})).questions
    assert (len(questions.fields), len(questions.unknown)) == ((2, 0) if part == "fields" else (0, 2))


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    folder = write_shop(tmp_path)
    text = "\ufeff" + FILES["policies/shipping.md"].replace("\n", "\r\n")
    (folder / "policies" / "shipping.md").write_bytes(text.encode())
    assert "shipping.costs" in [section.id for section in load_shop(folder).policies]


RETURNS = FILES["policies/returns.md"]


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("shop.yaml", None, "missing file"),
        ("voice.md", None, "missing file"),
        ("promotions.yaml", None, "missing file"),
        ("policies/questions.yaml", None, "missing file"),
        ("shop.yaml", "name: [", "is not YAML"),
        ("shop.yaml", "name: a\nname: b\n", "'name' is given twice"),
        ("shop.yaml", FILES["shop.yaml"].replace("USD", "DOLLAR"), "key 'currency'"),
        ("shop.yaml", FILES["shop.yaml"].replace("en-US", "xx-klingon"), "key 'locale'"),
        ("shop.yaml", FILES["shop.yaml"].replace("America/New_York", "Moon/Base"), "key 'timezone'"),
        ("shop.yaml", FILES["shop.yaml"] + "colour: red\n", "key 'colour'"),
        ("shop.yaml", FILES["shop.yaml"].replace("email: help@harbor.example, ", ""), "key 'contact.email'"),
        ("policies/returns.md", RETURNS.replace("returns.label", "returns.window"), "'returns.window'"),
        ("policies/returns.md", RETURNS.replace(" {#returns.label}", ""), "'Return label' has no id"),
        ("policies/returns.md", RETURNS.replace("#returns.label", "#Label"), "'Label'"),
        ("policies/returns.md", RETURNS.replace("#returns.label", "#shipping.label"), "'shipping.label'"),
        ("policies/returns.md", RETURNS.replace("The label costs $4.50.", ""), "'returns.label' is empty"),
        ("policies/returns.md", RETURNS.replace("title: Returns\n", ""), "key 'title'"),
        ("policies/returns.md", RETURNS.removeprefix("---\n"), "front matter"),
        ("policies/returns.md", RETURNS.replace("## Return w", "Lost text.\n\n## Return w"), "before the first"),
        ("policies/returns.md", RETURNS.split("##")[0], "no section"),
        ("policies/questions.yaml", "returns.nowhere: [hm]", "'returns.nowhere'"),
        ("policies/questions.yaml", "returns.window: how long", "key 'returns.window'"),
        ("policies/questions.yaml", "returns.window: [a]\nreturns.window: [b]", "given twice"),
        ("policies/questions.yaml", "? [a]\n: b", "is not YAML"),
        ("promotions.yaml", "promotions: [{id: x}]", "key 'promotions.0.title'"),
        ("promotions.yaml", FILES["promotions.yaml"].replace("2026-05-07", "2026-04-07"), "'knives' ends"),
        ("routes.yaml", "prodcut: [a]", "prodcut"),
        ("phrases.yaml", "hello: {a: b}", "key 'hello'"),
        ("fields.yaml", "feilds: {}", "key 'feilds'"),
        ("fields.yaml", "fields: [price]", "key 'fields'"),
        ("fields.yaml", "fields: {price: [how much]}", "key 'fields.price'"),
        ("fields.yaml", "fields: {price: {questions: how much}}", "key 'fields.price.questions'"),
        ("fields.yaml", "fields: {price: {questions: []}}", "key 'fields.price.questions'"),
        ("fields.yaml", "fields: {price: {follow_ups: [and its price]}}", "key 'fields.price.questions'"),
        ("fields.yaml", FIELDS.replace("follow_ups", "followups"), "key 'fields.price.followups'"),
        ("fields.yaml", FIELDS.replace("fill_weight", "price"), "'price' is given twice"),
        ("fields.yaml", FIELDS.replace(", word: made in", ""), "key 'unknown.0.word'"),
        ("fields.yaml", FIELDS.replace("what: whether it floats, ", ""), "key 'unknown.1.what'"),
        ("fields.yaml", FIELDS.replace("kind: pans", "category: pans"), "key 'unknown.1.category'"),
        ("fields.yaml", "fields: {", "is not YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path: Path, file: str, text: str | None, named: str) -> None:
    folder = write_shop(tmp_path, **{file: text})
    with pytest.raises(ConfigError) as caught:
        load_shop(folder)
    assert str(folder / file) in str(caught.value)
    assert named in str(caught.value)


def test_a_section_id_is_unique_across_files(tmp_path: Path) -> None:
    folder = write_shop(tmp_path)
    (folder / "size_guides" / "returns.md").write_text(RETURNS)
    with pytest.raises(ConfigError, match=r"size_guides/returns\.md: section id 'returns\.window' is used twice"):
        load_shop(folder)


def test_a_folder_without_policies_is_no_shop(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no policy"):
        load_shop(tmp_path)


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    folder = write_shop(tmp_path)
    (folder / "voice.md").write_bytes(b"caf\xe9")
    with pytest.raises(ConfigError, match=r"voice\.md: is not UTF-8 \(byte 4\)"):
        load_shop(folder)


@pytest.fixture(scope="module")
def cairn() -> Shop:
    return load_shop(ROOT / "data" / "cairn")


def test_the_shipped_shop_loads(cairn: Shop) -> None:
    assert all(section.questions for section in cairn.policies)
    assert {"price", "stock", "sizes", "colors"} <= cairn.questions.fields.keys()
    assert len(cairn.questions.unknown) > 500


def test_shipped_questions_name_their_product_and_follow_ups_nothing(cairn: Shop) -> None:
    """A mistyped placeholder would be read as words of the question."""
    questions = cairn.questions
    asked = [text for field in questions.fields.values() for text in field.questions]
    follow_ups = [text for field in questions.fields.values() for text in field.follow_ups]
    unknown = [item.ask for item in questions.unknown]
    assert [text for text in asked if set(placeholders(text)) - {"{option}"} != {"{name}"}] == []
    assert [text for text in unknown if set(placeholders(text)) != {"{name}"}] == []
    assert [text for text in follow_ups if set(placeholders(text)) - {"{option}"}] == []
    assert [text for text in questions.fields["stock_option"].questions if "{option}" not in text] == []


def placeholders(text: str) -> list[str]:
    return re.findall(r"\{[^{}]*\}?|\}", text)
