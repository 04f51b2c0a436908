"""The life of a catalog version in the database: building -> ready -> discarded. Only `publish` shows it."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, delete, insert, select, update

from ingest.feed import Feed
from ingest.plan import Record
from shopbot.database import writing
from shopbot.errors import ConfigError
from shopbot.facts import apply_facts
from shopbot.index import IndexLocation, Manifest
from shopbot.tables import ACTIVE, catalog_pointer, catalog_versions, facts, records

KEPT_VERSIONS = 3
ABANDONED_AFTER = timedelta(hours=24)
"""A build this old belongs to a process that was killed."""
ROWS_A_TRANSACTION = 1000


def new_version_id(now: datetime) -> str:
    """Return an id that sorts by time and is a valid name of a directory and of a Chroma collection."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def start_version(engine: Engine, version_id: str, source: str, digest: str, now: datetime) -> None:
    values = {"id": version_id, "created_at": now, "state": "building"}
    with writing(engine) as connection:
        connection.execute(insert(catalog_versions).values(**values, feed_source=source, input_hash=digest))


def write_records(engine: Engine, version_id: str, planned: Sequence[Record]) -> None:
    """Write rows that nobody sees yet, in small transactions, so that others can write in between."""
    rows = [
        {
            "version_id": version_id,
            "kind": record.kind,
            "record_id": record.id,
            "ordinal": ordinal,
            "payload": record.payload,
            "embed_hash": record.embed_hash,
        }
        for ordinal, record in enumerate(planned)
    ]
    for start in range(0, len(rows), ROWS_A_TRANSACTION):
        with writing(engine) as connection:
            connection.execute(insert(records), rows[start : start + ROWS_A_TRANSACTION])


def publish(
    engine: Engine, version_id: str, manifest: Manifest, feed: Feed, now: datetime, *, facts_are_news: bool = True
) -> None:
    """Make a verified version the active one and write its feed's facts, in one transaction.

    `facts_are_news` is False where a lost index is built again from the same feed: what that feed says of price
    and stock has been taken over once, and live facts have moved on since.
    """
    with writing(engine) as connection:
        _drop_vanished_skus(connection, feed)
        if facts_are_news:
            apply_facts(connection, feed.facts, feed.source)
        connection.execute(
            update(catalog_versions)
            .where(catalog_versions.c.id == version_id)
            .values(state="ready", published_at=now, manifest=manifest.model_dump(mode="json"))
        )
        _point_at(connection, version_id)


def discard(engine: Engine, location: IndexLocation, version_id: str) -> None:
    """Take a failed build away; the version's row stays behind as 'discarded'.

    A version that has been published is left alone: an interrupt can come just after its commit.
    """
    building = catalog_versions.c.id == version_id, catalog_versions.c.state == "building"
    with writing(engine) as connection:
        found = list(connection.scalars(select(catalog_versions.c.id).where(*building)))
        _mark_discarded(connection, found)
    if found:
        location.delete(version_id)


def collect_garbage(engine: Engine, location: IndexLocation, now: datetime) -> list[str]:
    """Remove all but the newest versions, and what killed processes left; never the active version.

    Rows go before the index, so that no reader is sent to one that is gone. Returns a remark for each index
    that could not be removed; the next run tries again.
    """
    with writing(engine) as connection:
        _mark_discarded(connection, list(_superfluous(connection, now)))
        query = select(catalog_versions.c.id).where(catalog_versions.c.state == "discarded")
        discarded = list(connection.scalars(query))
    return [remark for version_id in location.present(discarded) for remark in _remove(location, version_id)]


def _superfluous(connection: Connection, now: datetime) -> Iterator[str]:
    versions = catalog_versions.c
    active = connection.scalar(select(catalog_pointer.c.version_id).where(catalog_pointer.c.name == ACTIVE))
    ready = select(versions.id).where(versions.state == "ready").order_by(versions.published_at.desc())
    yield from (found for found in list(connection.scalars(ready))[KEPT_VERSIONS:] if found != active)
    abandoned = select(versions.id).where(versions.state == "building", versions.created_at < now - ABANDONED_AFTER)
    yield from connection.scalars(abandoned)


def _mark_discarded(connection: Connection, version_ids: list[str]) -> None:
    connection.execute(delete(records).where(records.c.version_id.in_(version_ids)))
    connection.execute(update(catalog_versions).where(catalog_versions.c.id.in_(version_ids)).values(state="discarded"))


def _remove(location: IndexLocation, version_id: str) -> Iterator[str]:
    try:
        location.delete(version_id)
    except (OSError, ConfigError) as error:
        yield f"the old index {version_id} could not be removed ({error}); the next ingest tries again"


def _drop_vanished_skus(connection: Connection, feed: Feed) -> None:
    """Forget variants that the feed no longer has: their stock would still count. Other articles stay."""
    articles = {product.id for product in feed.products}
    current = {(fact.article_id, fact.sku) for fact in feed.facts}
    known = connection.execute(select(facts.c.article_id, facts.c.sku).where(facts.c.sku != "")).all()
    for article_id, sku in known:
        if article_id in articles and (article_id, sku) not in current:
            connection.execute(delete(facts).where(facts.c.article_id == article_id, facts.c.sku == sku))


def _point_at(connection: Connection, version_id: str) -> None:
    moved = connection.execute(
        update(catalog_pointer).where(catalog_pointer.c.name == ACTIVE).values(version_id=version_id)
    )
    if moved.rowcount == 0:
        connection.execute(insert(catalog_pointer).values(name=ACTIVE, version_id=version_id))
