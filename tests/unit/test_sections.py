"""Which section answers, on vectors made by hand, and which of its lines."""

from collections.abc import Sequence

import numpy as np
import pytest

from shopbot.embedding import Vectors
from shopbot.sections import (
    ALIKE_SCORE,
    KEYWORD_SHARE,
    NEAREST_LINES,
    TEXT_SHARE,
    WHOLE_SECTION_LINES,
    PolicyVectors,
    RidgeClassifier,
    alike,
    answering_lines,
)
from shopbot.statements import Statement, policy_source
from shopbot.types import Hit, PolicySection


def unit(*values: float) -> Vectors:
    vector = np.asarray(values, dtype=np.float32)
    normalised: Vectors = vector / np.linalg.norm(vector)
    return normalised


X, Y, Z, W = (unit(*row) for row in np.eye(4))


def policies(**sections: Sequence[Vectors]) -> PolicyVectors:
    """Sections by id, each with the vector of its text and those of its questions."""
    texts = np.stack([vectors[0] for vectors in sections.values()])
    questions = [vector for vectors in sections.values() for vector in vectors[1:]]
    owners = [place for place, vectors in enumerate(sections.values()) for _ in vectors[1:]]
    stacked = np.stack(questions) if questions else np.zeros((0, 4), dtype=np.float32)
    return PolicyVectors(tuple(sections), texts, stacked, np.asarray(owners, dtype=np.intp))


def ranking(found: PolicyVectors, vector: Vectors, keywords: dict[str, float] | None = None) -> list[str]:
    return [hit.id for hit in found.rank(vector, keywords)]


# ---------------------------------------------------------------- ranking


def test_a_section_is_found_by_its_text_and_by_its_questions() -> None:
    found = policies(text=[X], asked=[Y, Z, Z])
    assert ranking(found, X) == ["text", "asked"]
    assert ranking(found, Z) == ["asked", "text"]


def test_all_sections_are_ranked_best_first() -> None:
    hits = policies(a=[X, unit(1, 1, 0, 0)], b=[Y], c=[Z]).rank(unit(1, 3, 0, 0))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert [hit.id for hit in hits] == ["b", "a", "c"]


def test_sections_that_are_equally_near_are_ordered_by_id() -> None:
    assert ranking(policies(c=[X, Y], a=[X, Y], b=[X, Y]), Y) == ["a", "b", "c"]


def test_the_cosine_is_the_best_over_text_and_questions_and_never_above_one() -> None:
    far = unit(0, 3, 4, 0)
    hits = {hit.id: hit.cosine for hit in policies(a=[X, far, Y], b=[Z]).rank(Y)}
    assert hits == {"a": 1.0, "b": 0.0}
    stretched = np.asarray([[1.0001, 0, 0, 0]], dtype=np.float32)  # float32 can leave a norm a little above 1
    alone = PolicyVectors(("a",), stretched, stretched, np.asarray([0], dtype=np.intp))
    assert [hit.cosine for hit in alone.rank(X)] == [1.0]


def test_many_far_questions_do_not_hide_the_near_ones() -> None:
    """Only the nearest count: a section asked about in a hundred ways is not worse for it."""
    assert ranking(policies(a=[W, *[X] * 5, *[Z] * 100], b=[W, *[unit(1, 1, 0, 0)] * 5]), X) == ["a", "b"]


def test_one_near_question_weighs_less_than_five() -> None:
    assert ranking(policies(one=[W, X, *[Z] * 4], five=[W, *[unit(9, 1, 0, 0)] * 5]), X) == ["five", "one"]


def test_a_section_without_questions_is_ranked_by_its_text() -> None:
    found = policies(silent=[X], asked=[Y, Y])
    assert ranking(found, X) == ["silent", "asked"]
    assert {hit.id: hit.cosine for hit in found.rank(X)} == {"silent": 1.0, "asked": 0.0}


def test_a_shop_without_any_question_is_ranked_by_texts() -> None:
    assert ranking(policies(a=[X], b=[Y]), unit(1, 2, 0, 0)) == ["b", "a"]


def test_keywords_decide_between_sections_that_are_equally_near() -> None:
    found = policies(a=[X, Y], b=[X, Y])
    hits = {hit.id: hit for hit in found.rank(Y, {"b": 1.0})}
    assert list(hits) == ["b", "a"]
    assert hits["b"].score - hits["a"].score == pytest.approx(KEYWORD_SHARE)
    assert hits["b"].cosine == hits["a"].cosine


def test_the_score_is_the_classifiers_plus_the_nearest_questions_plus_shares_of_text_and_keywords() -> None:
    near, text = unit(3, 4, 0, 0), unit(4, 3, 0, 0)
    found = policies(a=[text, near, Z], b=[W, Z])
    rows = np.stack([text, W, near, Z, Z])
    fitted = RidgeClassifier.fit(rows, np.asarray([0, 1, 0, 0, 1], dtype=np.intp)).scores(X)
    scores = {hit.id: hit.score for hit in found.rank(X, {"a": 0.5})}
    assert scores["a"] == pytest.approx(fitted[0] + (0.6 + 0) / 2 + TEXT_SHARE * 0.8 + KEYWORD_SHARE * 0.5, abs=1e-6)
    assert scores["b"] == pytest.approx(fitted[1], abs=1e-6)


def test_keywords_of_no_section_change_nothing() -> None:
    found = policies(a=[X, Y], b=[Z])
    assert found.rank(Y) == found.rank(Y, {"gone": 1.0})


# ---------------------------------------------------------------- which are alike


def hits(*scores: float) -> list[Hit]:
    return [Hit(id=f"s-{number}", score=score, cosine=None) for number, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("scores", "count"),
    [
        ((), 0),
        ((0.7,), 1),
        ((0.7, 0.7 - 0.9 * ALIKE_SCORE), 2),
        ((0.7, 0.7 - 1.1 * ALIKE_SCORE), 1),
        ((0.0, -0.9 * ALIKE_SCORE, -1.1 * ALIKE_SCORE), 2),
        ((ALIKE_SCORE, 0.0), 2),
    ],
)
def test_alike_are_hits_as_near_as_that_to_the_best_one(scores: Sequence[float], count: int) -> None:
    assert alike(hits(*scores)) == hits(*scores)[:count]


def test_hits_are_alike_with_the_best_one_not_with_their_neighbours() -> None:
    step = 0.7 * ALIKE_SCORE
    assert len(alike(hits(0.8, 0.8 - step, 0.8 - 2 * step, 0.8 - 3 * step))) == 2


# ---------------------------------------------------------------- how near the policies come


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"a": [W, X], "b": [W, Z]}, 0.5),
        ({"a": [W, X, X, X], "b": [W, X, X, *[Z] * 9]}, 1.0),
        ({"a": [W, X, *[Z] * 9], "b": [W, *[Z] * 9]}, 0.2),
        ({"a": [W, unit(3, 4, 0, 0)]}, 0.6),
        ({"a": [X, Z]}, 0.0),
        ({"a": [X]}, 0.0),
    ],
)
def test_the_nearness_is_the_mean_of_the_five_nearest_questions_whichever_section_has_them(
    sections: dict[str, Sequence[Vectors]], expected: float
) -> None:
    """The texts do not count: they are no questions."""
    assert policies(**sections).nearness(X) == pytest.approx(expected, abs=1e-6)


# ---------------------------------------------------------------- the classifier


def test_the_classifier_tells_exemplars_apart_that_stand_close() -> None:
    """Five directions in pairs of a common part and a small one of their own: the small ones decide."""
    chance = np.random.default_rng(4)
    common = np.eye(12)[:5].repeat(20, axis=0)
    classes = np.arange(5).repeat(20)
    rows = (np.ones((100, 12)) + common + chance.normal(scale=0.1, size=(100, 12))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    trained = RidgeClassifier.fit(rows[::2], classes[::2])
    assert [int(trained.scores(row).argmax()) for row in rows[1::2]] == classes[1::2].tolist()


def test_the_classifier_is_ridge_regression_on_centred_one_hot_classes() -> None:
    """Against a gradient: at the minimum of the penalised squares it is zero."""
    rows = np.stack([X, unit(2, 1, 0, 0), Y, unit(0, 1, 1, 0), Z]).astype(np.float32)
    classes = np.asarray([0, 0, 1, 1, 2], dtype=np.intp)
    fitted = RidgeClassifier.fit(rows, classes)
    target = np.eye(3)[classes] - np.eye(3)[classes].mean(axis=0)
    residual = (rows - rows.mean(axis=0)) @ fitted.weights - target
    assert np.allclose((rows - rows.mean(axis=0)).T @ residual + 0.3 * fitted.weights, 0, atol=1e-6)
    assert np.allclose(fitted.mean, rows.mean(axis=0))


def test_the_scores_of_all_classes_cancel_out() -> None:
    """No class has a bias of its own: on average over the training rows each scores nothing."""
    rows = np.stack([X, Y, Y, Z]).astype(np.float32)
    fitted = RidgeClassifier.fit(rows, np.asarray([0, 1, 1, 2], dtype=np.intp))
    assert np.allclose(sum(fitted.scores(row) for row in rows), 0, atol=1e-6)


# ---------------------------------------------------------------- lines


def section(lines: int, steps: int = 0) -> list[Statement]:
    text = " ".join(f"Rule {number} holds." for number in range(lines))
    numbered = "\n".join(f"{number}. Do thing {number}." for number in range(1, steps + 1))
    source = policy_source(1, PolicySection(id="a.b", policy="a", heading="H", text=f"{text}\n\n{numbered}"))
    assert len(source.statements) == lines + steps
    return list(source.statements)


def nearness(count: int, *near: int) -> Vectors:
    """Cosines of `count` lines of which the `near` ones come first, in that order."""
    cosines = np.linspace(0.3, 0.2, count, dtype=np.float32)
    cosines[list(near)] = np.linspace(0.9, 0.8, len(near), dtype=np.float32)
    return cosines


@pytest.mark.parametrize("lines", [0, 1, WHOLE_SECTION_LINES])
def test_a_short_section_answers_whole(lines: int) -> None:
    statements = section(lines)
    assert statements == answering_lines(statements, nearness(lines))


def test_of_a_longer_section_the_nearest_lines_answer_in_the_sections_order() -> None:
    statements = section(9)
    found = answering_lines(statements, nearness(9, 7, 0, 4, 2))
    assert [statements[index] for index in (0, 2, 4, 7)] == found
    assert len(found) == NEAREST_LINES


def test_steps_answer_all_or_not_at_all() -> None:
    statements = section(5, steps=6)
    one_step_near = answering_lines(statements, nearness(11, 1, 8, 0, 3))
    assert [statements[index] for index in (0, 1, 3, 5, 6, 7, 8, 9, 10)] == one_step_near
    no_step_near = answering_lines(statements, nearness(11, 1, 2, 0, 3))
    assert statements[:4] == no_step_near
