"""Training questions are read as the workflow reads them, by a classifier that has not seen them."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.training import FoldedReader
from finetune.dataset import FOLDS
from shopbot.embedding import Progress, Vectors
from shopbot.intents import about_it, examples_of, fold_of
from shopbot.shop import Shop, load_shop
from shopbot.statements import Source, product_source
from shopbot.types import Product
from tests.fakes_data import PRODUCTS, write_shop

# Every question has a word of its own. Those for the weight have the word of those for the price, too: who has not
# seen such a question takes it for one.
LETTERS = [first + second for first in "bc" for second in "bcdfghjklmnpqrstvwxz"]
PRICES = [f"cost p{letters} {{name}}" for letters in LETTERS]
WEIGHTS = [f"cost w{letters} {{name}}" for letters in LETTERS[:20]]
WINDOW = [f"r{letters} return" for letters in LETTERS[:15]]
LABEL = [f"l{letters} return" for letters in LETTERS[:15]]
FILES: dict[str, str | None] = {
    "fields.yaml": f"""
fields:
  price: {{questions: {PRICES}}}
  weight: {{questions: {WEIGHTS}, follow_ups: ["& heavy"]}}
unknown:
  - {{ask: "can the {{name}} sing", what: its voice, word: sing}}
""",
    "policies/questions.yaml": f"returns.window: {WINDOW}\nreturns.label: {LABEL}\n",
}
PAN, SKILLET = (
    Product(
        id=key, title=title, category="Pans", description="", brand="", currency="USD", attributes={"weight_g": 300}
    )
    for key, title in (("K-1", "Copper Saucepan"), ("K-2", "Iron Skillet"))
)
TOLD: list[tuple[str, int, int]] = []


class WordEmbedder:
    """Every word has a direction of its own: texts are near that share words. Keeps what it embeds."""

    name, revision, dimension = "words", "0", 600

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self._places: dict[str, int] = {}

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        self.embedded += texts
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[self._places.setdefault(word, len(self._places))] += 1
            row /= np.linalg.norm(row)
        if progress:
            progress(len(texts), len(texts))
        return rows


EMBEDDER = WordEmbedder()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder: Path = tmp_path_factory.mktemp("shop")
    return load_shop(write_shop(folder, PRODUCTS, **FILES))


@pytest.fixture(scope="module")
def reader(shop: Shop) -> FoldedReader:
    return FoldedReader.of(shop, [PAN, SKILLET], EMBEDDER, lambda *step: TOLD.append(step))


def sources(*products: Product) -> list[Source]:
    return [product_source(number, product, None, "en") for number, product in enumerate(products, start=1)]


def test_a_classifier_has_seen_all_examples_but_those_of_its_fold(reader: FoldedReader, shop: Shop) -> None:
    """Whatever they ask for: fields, something unknown, sections by heading and question, routes."""
    texts = {text for asked in examples_of(shop, shop.policies).values() for text in asked}
    assert len(texts) > 90
    vectors = {text: EMBEDDER.embed([text])[0] for text in texts}
    for fold, intents in enumerate(reader.intents):
        seen = {text for text, vector in vectors.items() if np.max(intents.examples @ vector) > 0.999}
        assert texts - seen == {text for text in texts if fold_of(text, FOLDS) == fold}, fold
        assert len(intents.examples) == len(seen), fold


def test_there_is_a_classifier_for_every_fold(reader: FoldedReader) -> None:
    assert len(reader.intents) == FOLDS
    assert {fold_of(about_it(text), FOLDS) for text in WEIGHTS} == set(range(FOLDS))


@pytest.mark.parametrize("fold", range(FOLDS))
def test_what_a_question_asks_is_known_by_all_that_have_seen_it(reader: FoldedReader, fold: int) -> None:
    asked = {
        text: reader.asked(text.format(name="Copper Saucepan"), sources(PAN), fold)[1].fields[:1] for text in WEIGHTS
    }
    unseen = {text for text in WEIGHTS if fold_of(about_it(text), FOLDS) == fold}
    assert {text for text, fields in asked.items() if fields == ("price",)} == unseen
    assert {text for text, fields in asked.items() if fields == ("weight",)} == set(WEIGHTS) - unseen


@pytest.mark.parametrize("fold", range(FOLDS))
def test_the_section_of_a_question_is_known_by_all_that_have_seen_it(reader: FoldedReader, fold: int) -> None:
    near = {}
    for question in WINDOW:
        hits = {hit.id: hit for hit in reader.sections(question, fold)}
        assert set(hits) == set(reader.policies.sections)
        near[question] = hits["returns.window"].cosine or 0.0
    unseen = {question for question in WINDOW if fold_of(question, FOLDS) == fold}
    assert {question for question, cosine in near.items() if cosine < 0.99} == unseen


def test_a_section_that_was_seen_comes_first_and_one_that_was_not_has_a_lower_score(reader: FoldedReader) -> None:
    for question in WINDOW:
        own = fold_of(question, FOLDS)
        scores = [{hit.id: hit.score for hit in reader.sections(question, fold)} for fold in range(FOLDS)]
        others = [found for fold, found in enumerate(scores) if fold != own]
        assert [found for found in others if max(found, key=lambda key: found[key]) != "returns.window"] == [], question
        assert scores[own]["returns.window"] < min(found["returns.window"] for found in others), question


def test_several_products_and_several_questions_are_read_at_once(reader: FoldedReader) -> None:
    """By clause, and for every record by its number, with lines that may answer."""
    first, second = (next(text for text in texts if fold_of(about_it(text), FOLDS) != 0) for texts in (PRICES, WEIGHTS))
    question = f"{first}. {second}".format(name="Copper Saucepan")
    asked = reader.asked(question, sources(PAN, SKILLET), 0)
    assert {number: set(found.fields) for number, found in asked.items()} == {
        1: {"price", "weight"},
        2: {"price", "weight"},
    }
    (only,) = reader.asked(PRICES[0].format(name="Iron Skillet"), sources(SKILLET), 1).values()
    assert [line.text for line in only.lines] == ["The Iron Skillet weighs 300 g."]


def test_what_no_product_is_asked_is_read_as_nothing(reader: FoldedReader) -> None:
    assert reader.asked("got kayaks?", [], 0) == {}


def test_every_example_is_embedded_once_for_all_folds(reader: FoldedReader, shop: Shop) -> None:
    own = WordEmbedder()
    FoldedReader.of(shop, [PAN], own, lambda *_: None)
    counts = Counter(own.embedded)
    examples = {text for asked in examples_of(shop, shop.policies).values() for text in asked}
    assert {counts[text] for text in examples} == {1}


def test_opening_tells_its_progress(reader: FoldedReader) -> None:
    assert TOLD[0] == ("example messages", (total := TOLD[0][2]), total)
    assert TOLD[1:] == [("classifiers of messages", fold, FOLDS) for fold in range(FOLDS + 1)]
