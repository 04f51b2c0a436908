"""How a message is worded: its words and pairs of neighbouring words, weighted by how rare they are."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from shopbot.language import words

Row = tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]


class Wording:
    """The wording of n texts, to compare others with.

    tf-idf of words and pairs, with sublinear tf and smoothed idf: (1 + ln count) (1 + ln((1 + n) / (1 + texts that have
    the term))); Manning, Raghavan and Schuetze, Introduction to Information Retrieval, sections 6.2 to 6.4. Stopwords
    stay, and so does the question mark: little else tells "my order is late" from "what if an order is late?".
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)
        terms = [_terms(text) for text in texts]
        having = Counter(term for said in terms for term in set(said))
        self._places = {term: place for place, term in enumerate(having)}
        counts = np.fromiter(having.values(), np.float32, len(having))
        self._rarity = np.log((1 + len(texts)) / (1 + counts)) + 1
        self._transposed = self._features(texts).T.tocsr()

    def cosines(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The cosines (m, n) of m texts with all of these; 0 for a text without a known term."""
        found: npt.NDArray[np.float32] = (self._features(texts) @ self._transposed).toarray()
        return found

    def _features(self, texts: Sequence[str]) -> Any:
        """A sparse matrix (m, terms) whose rows are L2-normalised, or zero."""
        from scipy.sparse import csr_array

        rows = [self._row(text) for text in texts]
        ends = np.cumsum([0, *(len(places) for places, _ in rows)])
        places = np.concatenate([np.zeros(0, np.intp), *(places for places, _ in rows)])
        values = np.concatenate([np.zeros(0, np.float32), *(values for _, values in rows)])
        return csr_array((values, places, ends), shape=(len(rows), len(self._places)))

    def _row(self, text: str) -> Row:
        counts = Counter(place for term in _terms(text) if (place := self._places.get(term)) is not None)
        places = np.asarray(sorted(counts), np.intp)
        values = (1 + np.log(np.asarray([counts[place] for place in places], np.float32))) * self._rarity[places]
        return places, values / max(float(np.linalg.norm(values)), float(np.finfo(np.float32).tiny))


def _terms(text: str) -> list[str]:
    said = [*words(text), *(["?"] if "?" in text else [])]
    return [*said, *(f"{first} {second}" for first, second in pairwise(said))]
