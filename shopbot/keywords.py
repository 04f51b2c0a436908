"""BM25 over the words of a set of texts: finds what is spelled alike, where vectors find what means alike."""

import logging
import re
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

WORD = re.compile(r"\w+")
LEAST_SHARE = 0.1
"""Hits below this share of the best score are dropped: they have in common what nearly all records have, such
as the "CO" of an article number. Up to 0.1 it changed no nDCG@10 over 70 queries on Cairn's catalog."""
POSSESSIVE = re.compile(r"['’]s\b")


class Tokenizer:
    """English: stopwords out, words stemmed. Single letters and digits stay: sizes, model numbers."""

    def __init__(self) -> None:
        from bm25s.stopwords import STOPWORDS_EN
        from Stemmer import Stemmer

        self._stopwords = frozenset(STOPWORDS_EN)
        self._stemmer = Stemmer("english")
        self._lock = threading.Lock()  # a stemmer must not be used by two threads at once (PyStemmer's docs)

    def tokens(self, text: str) -> list[str]:
        words = WORD.findall(POSSESSIVE.sub("", text.casefold()))
        kept = [word for word in words if word not in self._stopwords]
        with self._lock:
            stems: list[str] = self._stemmer.stemWords(kept)
        return stems


class KeywordIndex:
    """An in-memory BM25 index of texts by id (bm25s, its defaults: Lucene's variant, k1 1.5, b 0.75).

    Immutable after building, so that any thread may search it. 20,000 products take about 1 s to build.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._tokenizer = Tokenizer()
        # In the order of ids: a stable sort by score then breaks ties by id.
        self._ids = sorted(texts)
        self._bm25 = _build([self._tokenizer.tokens(texts[record_id]) for record_id in self._ids])

    def search(self, query: str, k: int) -> list[tuple[str, float]]:
        """Return at most k (id, BM25 score), best first, ties by id; [] if no word of the query is known."""
        known = self._bm25.get_tokens_ids(self._tokenizer.tokens(query)) if self._bm25 else []
        if not known or k < 1:
            return []
        scores = self._bm25.get_scores_from_ids(known)
        scores[scores < LEAST_SHARE * scores.max()] = 0
        return [(self._ids[index], float(scores[index])) for index in _best(scores, k)]


def _build(corpus: list[list[str]]) -> Any:
    """Return a bm25s index, or None for texts without a single word (which bm25s cannot index)."""
    if not any(corpus):
        return None
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # importing it sets DEBUG, a line for every index built
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    return index


def _best(scores: "np.ndarray[Any, Any]", k: int) -> list[int]:
    """Positions of the k highest scores above zero, highest first, ties in order of position."""
    candidates = np.flatnonzero(scores > 0)
    if len(candidates) > k:
        threshold = np.partition(scores[candidates], -k)[-k]
        candidates = candidates[scores[candidates] >= threshold]
    ranked = candidates[np.argsort(-scores[candidates], kind="stable")]
    return [int(index) for index in ranked[:k]]
