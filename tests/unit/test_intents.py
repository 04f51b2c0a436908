"""What a message is about: a classifier fitted to example messages, kept in a folder."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from shopbot.embedding import Vectors
from shopbot.errors import ConfigError
from shopbot.intents import (
    FIELD,
    KERNEL,
    RIDGE,
    SECTION,
    STAND_IN,
    UNKNOWN,
    WORDS_SHARE,
    Intents,
    Scores,
    about_it,
    examples_of,
    fit_intents,
    fold_of,
    open_intents,
    without_fold,
)
from shopbot.shop import load_shop
from tests.fakes_data import HashEmbedder, write_shop

LABELS = ["stock", "price", "other", "price", "stock", "weight", "price", "weight"]
SORTED = ("other", "price", "stock", "weight")


def some_vectors(count: int, seed: int = 1, dimension: int = 6) -> Vectors:
    drawn = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    vectors: Vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return vectors


def scores_of(*messages: Mapping[str, float], cosine: float = 0.0) -> Scores:
    """Scores by label for each message, 0 where a message has none; all cosines are the same."""
    labels = list(dict.fromkeys(label for message in messages for label in message))
    values = np.asarray([[message.get(label, 0.0) for label in labels] for message in messages], dtype=np.float32)
    return Scores({label: place for place, label in enumerate(labels)}, values, np.full_like(values, cosine))


TEXTS = [
    "is it there?",
    "what is it?",
    "hi",
    "what price is it",
    "is it left",
    "how heavy is it",
    "the price",
    "is it heavy",
]
VECTORS = some_vectors(len(LABELS))
SAID = ["what price?", "hello", "is it heavy is it", "", "the price of it"]
MESSAGES = some_vectors(5, seed=2)
FITTED = Intents.fit(TEXTS, VECTORS, LABELS)


# ---------------------------------------------------------------- the classifier


def said_alike(texts: Sequence[str], others: Sequence[str]) -> npt.NDArray[np.float64]:
    """Cosines of the words and pairs of words of texts with those of others, by another implementation of tf-idf."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    reference = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"[^\s?]+|\?", sublinear_tf=True).fit(TEXTS)
    found: npt.NDArray[np.float64] = (reference.transform(texts) @ reference.transform(others).T).toarray()
    return found


def solved(vectors: Vectors, labels: Sequence[str], messages: Vectors) -> npt.NDArray[np.float64]:
    """The scores of messages by the book: means plus k(x) (K + ridge I)^-1 (Y - means), in double precision."""
    rows = vectors.astype(np.float16).astype(np.float64)
    target = np.asarray([[float(label == name) for name in sorted(set(labels))] for label in labels])
    means = target.mean(axis=0)
    gram = np.exp(KERNEL * (rows @ rows.T - 1)) + WORDS_SHARE * said_alike(TEXTS, TEXTS) + RIDGE * np.eye(len(rows))
    near = np.exp(KERNEL * (messages.astype(np.float64) @ rows.T - 1)) + WORDS_SHARE * said_alike(SAID, TEXTS)
    found: npt.NDArray[np.float64] = means + near @ np.linalg.solve(gram, target - means)
    return found


def test_the_scores_are_those_of_the_direct_solution() -> None:
    read = FITTED.read(SAID, MESSAGES)
    assert list(read.labels) == list(SORTED)
    assert [read.labels[label] for label in SORTED] == [0, 1, 2, 3]
    np.testing.assert_allclose(read.values, solved(VECTORS, LABELS, MESSAGES), atol=2e-5)


def test_the_order_of_the_examples_is_of_no_consequence() -> None:
    order = np.random.default_rng(3).permutation(len(LABELS))
    shuffled = Intents.fit([TEXTS[n] for n in order], VECTORS[order], [LABELS[n] for n in order])
    assert shuffled.labels == FITTED.labels
    np.testing.assert_allclose(shuffled.read(SAID, MESSAGES).values, FITTED.read(SAID, MESSAGES).values, atol=2e-5)
    np.testing.assert_allclose(shuffled.read(SAID, MESSAGES).cosines, FITTED.read(SAID, MESSAGES).cosines, atol=1e-6)


def test_examples_lie_in_the_order_of_their_labels() -> None:
    of_stock = [VECTORS[place].astype(np.float16) for place, label in enumerate(LABELS) if label == "stock"]
    assert FITTED.labels == SORTED
    assert FITTED.starts.tolist() == [0, 1, 4, 6]
    np.testing.assert_array_equal(FITTED.examples[4:6], of_stock)


def test_an_example_is_read_as_its_own_label() -> None:
    read = FITTED.read(TEXTS, VECTORS)
    names = list(read.labels)
    assert [names[place] for place in read.values.argmax(axis=1)] == LABELS


def test_the_cosine_of_a_label_is_that_of_its_nearest_example() -> None:
    read = FITTED.read(SAID, MESSAGES)
    for label, place in read.labels.items():
        mine = VECTORS[[other == label for other in LABELS]]
        np.testing.assert_allclose(read.cosines[:, place], (MESSAGES @ mine.T).max(axis=1), atol=2e-3)


def test_reading_and_fitting_change_neither_the_classifier_nor_what_they_are_given() -> None:
    vectors, messages = VECTORS.copy(), MESSAGES.copy()
    for given in (vectors, messages):
        given.setflags(write=False)
    fitted = Intents.fit(TEXTS, vectors, LABELS)
    first, again = fitted.read(SAID, messages), fitted.read(SAID, messages)
    np.testing.assert_array_equal(first.values, again.values)
    np.testing.assert_array_equal(first.cosines, again.cosines)
    np.testing.assert_array_equal(fitted.examples, FITTED.examples)


def test_a_message_is_read_alone_as_among_others() -> None:
    several = FITTED.read(SAID, MESSAGES)
    for place in range(len(MESSAGES)):
        alone = FITTED.read(SAID[place : place + 1], MESSAGES[place : place + 1])
        for label in SORTED:
            assert several.of(label, place) == pytest.approx(alone.of(label), abs=1e-5)
            assert several.cosine(label, place) == pytest.approx(alone.cosine(label), abs=1e-5)


def test_one_label_is_always_the_answer() -> None:
    only = Intents.fit(TEXTS[:3], VECTORS[:3], ["price"] * 3)
    np.testing.assert_allclose(only.read(SAID, MESSAGES).values, 1.0)


# ---------------------------------------------------------------- its scores


def test_a_score_is_found_by_label_and_message() -> None:
    scores = scores_of({"field.price": 0.75, "other": 0.25}, {"other": -0.5}, cosine=0.5)
    assert [scores.of("field.price"), scores.of("other"), scores.of("other", 1)] == [0.75, 0.25, -0.5]
    assert scores.cosine("other", 1) == 0.5


def test_a_label_without_examples_scores_nothing_and_is_as_far_as_can_be() -> None:
    assert FITTED.read(SAID, MESSAGES).of("section.returns.window", 4) == 0.0
    assert FITTED.read(SAID, MESSAGES).cosine("section.returns.window", 4) == -1.0


def test_the_best_of_labels_that_begin_alike() -> None:
    scores = scores_of(
        {"field.price": 0.25, "field.stock": 0.5, "section.fields.care": 0.75, "other": -0.25},
        {"field.price": -0.5, "field.stock": -0.25},
    )
    assert scores.best_of(FIELD) == 0.5
    assert scores.best_of(FIELD, 1) == -0.25
    assert scores.best_of("other") == -0.25
    assert scores.best_of(UNKNOWN) == 0.0


# ---------------------------------------------------------------- the file


def test_what_is_loaded_scores_as_what_was_saved(tmp_path: Path) -> None:
    """To the last bit, though examples are kept in half precision: they are fitted so."""
    assert not np.array_equal(FITTED.examples[4], VECTORS[0])
    np.testing.assert_array_equal(FITTED.examples[4], VECTORS[0].astype(np.float16).astype(np.float32))
    FITTED.save(tmp_path / "kept.npz")
    loaded = Intents.load(tmp_path / "kept.npz")
    assert loaded.labels == FITTED.labels
    assert loaded.examples.dtype == loaded.weights.dtype == np.float32
    fitted, kept = FITTED.read(SAID, MESSAGES), loaded.read(SAID, MESSAGES)
    assert kept.labels == fitted.labels
    np.testing.assert_array_equal(kept.values, fitted.values)
    np.testing.assert_array_equal(kept.cosines, fitted.cosines)


def test_saving_leaves_one_file_and_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "kept.npz"
    FITTED.save(path)
    Intents.fit(TEXTS[:3], VECTORS[:3], ["other", "price", "other"]).save(path)
    assert Intents.load(path).labels == ("other", "price")
    assert list(tmp_path.iterdir()) == [path]


class Unwritable:
    """Weights that can't be written, as on a full disk."""

    def __array__(self, *_: object, **__: object) -> npt.NDArray[np.float32]:
        raise OSError("no space left")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    broken = replace(FITTED, weights=cast(Any, Unwritable()))
    with pytest.raises(OSError, match="no space left"):
        broken.save(tmp_path / "new.npz")
    assert not (tmp_path / "new.npz").exists()
    FITTED.save(tmp_path / "kept.npz")
    with pytest.raises(OSError, match="no space left"):
        broken.save(tmp_path / "kept.npz")
    np.testing.assert_array_equal(Intents.load(tmp_path / "kept.npz").weights, FITTED.weights)


# ---------------------------------------------------------------- example messages

FIELDS = """
fields:
  price: {questions: ["how much is the {name}?", "price of {name}"], follow_ups: [and the price]}
  stock: {questions: ["is the {name} there?"]}
  stock_option: {questions: ["is the {name} there in {option}?", "Is it there?"], follow_ups: ["in {option}?"]}
unknown:
  - {ask: "does the {name} float", what: buoyancy, word: float}
"""
ROUTES = "product: [something warm]\npolicy: [your rules]\norder: []\nother: [hi, hi, hello]\n"


def test_the_examples_are_those_of_routes_fields_and_sections(tmp_path: Path) -> None:
    """Those of an option are of the stock, a heading is an example of its section, nothing stands twice."""
    shop = load_shop(write_shop(tmp_path, **{"fields.yaml": FIELDS, "routes.yaml": ROUTES}))
    found = examples_of(shop, shop.policies)
    assert found == {
        "field.price": ("how much is it?", "price of it", "and the price"),
        "field.stock": ("is it there?", "is it there in red?", "Is it there?", "in red?"),
        "other": ("hi", "hello"),
        "policy": ("your rules",),
        "product": ("something warm",),
        "section.returns.label": ("Return label",),
        "section.returns.window": ("Return window", "How long may I return something?", "return deadline"),
        "section.shipping.costs": ("Shipping costs", "What does delivery cost?"),
        "section.size-aprons.chart": ("Apron size chart",),
        "unknown": ("does it float",),
    }
    assert list(found) == sorted(found)


def test_the_sections_are_those_of_the_version_not_of_the_folder(tmp_path: Path) -> None:
    shop = load_shop(write_shop(tmp_path))
    section = shop.policies[0].model_copy(update={"id": "returns.older", "questions": ("too late?",)})
    found = examples_of(shop, [section])
    assert {label for label in found if label.startswith(SECTION)} == {"section.returns.older"}
    assert found["section.returns.older"] == ("Return window", "too late?")


def test_a_shop_without_fields_has_examples_of_routes_and_sections_alone(tmp_path: Path) -> None:
    shop = load_shop(write_shop(tmp_path))
    assert set(examples_of(shop, ())) == {"product", "policy"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("is the {name} warm", "is it warm"),
        ("Is The {name} warm?", "Is it warm?"),
        ("{name} how much", "it how much"),
        ("is your {name} or this {name} warmer", "is it or it warmer"),
        ("a {name}, an {name}, those {name}", "it, it, it"),
        ("can I breathe {name}", "can I breathe it"),
        ("is the red {name} warm", "is the red it warm"),
        ("is {name} there in {option}", "is it there in red"),
        ("in {option}?", "in red?"),
        ("any pockets", "any pockets"),
        ("", ""),
    ],
)
def test_a_pattern_is_filled_with_it_and_an_option(pattern: str, expected: str) -> None:
    assert about_it(pattern) == expected
    assert STAND_IN == "it"


EXAMPLES = {
    "field.price": ["how much is it", "what does it cost", "price please", "is it expensive"],
    "field.weight": ["how heavy is it", "what does it weigh"],
    "other": ["hello"],
}


def test_every_example_is_left_out_once() -> None:
    folds = 3
    texts = [(label, text) for label, asked in EXAMPLES.items() for text in asked]
    left_out = []
    for fold in range(folds):
        kept = without_fold(EXAMPLES, fold, folds)
        left_out += [(label, text) for label, text in texts if text not in kept.get(label, [])]
        assert all(fold_of(text, folds) != fold for asked in kept.values() for text in asked)
    assert sorted(left_out) == sorted(texts)


def test_a_label_all_of_whose_examples_are_left_out_is_gone() -> None:
    kept = without_fold(EXAMPLES, fold_of("hello", 5), 5)
    assert "other" not in kept
    assert all(kept.values())


def test_the_fold_of_a_text_is_the_same_on_every_machine_and_spread_evenly() -> None:
    assert [fold_of(text, 5) for text in ("how much is it", "grüß dich", "")] == [1, 4, 0]
    counts = np.bincount([fold_of(f"message {number}", 5) for number in range(1000)], minlength=5)
    assert counts.min() > 150


# ---------------------------------------------------------------- kept in a folder


def opened(folder: Path, examples: Mapping[str, Sequence[str]], embedder: HashEmbedder | None = None) -> set[str]:
    """Open a classifier and return the names of the files that are new in its folder."""
    before = set(os.listdir(folder)) if folder.exists() else set()
    open_intents(examples, embedder or HashEmbedder(), folder)
    return set(os.listdir(folder)) - before


def test_a_classifier_is_fitted_once_and_then_kept(tmp_path: Path) -> None:
    folder, embedder = tmp_path / "cache" / "intents", HashEmbedder()
    told: list[tuple[int, int]] = []
    first = open_intents(EXAMPLES, embedder, folder, lambda done, total: told.append((done, total)))
    assert len(embedder.embedded) == 7
    assert told == [(7, 7)]
    again = open_intents(EXAMPLES, embedder, folder, lambda done, total: told.append((done, total)))
    assert len(embedder.embedded) == 7
    assert told == [(7, 7)]
    said = ["what is the price", "hello there"]
    messages = embedder.embed(said)
    np.testing.assert_array_equal(first.read(said, messages).values, again.read(said, messages).values)
    np.testing.assert_array_equal(first.read(said, messages).cosines, again.read(said, messages).cosines)
    assert [path.suffix for path in folder.iterdir()] == [".npz"]


def test_what_is_opened_is_fitted_to_its_examples(tmp_path: Path) -> None:
    embedder = HashEmbedder()
    said = ["hello", "how heavy is it", "price please"]
    messages = embedder.embed(said)
    read = open_intents(EXAMPLES, embedder, tmp_path).read(said, messages)
    names = list(read.labels)
    assert [names[place] for place in read.values.argmax(axis=1)] == ["other", "field.weight", "field.price"]
    np.testing.assert_array_equal(read.values, fit_intents(EXAMPLES, embedder).read(said, messages).values)


@pytest.mark.parametrize(
    "changed",
    [
        {**EXAMPLES, "other": ["hello!"]},
        {**EXAMPLES, "other": ["hello", "hi"]},
        {**EXAMPLES, "order": ["where is my parcel"]},
        {"field.price": EXAMPLES["field.price"], "field.weight": EXAMPLES["field.weight"]},
        {**EXAMPLES, "field.price": EXAMPLES["field.price"][:3], "field.weight": ["is it expensive"]},
        {"field.price": EXAMPLES["field.price"], "field.mass": EXAMPLES["field.weight"], "other": ["hello"]},
    ],
    ids=["a text", "one more", "a label more", "a label less", "moved", "renamed"],
)
def test_other_examples_are_another_classifier(tmp_path: Path, changed: dict[str, list[str]]) -> None:
    assert len(opened(tmp_path, EXAMPLES)) == 1
    assert len(opened(tmp_path, changed)) == 1
    assert opened(tmp_path, EXAMPLES) == set()


@pytest.mark.parametrize("other", [HashEmbedder(revision="000000000002"), HashEmbedder(name="other")])
def test_other_vectors_are_another_classifier(tmp_path: Path, other: HashEmbedder) -> None:
    opened(tmp_path, EXAMPLES)
    assert len(opened(tmp_path, EXAMPLES, other)) == 1
    assert len(other.embedded) == 7


def test_the_order_of_the_labels_makes_no_other_classifier(tmp_path: Path) -> None:
    opened(tmp_path, EXAMPLES)
    assert opened(tmp_path, dict(reversed(EXAMPLES.items()))) == set()


def used(folder: Path, names: set[str], seconds: int) -> str:
    """Date the one file that is new."""
    (name,) = names
    os.utime(folder / name, (seconds, seconds))
    return name


def test_of_more_than_three_the_one_that_was_not_used_for_longest_is_removed(tmp_path: Path) -> None:
    several = [{"other": [f"hello {number}"], "order": ["my parcel"]} for number in range(5)]
    first, second, third = (
        used(tmp_path, opened(tmp_path, examples), 1000 + number) for number, examples in enumerate(several[:3])
    )
    assert set(os.listdir(tmp_path)) == {first, second, third}
    opened(tmp_path, several[0])  # used again, later than the others
    (fourth,) = opened(tmp_path, several[3])
    assert set(os.listdir(tmp_path)) == {first, third, fourth}
    (fifth,) = opened(tmp_path, several[4])
    assert set(os.listdir(tmp_path)) == {first, fourth, fifth}


def test_what_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    half = tmp_path / ".half-1.npz"
    half.write_bytes(b"PK")
    os.utime(half, (1, 1))
    for number in range(4):
        opened(tmp_path, {"other": [f"hello {number}"], "order": ["my parcel"]})
    assert half.exists()
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_fitted_again(tmp_path: Path, content: bytes) -> None:
    examples = {"a": ["one", "two"], "b": ["three", "four"]}
    (name,) = opened(tmp_path, examples)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match="is no fitted classifier; fit it again"):
        Intents.load(tmp_path / name)
    assert opened(tmp_path, examples) == set()
    assert Intents.load(tmp_path / name).labels == ("a", "b")
