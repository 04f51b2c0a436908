from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot.catalog import (
    CatalogVersion,
    keyword_text,
    line_id,
    line_text,
    policy_vectors,
    product_text,
    section_lines,
    section_text,
    section_words,
)
from shopbot.embedding import Vectors
from shopbot.intents import SECTION, fit_intents
from shopbot.keywords import KeywordIndex, Tokenizer
from shopbot.search import FusionWeights, fuse, search_policies, search_products, with_twins
from shopbot.sections import KEYWORD_SHARE
from shopbot.types import Hit, PolicySection, Product, Variant
from tests.fakes_data import HashEmbedder

BOTH = FusionWeights(dense=1, keyword=2)
EMBEDDER = HashEmbedder()


@dataclass
class ExactIndex:
    """Stands in for Chroma: compares with every vector."""

    vectors: Mapping[str, Vectors]
    asked: list[int] = field(default_factory=list)

    def products(self, vector: Vectors, k: int, ids: Sequence[str] | None = None) -> list[tuple[str, float]]:
        self.asked.append(k)
        allowed = self.vectors.keys() if ids is None else set(ids)
        found = [
            (record_id, float(other @ vector)) for record_id, other in self.vectors.items() if record_id in allowed
        ]
        return sorted(found, key=lambda item: (-item[1], item[0]))[:k]


def product(record_id: str, title: str, **changes: Any) -> Product:
    blank = {"description": "", "category": "", "brand": "", "currency": "USD", "attributes": {}}
    return Product(id=record_id, title=title, **{**blank, **changes})


def version_of(products: list[Product], sections: list[PolicySection], **changes: Any) -> CatalogVersion:
    vectors = {item.id: EMBEDDER.embed([product_text(item)])[0] for item in products}
    values = {
        "version_id": "v",
        "manifest": None,
        "products": {item.id: item for item in products},
        "policies": {section.id: section for section in sections},
        "twins": {},
        "index": ExactIndex(vectors),
        "product_keywords": KeywordIndex({item.id: keyword_text(item) for item in products}),
        "policy_vectors": policy_vectors(sections, EMBEDDER),
        "policy_keywords": KeywordIndex({section.id: section_words(section) for section in sections}),
    }
    return CatalogVersion(**cast(Any, {**values, **changes}))


PANS = [
    product("K-1", "Copper Saucepan", attributes={"capacity_l": 1.8}),
    product("K-2", "Iron Skillet", description="heavy iron"),
    product("K-3", "Linen Apron", variants=(Variant(sku="K-3-S", color="Moss"),)),
    product("K-4", "Chef's Knife 20"),
]
SECTIONS = [
    PolicySection(
        id="returns.window",
        policy="returns",
        heading="Return window",
        text="You have 30 days. A refund takes a week.",
        questions=("how long can I return goods", "return deadline"),
    ),
    PolicySection(
        id="shipping.costs",
        policy="shipping",
        heading="Shipping costs",
        text="Parcels cost $6.",
        questions=("what does delivery cost",),
    ),
    PolicySection(id="care.linen", policy="care", heading="Linen care", text="Wash linen cold."),
]
VERSION = version_of(PANS, SECTIONS)
INTENTS = fit_intents({SECTION + item.id: [item.heading, *item.questions] for item in SECTIONS}, EMBEDDER)


def ids(hits: list[Hit]) -> list[str]:
    return [hit.id for hit in hits]


def policies(query: str, k: int, version: CatalogVersion = VERSION, embedded: str | None = None) -> list[Hit]:
    """Sections for a query; `embedded` stands for another message that has its vector and its meaning."""
    said = [query if embedded is None else embedded]
    vectors = EMBEDDER.embed(said)
    return search_policies(version, query, vectors[0], INTENTS.read(said, vectors), k)


def test_words_find_what_vectors_miss_and_the_other_way_round() -> None:
    assert ids(search_products(VERSION, EMBEDDER, "heavy iron skillet", 1, BOTH)) == ["K-2"]
    assert ids(search_products(VERSION, EMBEDDER, "anything in moss?", 1, BOTH)) == ["K-3"]
    assert ids(search_products(VERSION, EMBEDDER, "capacity", 1, BOTH)) == ["K-1"]


@pytest.mark.parametrize("query", ["K-3", "k-3", "is K-3 in stock"])
def test_an_article_number_finds_its_article(query: str) -> None:
    assert ids(search_products(VERSION, EMBEDDER, query, 1, FusionWeights(0, 1))) == ["K-3"]


def test_stems_and_possessives_match() -> None:
    assert Tokenizer().tokens("The chef's knives, S and 20 skillets") == Tokenizer().tokens("chef knive S 20 skillet")


@pytest.mark.parametrize("query", ["", "   ", "\n"])
def test_a_blank_query_finds_nothing(query: str) -> None:
    assert search_products(VERSION, EMBEDDER, query, 5, BOTH) == []
    assert policies(query, 5, embedded="linen") == []


@pytest.mark.parametrize("query", ["zzz qqq", "the of and", "!?", "🥘", "пальто"])
def test_words_that_no_record_has_leave_the_vectors_to_answer(query: str) -> None:
    hits = search_products(VERSION, EMBEDDER, query, 10, BOTH)
    assert len(PANS) == len(hits)
    assert all(hit.cosine is not None for hit in hits)
    assert search_products(VERSION, EMBEDDER, query, 10, FusionWeights(0, 1)) == []


def test_results_are_unique_ordered_and_the_same_every_time() -> None:
    first = search_products(VERSION, EMBEDDER, "heavy linen knife", 10, BOTH)
    assert first == search_products(VERSION, EMBEDDER, "heavy linen knife", 10, BOTH)
    assert len(set(ids(first))) == len(first)
    assert [hit.score for hit in first] == sorted((hit.score for hit in first), reverse=True)


def test_a_vector_that_the_caller_has_is_not_embedded_again() -> None:
    embedder = HashEmbedder()
    vector = EMBEDDER.embed(["linen"])[0]
    hits = search_products(VERSION, embedder, "linen", 2, BOTH, vector=vector)
    assert ids(hits) == ids(search_products(VERSION, EMBEDDER, "linen", 2, BOTH))
    assert embedder.embedded == []


def test_a_weight_of_zero_switches_a_ranking_off() -> None:
    index = ExactIndex({})
    version = version_of(PANS, SECTIONS, index=index)
    assert ids(search_products(version, EMBEDDER, "linen", 5, FusionWeights(0, 1))) == ["K-3"]
    assert index.asked == []
    dense = search_products(VERSION, EMBEDDER, "linen", 5, FusionWeights(1, 0))
    assert all(hit.cosine is not None for hit in dense)


def test_products_with_the_same_text_are_all_found() -> None:
    towels = [product(record_id, "Tea Towel") for record_id in ("T-3", "T-1", "T-2")]
    index = ExactIndex({"T-3": EMBEDDER.embed(["Tea Towel."])[0]})
    version = version_of(towels, SECTIONS, index=index, twins={"T-3": ("T-1", "T-2")})
    hits = search_products(version, EMBEDDER, "towel", 5, BOTH)
    assert ids(hits) == ["T-1", "T-2", "T-3"]
    assert len({hit.cosine for hit in hits}) == 1


def test_twins_follow_their_rank_in_order_of_id() -> None:
    ranked = [("b", 0.9), ("x", 0.5)]
    assert with_twins(ranked, {"b": ("c", "a")}) == [("a", 0.9), ("b", 0.9), ("c", 0.9), ("x", 0.5)]


def test_fusion_adds_weighted_reciprocal_ranks() -> None:
    hits = fuse([("a", 0.9), ("b", 0.8)], [("b", 7.0), ("c", 6.0)], BOTH)
    assert ids(hits) == ["b", "c", "a"]
    assert hits[0] == Hit(id="b", score=1 / 62 + 2 / 61, cosine=0.8)
    assert hits[1] == Hit(id="c", score=2 / 62, cosine=None)


def test_equal_scores_are_ordered_by_id() -> None:
    assert ids(fuse([("b", 0.9)], [("a", 7.0)], FusionWeights(1, 1))) == ["a", "b"]


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_fusion_keeps_every_candidate_once(dense: list[str], keyword: list[str]) -> None:
    hits = fuse([(item, 0.5) for item in dense], [(item, 1.0) for item in keyword], BOTH)
    assert sorted(set(dense) | set(keyword)) == sorted(ids(hits))


# ---------------------------------------------------------------- policies


def test_a_section_is_found_by_its_lines_and_by_its_questions() -> None:
    assert ids(policies("when does my refund come", 1)) == ["returns.window"]
    assert ids(policies("is linen washed cold", 1)) == ["care.linen"]
    best = policies("return deadline", 3)[0]
    assert best.id == "returns.window"
    assert best.cosine == pytest.approx(1.0, abs=1e-3)  # examples are kept as float16
    assert ids(policies("what would the delivery cost", 1)) == ["shipping.costs"]


def test_keywords_of_a_section_add_their_share_to_it_alone() -> None:
    """The best of the keywords has the whole share, whatever BM25 makes of it."""
    without, found = ({hit.id: hit for hit in policies(query, 3, embedded="zzz")} for query in ("zzz", "parcels"))
    gained = {section: found[section].score - hit.score for section, hit in without.items()}
    assert gained == pytest.approx({"shipping.costs": KEYWORD_SHARE, "returns.window": 0, "care.linen": 0})
    assert {key: hit.cosine for key, hit in without.items()} == {key: hit.cosine for key, hit in found.items()}


def test_all_sections_are_ranked_and_cut_to_k() -> None:
    assert sorted(ids(policies("linen", 99))) == sorted(section.id for section in SECTIONS)
    assert policies("linen", 2) == policies("linen", 99)[:2]


def test_a_shop_without_policies_finds_none() -> None:
    assert policies("linen", 5, version_of(PANS, [])) == []


STEPS = PolicySection(
    id="returns.steps",
    policy="returns",
    heading="How to return",
    text="""Sign in first. It takes **two** minutes.

1. Print the label.

| Size | Chest (cm) |
|---|---|
| M | 95 to 102 |
""",
)
LINES = ["Sign in first.", "It takes two minutes.", "Print the label.", "M: chest (cm) 95 to 102."]


def test_the_lines_of_a_section_are_what_its_answers_say() -> None:
    assert section_lines(STEPS) == LINES
    assert [line_id(STEPS.id, place) for place in range(2)] == ["returns.steps#1", "returns.steps#2"]
    assert line_text(STEPS, LINES[2]) == "How to return: Print the label."


def test_every_text_and_every_line_of_the_policies_has_a_vector() -> None:
    embedder = HashEmbedder()
    found = policy_vectors([STEPS, SECTIONS[2]], embedder)
    assert found.sections == ("returns.steps", "care.linen")
    assert found.owners.tolist() == [0, 0, 0, 0, 1]
    lines = [*(f"How to return: {line}" for line in LINES), "Linen care: Wash linen cold."]
    assert embedder.embedded == [section_text(STEPS), "Linen care. Wash linen cold.", *lines]
    assert (found.texts == EMBEDDER.embed(embedder.embedded[:2])).all()
    assert (found.lines == EMBEDDER.embed(lines)).all()


# ---------------------------------------------------------------- keywords


def test_keywords_handle_texts_without_words() -> None:
    assert KeywordIndex({}).search("linen", 5) == []
    assert KeywordIndex({"a": "!!!", "b": ""}).search("linen", 5) == []
    assert KeywordIndex({"a": "linen", "b": ""}).search("linen", 0) == []


def test_keyword_ties_are_ordered_by_id_even_at_the_cut() -> None:
    index = KeywordIndex(dict.fromkeys(("c", "a", "d", "b"), "tea towel") | {"e": "tea"})
    assert [record_id for record_id, _ in index.search("towel", 2)] == ["a", "b"]
