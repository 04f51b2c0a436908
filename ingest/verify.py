"""What is checked of a new version, read back from where it was written, before anybody may see it."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sqlalchemy import Engine, select

from ingest.plan import Record, content_hash, indexed
from shopbot.embedding import Embedder, Vectors
from shopbot.errors import IndexMismatch
from shopbot.index import KINDS, Index, IndexKind, IndexLocation, Manifest
from shopbot.tables import records as records_table

SAME_COSINE = 0.999
MOST_QUERIES = 5000
"""Self-queries a collection; larger ones are sampled at even distances. 5,000 take about 3 s."""
NEIGHBOURS = 10
QUERIES_A_CALL = 500

Progress = Callable[[int, int], None]


def verify_version(
    engine: Engine,
    location: IndexLocation,
    version_id: str,
    manifest: Manifest,
    embedder: Embedder,
    planned: Sequence[Record],
    vectors: Mapping[str, Vectors],
) -> None:
    """Open the version afresh and check it; `vectors` are by embed_hash.

    Raises IndexMismatch for a wrong metric, dimension, count, id or content, and for a record that its own
    vector does not find.
    """
    if read_content_hash(engine, version_id) != manifest.content_hash:
        raise IndexMismatch(f"records of {version_id} differ from what was to be written")
    index = location.open(version_id, manifest, embedder)
    try:
        for kind in KINDS:
            expected = [record for record in indexed(planned) if record.collection == kind]
            _check_ids(index, kind, expected)
            _check_found(index, kind, _sample(expected), vectors)
    finally:
        index.close()


def read_content_hash(engine: Engine, version_id: str) -> str:
    query = select(records_table.c.kind, records_table.c.record_id, records_table.c.payload)
    with engine.connect() as connection:
        rows = connection.execute(query.where(records_table.c.version_id == version_id)).all()
    return content_hash((row.kind, row.record_id, row.payload) for row in rows)


def _check_ids(index: Index, kind: IndexKind, expected: Sequence[Record]) -> None:
    if difference := index.ids(kind) ^ {record.id for record in expected}:
        raise IndexMismatch(f"{index.where}: {len(difference)} wrong {kind} ids, e.g. {min(difference)!r}")


def _check_found(index: Index, kind: IndexKind, chosen: Sequence[Record], vectors: Mapping[str, Vectors]) -> None:
    for start in range(0, len(chosen), QUERIES_A_CALL):
        batch = chosen[start : start + QUERIES_A_CALL]
        stacked = np.stack([vectors[record.embed_hash] for record in batch])
        answers = index.nearest_of_many(kind, stacked, NEIGHBOURS)
        for record, answer in zip(batch, answers, strict=True):
            if not _is_found(record, answer):
                raise IndexMismatch(f"{index.where}: {record.id!r} is not found by its own vector")


def _is_found(record: Record, answer: Sequence[tuple[str, float]]) -> bool:
    """Whether the record is among the nearest, or so many equal it that they push it out."""
    same = [record_id for record_id, cosine in answer if cosine > SAME_COSINE]
    return record.id in same or len(same) == NEIGHBOURS


def _sample(chosen: Sequence[Record]) -> Sequence[Record]:
    if len(chosen) <= MOST_QUERIES:
        return chosen
    return [chosen[int(place)] for place in np.linspace(0, len(chosen) - 1, MOST_QUERIES)]
