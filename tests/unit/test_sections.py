"""Which section answers, on vectors and scores made by hand, and which of its lines."""

from collections.abc import Sequence

import numpy as np
import pytest

from shopbot.embedding import Vectors
from shopbot.intents import SECTION, Scores
from shopbot.sections import (
    ALIKE_SCORE,
    KEYWORD_SHARE,
    LINE_SHARE,
    NEAREST_LINES,
    WHOLE_SECTION_LINES,
    PolicyVectors,
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
    """Sections by id, each with the vector of its text and those of its lines."""
    texts = np.stack([vectors[0] for vectors in sections.values()])
    lines = [vector for vectors in sections.values() for vector in vectors[1:]]
    owners = [place for place, vectors in enumerate(sections.values()) for _ in vectors[1:]]
    stacked = np.stack(lines) if lines else np.zeros((0, 4), dtype=np.float32)
    return PolicyVectors(tuple(sections), texts, stacked, np.asarray(owners, dtype=np.intp))


def meaning(cosine: float = 0.0, **scores: float) -> Scores:
    """What the classifier says of one message: scores by section; `cosine` is of the nearest example of each."""
    return labelled(cosine, **{SECTION + section: score for section, score in scores.items()})


def labelled(cosine: float = 0.0, **scores: float) -> Scores:
    values = np.asarray([list(scores.values())], dtype=np.float32)
    return Scores({label: place for place, label in enumerate(scores)}, values, np.full_like(values, cosine))


NOTHING = meaning()


def ranking(
    found: PolicyVectors, vector: Vectors, meant: Scores = NOTHING, keywords: dict[str, float] | None = None
) -> list[str]:
    return [hit.id for hit in found.rank(vector, meant, keywords)]


# ---------------------------------------------------------------- ranking


def test_a_section_is_found_by_its_lines_and_by_what_the_classifier_says() -> None:
    found = policies(a=[W, X], b=[W, Y, Z])
    assert ranking(found, X) == ["a", "b"]
    assert ranking(found, Z) == ["b", "a"]
    assert ranking(found, W, meaning(a=0.1, b=0.7)) == ["b", "a"]
    assert ranking(found, W, meaning(a=0.7, b=0.1)) == ["a", "b"]


def test_all_sections_are_ranked_best_first() -> None:
    hits = policies(a=[W, unit(1, 1, 0, 0)], b=[W, Y], c=[W, Z]).rank(unit(1, 3, 0, 0), meaning(c=0.1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert [hit.id for hit in hits] == ["b", "a", "c"]


def test_sections_that_fit_equally_well_are_ordered_by_id() -> None:
    assert ranking(policies(c=[X, Y], a=[X, Y], b=[X, Y]), Y, meaning(a=0.5, b=0.5, c=0.5)) == ["a", "b", "c"]


def test_a_shop_without_sections_has_none_to_rank() -> None:
    nothing = np.zeros((0, 4), dtype=np.float32)
    assert PolicyVectors((), nothing, nothing, np.zeros(0, dtype=np.intp)).rank(X, NOTHING) == []


def test_the_score_is_the_classifiers_plus_shares_of_the_nearest_line_and_of_the_keywords() -> None:
    found = policies(a=[X, Z, unit(3, 4, 0, 0)], b=[W, Z])
    scores = {hit.id: hit.score for hit in found.rank(X, meaning(a=0.3, b=0.2), {"a": 0.5})}
    assert scores == pytest.approx({"a": 0.3 + LINE_SHARE * 0.6 + KEYWORD_SHARE * 0.5, "b": 0.2}, abs=1e-6)


def test_many_far_lines_do_not_hide_the_near_one() -> None:
    """Only the nearest counts: a section of a hundred rules is not worse for it."""
    assert ranking(policies(a=[W, X, *[Z] * 100], b=[W, *[unit(9, 1, 0, 0)] * 5]), X) == ["a", "b"]


def test_the_text_of_a_section_ranks_only_where_it_has_no_line() -> None:
    """A text speaks of everything at once: its lines are nearer to a question, or it does not answer it."""
    found = policies(silent=[X], told=[X, Y])
    assert ranking(found, X) == ["silent", "told"]
    assert {hit.id: hit.score for hit in found.rank(X, NOTHING)} == pytest.approx({"silent": LINE_SHARE, "told": 0.0})


def test_a_shop_whose_sections_have_no_line_is_ranked_by_texts() -> None:
    assert ranking(policies(a=[X], b=[Y]), unit(1, 2, 0, 0)) == ["b", "a"]


def test_a_section_without_examples_is_ranked_by_its_lines() -> None:
    found = policies(new=[W, X], asked=[W, Z])
    assert ranking(found, X, meaning(asked=0.4)) == ["new", "asked"]
    assert ranking(found, X, meaning(asked=0.6)) == ["asked", "new"]


@pytest.mark.parametrize("other", ["a", "policy", "field.a", "section.gone", "unknown"])
def test_what_the_classifier_says_of_other_labels_changes_nothing(other: str) -> None:
    found = policies(a=[W, X], b=[W, Y])
    assert found.rank(X, labelled(0.9, **{other: 0.9})) == found.rank(X, NOTHING)


def test_keywords_decide_between_sections_that_fit_equally_well() -> None:
    hits = {hit.id: hit for hit in policies(a=[X, Y], b=[X, Y]).rank(Y, meaning(a=0.5, b=0.5), {"b": 1.0})}
    assert list(hits) == ["b", "a"]
    assert hits["b"].score - hits["a"].score == pytest.approx(KEYWORD_SHARE)
    assert hits["b"].cosine == hits["a"].cosine


def test_keywords_of_no_section_change_nothing() -> None:
    found = policies(a=[X, Y], b=[Z])
    assert found.rank(Y, NOTHING) == found.rank(Y, NOTHING, {"gone": 1.0})


# ---------------------------------------------------------------- how near the policies come


@pytest.mark.parametrize(
    ("section", "example", "expected"),
    [
        ([X, Z], 0.3, 1.0),
        ([Z, Z, X], 0.3, 1.0),
        ([unit(3, 4, 0, 0), Z], 0.3, 0.6),
        ([Z, unit(3, 4, 0, 0)], 0.7, 0.7),
        ([Z, Y], 0.3, 0.3),
        ([Z, Y], -0.2, 0.0),
        ([X], -0.2, 1.0),
    ],
)
def test_the_cosine_is_the_best_over_text_lines_and_example_questions(
    section: Sequence[Vectors], example: float, expected: float
) -> None:
    (hit,) = policies(a=section).rank(X, meaning(example, a=0.1))
    assert hit.cosine == pytest.approx(expected, abs=1e-6)


def test_examples_of_one_section_bring_no_other_one_nearer() -> None:
    hits = policies(a=[W, Z], b=[W, Z]).rank(X, meaning(0.8, a=0.1))
    assert {hit.id: hit.cosine for hit in hits} == pytest.approx({"a": 0.8, "b": 0.0})


def test_a_cosine_is_never_above_one() -> None:
    """float32 can leave a norm a little above 1, float16, in which examples are kept, a little more."""
    stretched = np.asarray([[1.0001, 0, 0, 0]], dtype=np.float32)
    alone = PolicyVectors(("a",), stretched, stretched, np.asarray([0], dtype=np.intp))
    assert [hit.cosine for hit in alone.rank(X, NOTHING)] == [1.0]
    assert [hit.cosine for hit in policies(a=[W, Z]).rank(X, meaning(1.0004, a=0.9))] == [1.0]


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
