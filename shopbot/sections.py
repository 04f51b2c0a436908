"""Which policy section answers a question, and which of its lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from shopbot.embedding import Vectors
from shopbot.statements import Statement
from shopbot.types import Hit

NEAREST_QUESTIONS = 5
CLASSIFIER_RIDGE = 0.3
TEXT_SHARE = 0.2
KEYWORD_SHARE = 0.15
# A section of at most this many lines answers whole; of a longer one the lines nearest to the question do. On 180
# questions written apart from the sections, 6 and 4 hold what was asked for in 97 % (5.1 lines an answer), 5 and 3 in
# 89 % (3.7 lines), 7 and 5 in 99 % (6.1 lines).
WHOLE_SECTION_LINES = 6
NEAREST_LINES = 4
# Sections whose scores are this near to the best one's are candidates; retrieval is sure of a section without rivals.
# Of 178 development questions 77 % have one candidate; the right section is among the candidates of 96 %.
ALIKE_SCORE = 0.1
# Sections that are looked at for a question; a tuned model gets the ids of those that are alike as hints.
HINTS = 3


def alike(hits: Sequence[Hit]) -> list[Hit]:
    """Those of the hits, best first, that fit the question about as well as the first one."""
    return [hit for hit in hits if hits[0].score - hit.score <= ALIKE_SCORE]


@dataclass(frozen=True)
class PolicyVectors:
    """The policy vectors of a version in memory, all L2-normalised: (texts or questions, dimension) float32.

    A shop has thousands of them at most: comparing with all is exact and takes less than a millisecond, and the
    score of a section needs more of its vectors than a nearest-neighbour query returns.
    """

    sections: tuple[str, ...]
    texts: Vectors
    questions: Vectors
    owners: npt.NDArray[np.intp]
    """For each question, the position of its section in `sections`."""

    def rank(self, vector: Vectors, keywords: Mapping[str, float] | None = None) -> list[Hit]:
        """Rank all sections for a question's (dimension,) vector, best first, ties by id.

        `cosine` is the section's best over its text and its exemplar questions: how near the shop's policies come at
        all. `score` ranks: a linear classifier fitted to the exemplars, plus the mean cosine of the nearest
        questions, plus TEXT_SHARE of the text's cosine, plus KEYWORD_SHARE of `keywords` (BM25 relative to the best).
        Weights are from three-fold cross-validation over Cairn's 2,532 exemplars (docs/results/sections.md).
        """
        texts, questions = self.texts @ vector, self.questions @ vector
        fitted = self._classifier.scores(vector)
        hits = []
        for place, section in enumerate(self.sections):
            nearest = np.sort(questions[self.owners == place])[-NEAREST_QUESTIONS:]
            meant = float(nearest.mean()) if len(nearest) else float(texts[place])
            score = float(fitted[place]) + meant + TEXT_SHARE * float(texts[place])
            score += KEYWORD_SHARE * (keywords or {}).get(section, 0.0)
            best = max([float(texts[place]), *nearest.tolist()])
            hits.append(Hit(id=section, score=score, cosine=min(best, 1.0)))
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))

    def nearness(self, vector: Vectors) -> float:
        """How near a question is to what customers ask about policies: mean cosine of the nearest exemplars of all."""
        nearest = np.sort(self.questions @ vector)[-NEAREST_QUESTIONS:]
        return float(nearest.mean()) if len(nearest) else 0.0

    @cached_property
    def _classifier(self) -> "RidgeClassifier":
        rows = np.vstack([self.texts, self.questions])
        return RidgeClassifier.fit(rows, np.concatenate([np.arange(len(self.sections)), self.owners]))


@dataclass(frozen=True)
class RidgeClassifier:
    """Least squares on one-hot classes with an L2 penalty: a linear classifier in closed form, fitted in milliseconds.

    Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed., sections 3.4.1 and 4.2.
    """

    mean: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, rows: Vectors, classes: npt.NDArray[np.intp]) -> "RidgeClassifier":
        """Fit to (n, dimension) rows and their classes (n,), numbered from 0."""
        mean = rows.mean(axis=0, dtype=np.float64)
        centred = rows - mean
        target = np.eye(int(classes.max()) + 1)[classes]
        penalty = CLASSIFIER_RIDGE * np.eye(rows.shape[1])
        weights = np.linalg.solve(centred.T @ centred + penalty, centred.T @ (target - target.mean(axis=0)))
        return cls(mean, weights)

    def scores(self, vector: Vectors) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = (vector - self.mean) @ self.weights
        return found


def answering_lines(statements: Sequence[Statement], cosines: npt.NDArray[np.float32]) -> list[Statement]:
    """The whole of a short section; of a longer one the lines nearest to the question, and all steps if one is near.

    `cosines` (n,) are those of the n statements with the question.
    """
    if len(statements) <= WHOLE_SECTION_LINES:
        return list(statements)
    nearest = set(np.argsort(-cosines)[:NEAREST_LINES].tolist())
    steps = {index for index, statement in enumerate(statements) if statement.field == "step"}
    chosen = nearest | steps if nearest & steps else nearest
    return [statement for index, statement in enumerate(statements) if index in chosen]
