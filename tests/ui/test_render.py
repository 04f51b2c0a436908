"""What the pages show, as pure functions; the browser tests hold the escaping against the real front end."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ui import render
from graph.turn import Sentence
from shopbot.types import ProductFacts
from tests.ui.shopfront import CONFIG, GUST, NOW, RETURNS, facts_of

OWN = render.own_hosts(CONFIG)
JOINER = "\u2060"


def unescaped(markdown: str) -> str:
    """What CommonMark makes of backslash escapes."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace(JOINER, "")


@given(st.text())
def test_plain_text_escapes_every_special_character_and_loses_none(text: str) -> None:
    markdown = render.plain(text)
    assert unescaped(markdown) == " ".join(text.split()).replace(JOINER, "")
    assert re.fullmatch(r"(?:\\[!-/:-@\[-`{-~]|[^!-/:-@\[-`{-~])*", markdown)


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("$5 and $6", r"\$5 and \$6"),
        ("1. first", r"1\. first"),
        ("two\n\nparagraphs", "two paragraphs"),
        ("    code", "code"),
        (":material/bolt: :smile:", rf"\:{JOINER}material\/bolt\: \:smile\:"),
        ("a -> b", rf"a \-{JOINER}\> b"),
        ("a->b", r"a\-\>b"),
        ("see https://evil.example/x", rf"see https\:\/\/{JOINER}evil\.example\/x"),
        ("www.evil.example", rf"www{JOINER}\.evil\.example"),
        ("me@evil.example", rf"me\@{JOINER}evil\.example"),
    ],
)
def test_plain_text_breaks_what_the_front_end_would_rewrite(text: str, markdown: str) -> None:
    assert markdown == render.plain(text)


@pytest.mark.parametrize("text", ["help@keel.example", "https://keel.example/a", "Write to help@keel.example."])
def test_addresses_of_the_shop_stay_whole(text: str) -> None:
    assert JOINER not in render.plain(text, OWN)


@pytest.mark.parametrize(
    "text",
    [
        "https://keel.example@evil.example/",
        "https://keel.example:x@evil.example/",
        "https://keel.example\\@evil.example/",
        "https://keel.example.evil.example/",
        "help@keel.example@evil.example",
    ],
)
def test_an_address_that_only_begins_like_the_shops_is_broken(text: str) -> None:
    assert JOINER in render.plain(text, OWN).split("keel")[0]


def said(text: str, *, block: bool = False, author: str = "record") -> Sentence:
    return Sentence.model_validate({"text": text, "author": author, "block": block})


def test_an_answer_keeps_its_lists_and_badges_and_nothing_else() -> None:
    sentences = [
        said("Here is what I have:", author="shop"),
        said("- The *Gust* costs $5 [1].", block=True),
        said("- The Gale costs $6 [2].", block=True),
        said("(reduced)", block=True, author="shop"),
    ]
    assert render.answer(sentences, 1) == "\n".join(
        [
            r"Here is what I have\:",
            "",
            "- The \\*Gust\\* costs \\$5\\. :primary-badge[1]",
            r"- The Gale costs \$6 \[2\]\.",
            "",
            r"\(reduced\)",
        ]
    )


def test_steps_become_a_list_and_numbers_stay() -> None:
    steps = [said("Fold it [1].", block=True), said("2. Send it [1].", block=True)]
    assert render.answer(steps, 1) == "- Fold it\\. :primary-badge[1]\n\n2. Send it\\. :primary-badge[1]"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("It is red [1] [2]!", "It is red\\! :primary-badge[1] :primary-badge[2]"),
        ("Red [1], or blue [2].", "Red :primary-badge[1]\\, or blue\\. :primary-badge[2]"),
        ("Red [1] it is", "Red :primary-badge[1] it is"),
        ("Red [3].", r"Red \[3\]\."),
        ("Red [0].", r"Red \[0\]\."),
        ("Red [1][3].", r"Red \[1\]\[3\]\."),
    ],
)
def test_known_citations_become_badges_behind_the_full_stop(text: str, markdown: str) -> None:
    assert render.answer([said(text)], 2) == markdown


def test_a_sentence_with_line_breaks_can_not_open_a_block() -> None:
    assert render.answer([said("A kite.\n# Big\n- item")], 0) == r"A kite\. \# Big \- item"


def test_a_policy_section_keeps_bold_lists_and_tables() -> None:
    assert render.section(RETURNS.text) == "\n".join(
        [
            r"You have **30 days**\.",
            "",
            r"1. Fold it\.",
            r"2. Send it back\.",
            "",
            "| Size | Parcel |",
            "| --- | --- |",
            "| S | small |",
        ]
    )


def test_a_sale_price_stands_before_the_regular_one_struck_through() -> None:
    price = render.price_of(facts_of(GUST, price=4900, sale=3900), "en-US")
    assert price == render.Price(now="€39.00", regular="€49.00")
    assert render.price_line(price) == r":orange[**€39\.00**] :gray[~~€49\.00~~]"


def test_a_sale_price_that_is_not_lower_is_no_sale() -> None:
    assert render.price_of(facts_of(GUST, price=4900, sale=4900), "en-US") == render.Price(now="€49.00")


def test_different_prices_of_variants_are_shown_as_from_the_lowest() -> None:
    facts = facts_of(GUST)
    large = facts.variants["K-1-L"].model_copy(update={"price_minor": 5900})
    facts = facts.model_copy(update={"variants": facts.variants | {"K-1-L": large}})
    assert render.price_of(facts, "en-US") == render.Price(now="€49.00", is_from=True)
    assert [row["Price"] for row in render.variant_rows(GUST, facts, "en-US")] == ["", "", "€59.00"]


@pytest.mark.parametrize("facts", [None, facts_of(GUST, price=None)])
def test_an_unknown_price_has_to_be_confirmed(facts: ProductFacts | None) -> None:
    assert render.price_of(facts, "en-US") is None
    assert render.price_line(None) == ":gray[Price to be confirmed]"


def test_zero_is_a_price() -> None:
    assert render.price_of(facts_of(GUST, price=0), "en-US") == render.Price(now="€0.00")


@pytest.mark.parametrize(
    ("stock", "expected"),
    [
        ((3, 0, 2), render.Stock(True, "Sizes S, L")),
        ((0, 0, 0), render.Stock(False)),
        ((None, 0, 0), render.Stock(None)),
        ((None, 4, 0), render.Stock(True, "Sizes M")),
    ],
)
def test_stock_counts_what_is_known(stock: tuple[int | None, ...], expected: render.Stock) -> None:
    facts = facts_of(GUST)
    variants = {
        variant.sku: facts.variants[variant.sku].model_copy(update={"stock": count})
        for variant, count in zip(GUST.variants, stock, strict=True)
    }
    assert render.stock_of(GUST, facts.model_copy(update={"variants": variants})) == expected


@pytest.mark.parametrize(("stock", "expected"), [(5, True), (0, False), (None, None)])
def test_stock_of_a_product_without_variants(stock: int | None, expected: bool | None) -> None:
    kite = GUST.model_copy(update={"variants": ()})
    assert render.stock_of(kite, facts_of(kite, stock=stock)) == render.Stock(expected)


def test_stock_without_facts_is_unknown() -> None:
    assert render.stock_of(GUST, None).label == "Stock to be confirmed"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW, "as of Jan 15, 2026, 11:30 AM MST"),
        (datetime(2026, 7, 2, 5, 5, tzinfo=UTC), "as of Jul 1, 2026, 11:05 PM MDT"),
    ],
)
def test_as_of_is_said_in_the_time_zone_of_the_shop(moment: datetime, text: str) -> None:
    assert render.as_of(moment, CONFIG).replace("\u202f", " ") == text


def test_price_and_stock_confirmed_at_different_times_say_so() -> None:
    facts = facts_of(GUST)
    assert render.as_of_line(facts, CONFIG) == render.as_of(NOW, CONFIG)
    own = facts.own.model_copy(update={"price_as_of": NOW + timedelta(days=1)})
    line = render.as_of_line(facts.model_copy(update={"own": own}), CONFIG)
    assert "price as of Jan 16" in line
    assert "stock as of Jan 15" in line


def test_stock_known_only_for_the_whole_product_names_no_sizes() -> None:
    facts = facts_of(GUST)
    own = facts.own.model_copy(update={"stock": 7, "stock_as_of": NOW + timedelta(days=1)})
    assert render.stock_of(GUST, facts.model_copy(update={"own": own})) == render.Stock(True)


@pytest.mark.parametrize(
    ("codes", "names"),
    [(("en",), "English"), (("en", "es"), "English and Spanish"), (("en", "es", "de"), "English, Spanish and German")],
)
def test_languages_are_named(codes: tuple[str, ...], names: str) -> None:
    assert render.language_names(CONFIG.model_copy(update={"languages": codes})) == names


def test_attributes_read_as_words_with_units() -> None:
    assert render.attribute_rows(GUST) == [
        ("Weight", "240 g"),
        ("Packable", "yes"),
        ("Wind", "light, medium"),
    ]


def test_a_product_without_variants_has_no_variant_rows() -> None:
    kite = GUST.model_copy(update={"variants": ()})
    assert render.variant_rows(kite, facts_of(kite), "en-US") == []


def test_columns_that_are_empty_throughout_are_left_out() -> None:
    assert list(render.variant_rows(GUST, facts_of(GUST), "en-US")[0]) == ["Size", "Color", "Stock"]
