"""Hybrid retrieval: vectors and keywords, fused by rank."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from shopbot.catalog import CatalogVersion
from shopbot.embedding import Embedder, Vectors
from shopbot.intents import Scores
from shopbot.tracing import traced_search
from shopbot.types import Hit

RRF_K = 60
DEPTH = 100
"""Candidates taken of each ranking, at least: recall@100 is what fusion has to work with."""

Ranked = Sequence[tuple[str, float]]


class FusionWeights(NamedTuple):
    """Weights of the two rankings, 0 or more; only their ratio matters. 0 switches a ranking off."""

    dense: float
    keyword: float


@traced_search("products")
def search_products(
    version: CatalogVersion,
    embedder: Embedder,
    query: str,
    k: int,
    weights: FusionWeights,
    vector: Vectors | None = None,
    within: Collection[str] | None = None,
) -> list[Hit]:
    """Return at most k products, best first, without duplicates; the same query gives the same list.

    `within` are the ids that may be found, where limits were set: both rankings are of these alone, so that the
    best of them are found however many others are nearer.

    `vector` is the query's embedding, (dimension,) L2-normalised, where the caller has it already. A blank
    query finds nothing. `cosine` is None for a product that only the keywords found.
    """
    if not query.strip():
        return []
    depth = max(k, DEPTH)
    dense: Ranked = []
    if weights.dense > 0:
        ids = None if within is None else _indexed(within, version.twins)
        dense = with_twins(version.index.products(_embedded(embedder, query, vector), depth, ids), version.twins)
        dense = _only(dense, within)[:depth]
    keyword: Ranked = []
    if weights.keyword > 0:
        most = depth if within is None else len(version.products)
        keyword = _only(version.product_keywords.search(query, most), within)[:depth]
    return fuse(dense, keyword, weights)[:k]


@traced_search("policies")
def search_policies(version: CatalogVersion, query: str, vector: Vectors, meant: Scores, k: int) -> list[Hit]:
    """Return at most k policy sections, best first, ties by id; what `score` is made of: `PolicyVectors.rank`.

    `vector` is the query's embedding, (dimension,) L2-normalised, `meant` what the classifier of intents says of it.
    """
    if not query.strip() or not version.policy_vectors.sections:
        return []
    keywords = _relative(version.policy_keywords.search(query, len(version.policy_vectors.sections)))
    return version.policy_vectors.rank(vector, meant, keywords)[:k]


def _relative(ranked: Ranked) -> dict[str, float]:
    """Scale scores so that the best is 1."""
    return {record_id: score / ranked[0][1] for record_id, score in ranked}


def fuse(dense: Ranked, keyword: Ranked, weights: FusionWeights) -> list[Hit]:
    """Merge two rankings by weighted reciprocal rank: score = sum of weight / (60 + rank), rank from 1.

    Cormack, Clarke and Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual rank learning
    methods, SIGIR 2009, whose constant 60 is kept. Ranks compare where cosines and BM25 scores do not.
    Ties by id.
    """
    scores: dict[str, float] = defaultdict(float)
    for weight, ranking in ((weights.dense, dense), (weights.keyword, keyword)):
        for rank, (record_id, _) in enumerate(ranking, start=1):
            scores[record_id] += weight / (RRF_K + rank)
    cosines = dict(dense)
    best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [Hit(id=record_id, score=score, cosine=cosines.get(record_id)) for record_id, score in best]


def _only(ranked: Ranked, within: Collection[str] | None) -> Ranked:
    if within is None:
        return ranked
    allowed = set(within)
    return [(record_id, score) for record_id, score in ranked if record_id in allowed]


def _indexed(product_ids: Iterable[str], twins: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The ids under which the products' vectors are kept: of products with the same text, the first one's."""
    first_of = {other: first for first, others in twins.items() for other in others}
    return list(dict.fromkeys(first_of.get(product_id, product_id) for product_id in product_ids))


def with_twins(ranked: Ranked, twins: Mapping[str, tuple[str, ...]]) -> list[tuple[str, float]]:
    """Add, behind each product, those with exactly the same text: they share its vector and its cosine."""
    return [(other, cosine) for first, cosine in ranked for other in _family(first, twins)]


def _family(first: str, twins: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    return sorted((first, *twins[first])) if first in twins else (first,)


def _embedded(embedder: Embedder, query: str, vector: Vectors | None) -> Vectors:
    found: Vectors = embedder.embed([query])[0] if vector is None else vector
    return found
