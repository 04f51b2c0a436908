"""The whole way of a feed into the shop: what fails on it leaves the published catalog as it was."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, select

from ingest.feed import Feed, read_feed
from ingest.plan import COLLECTIONS, Record, content_hash, indexed, input_hash, plan_records
from ingest.publish import collect_garbage, discard, new_version_id, publish, start_version, write_records
from ingest.verify import verify_version
from shopbot.catalog import active_version_id, read_manifest
from shopbot.database import utc_now
from shopbot.embedding import Embedder, Vectors
from shopbot.errors import CatalogEmpty, IndexMismatch, InputError
from shopbot.facts import MOST_AHEAD
from shopbot.index import KINDS, METRIC, Index, IndexKind, IndexLocation, Manifest
from shopbot.shop import Shop
from shopbot.tables import catalog_versions, records

Progress = Callable[[str, int, int], None]
"""Called with (step, done, total)."""


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did; `embedded` and `carried_over` count distinct texts."""

    version_id: str
    changed: bool
    products: int
    sections: int
    embedded: int
    carried_over: int
    seconds: float
    warnings: tuple[str, ...] = ()

    def summary(self) -> str:
        what = f"{self.products} products and {self.sections} policy sections"
        if not self.changed:
            return f"unchanged: {what} are already published as {self.version_id} ({self.seconds:.1f} s)"
        texts = f"{self.embedded} texts embedded, {self.carried_over} carried over"
        lines = [f"published {self.version_id}: {what}; {texts} ({self.seconds:.1f} s)"]
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])


@dataclass(frozen=True)
class _Active:
    """The published version that the new one is compared with; `index` is None if it can't be reused."""

    version_id: str
    input_hash: str
    index: Index | None
    remark: str | None = None


def ingest(
    feed: Path,
    shop: Shop,
    database: Engine,
    embedder: Embedder,
    location: IndexLocation,
    progress: Progress = lambda step, done, total: None,
    as_of: datetime | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> IngestReport:
    """Validate a feed, build a version of it aside, verify and publish it.

    The same input as the active version's changes nothing. `as_of` is the time of the feed's prices and
    stock, by default the start of the ingest; newer live facts are kept.
    Raises FeedError for wrong rows, IndexMismatch if the built version fails its verification.
    """
    started, now = time.monotonic(), clock()
    if as_of is not None and as_of > now + MOST_AHEAD:
        raise InputError("as_of", f"{as_of.isoformat()} is in the future")
    read = read_feed(feed, shop.config.currency, as_of or now)
    planned = plan_records(read.products, shop.policies, embedder)
    digest = input_hash(planned, read.facts)
    with ExitStack() as cleanup:
        active = _open_active(database, embedder, location, cleanup)
        if active and active.index and active.input_hash == digest:
            return _report(active.version_id, read, shop, started, changed=False)
        remarks = [active.remark] if active and active.remark else []
        version_id = new_version_id(now)
        with ExitStack() as on_failure:
            start_version(database, version_id, read.source, digest, now)
            on_failure.callback(discard, database, location, version_id)
            carried = _carry_over(database, active, planned)
            vectors = {**carried, **_embed(embedder, planned, carried, progress)}
            manifest = _build(database, embedder, location, version_id, planned, vectors, progress)
            progress("verifying", 0, 1)
            verify_version(database, location, version_id, manifest, embedder, planned, vectors)
            progress("verifying", 1, 1)
            is_rebuilt = active is not None and active.input_hash == digest
            publish(database, version_id, manifest, read, clock(), facts_are_news=not is_rebuilt)
            on_failure.pop_all()
    remarks += collect_garbage(database, location, now)
    counts = {"embedded": len(vectors) - len(carried), "carried_over": len(carried)}
    return _report(version_id, read, shop, started, changed=True, **counts, remarks=remarks)


def initialise_home(
    shop: Shop,
    database: Engine,
    embedder: Embedder,
    location: IndexLocation,
    progress: Progress = lambda step, done, total: None,
) -> IngestReport | None:
    """Publish the shop's own catalog where nothing has been published yet; otherwise do nothing."""
    try:
        active_version_id(database)
    except CatalogEmpty:
        return ingest(shop.catalog_feed, shop, database, embedder, location, progress)
    return None


def _open_active(database: Engine, embedder: Embedder, location: IndexLocation, cleanup: ExitStack) -> _Active | None:
    """Return the published version, if any; one whose index is unusable is replaced, not trusted."""
    try:
        version_id = active_version_id(database)
    except CatalogEmpty:
        return None
    query = select(catalog_versions.c.input_hash).where(catalog_versions.c.id == version_id)
    with database.connect() as connection:
        digest = str(connection.scalar(query))
    try:
        index = location.open(version_id, read_manifest(database, version_id), embedder)
    except IndexMismatch as error:
        return _Active(version_id, digest, None, f"nothing could be carried over: {error}")
    cleanup.callback(index.close)
    return _Active(version_id, digest, index)


def _carry_over(database: Engine, active: _Active | None, planned: Sequence[Record]) -> dict[str, Vectors]:
    """Return, by embed_hash, the vectors of planned texts that the active version has already."""
    if active is None or active.index is None:
        return {}
    wanted = {record.embed_hash for record in planned}
    places: dict[IndexKind, dict[str, str]] = {kind: {} for kind in KINDS}
    query = select(records.c.kind, records.c.record_id, records.c.embed_hash)
    with database.connect() as connection:
        rows = connection.execute(
            query.where(records.c.version_id == active.version_id).order_by(records.c.ordinal)
        ).all()
    for kind, record_id, embed_hash in rows:
        if embed_hash in wanted:  # the first of several products with one text is the indexed one
            places[COLLECTIONS[kind]].setdefault(embed_hash, record_id)
    found: dict[str, Vectors] = {}
    for collection, ids in places.items():
        found.update(zip(ids, active.index.vectors(collection, list(ids.values())), strict=True))
    return found


def _embed(
    embedder: Embedder, planned: Sequence[Record], carried: Mapping[str, Vectors], progress: Progress
) -> dict[str, Vectors]:
    """Return, by embed_hash, the vectors of texts that are new; each text is embedded once."""
    texts = {record.embed_hash: record.text for record in planned if record.embed_hash not in carried}
    if not texts:
        return {}
    found = embedder.embed(list(texts.values()), lambda done, total: progress("embedding", done, total))
    return dict(zip(texts, found, strict=True))


def _build(
    database: Engine,
    embedder: Embedder,
    location: IndexLocation,
    version_id: str,
    planned: Sequence[Record],
    vectors: Mapping[str, Vectors],
    progress: Progress,
) -> Manifest:
    """Write index and records of the new version; the index is closed, so that readers open it afresh."""
    chosen = indexed(planned)
    index = location.create(version_id, embedder)
    try:
        for done, kind in enumerate(KINDS):
            progress("indexing", done, len(KINDS))
            _add(index, kind, [record for record in chosen if record.collection == kind], vectors)
    finally:
        index.close()
    write_records(database, version_id, planned)
    progress("indexing", len(KINDS), len(KINDS))
    return Manifest(
        embedder=embedder.name,
        revision=embedder.revision,
        dimension=embedder.dimension,
        metric=METRIC,
        counts={kind: sum(record.collection == kind for record in chosen) for kind in KINDS},
        content_hash=content_hash((record.kind, record.id, record.payload) for record in planned),
    )


def _add(index: Index, kind: IndexKind, chosen: Sequence[Record], vectors: Mapping[str, Vectors]) -> None:
    index.add(
        kind,
        [record.id for record in chosen],
        [vectors[record.embed_hash] for record in chosen],
        [record.section for record in chosen] if kind == "policies" else None,
    )


def _report(
    version_id: str,
    read: Feed,
    shop: Shop,
    started: float,
    *,
    changed: bool,
    embedded: int = 0,
    carried_over: int = 0,
    remarks: Sequence[str] = (),
) -> IngestReport:
    return IngestReport(
        version_id=version_id,
        changed=changed,
        products=len(read.products),
        sections=len(shop.policies),
        embedded=embedded,
        carried_over=carried_over,
        seconds=time.monotonic() - started,
        warnings=(*read.warnings, *remarks),
    )
