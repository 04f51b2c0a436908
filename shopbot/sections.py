"""Which policy section answers a question, and which of its lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shopbot.embedding import Vectors
from shopbot.intents import SECTION, Scores
from shopbot.statements import Statement
from shopbot.types import Hit

LINE_SHARE = 0.5
KEYWORD_SHARE = 0.1
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
    """The policy vectors of a version in memory, all L2-normalised: (texts or lines, dimension) float32.

    A shop has hundreds of them: comparing with all is exact and takes less than a millisecond.
    """

    sections: tuple[str, ...]
    texts: Vectors
    lines: Vectors
    owners: npt.NDArray[np.intp]
    """For each line, the position of its section in `sections`."""

    def rank(self, vector: Vectors, meant: Scores, keywords: Mapping[str, float] | None = None) -> list[Hit]:
        """Rank all sections for a question's (dimension,) vector, best first, ties by id.

        `score` ranks: what the classifier of intents says of the question (`meant`, of one message), plus LINE_SHARE of
        the cosine of the section's nearest line, plus KEYWORD_SHARE of `keywords` (BM25 relative to the best).
        `cosine` is the section's best over its text, its lines and its example questions: how near the shop's policies
        come at all. Shares: docs/results/reading.md.
        """
        texts, lines = self.texts @ vector, self.lines @ vector
        hits = []
        for place, section in enumerate(self.sections):
            near = lines[self.owners == place]
            line = float(near.max()) if len(near) else float(texts[place])
            score = meant.of(SECTION + section) + LINE_SHARE * line + KEYWORD_SHARE * (keywords or {}).get(section, 0.0)
            cosine = max(float(texts[place]), line, meant.cosine(SECTION + section))
            hits.append(Hit(id=section, score=score, cosine=min(cosine, 1.0)))
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))


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
