"""The published catalog: immutable versions, and the pointer that says which one is active.

A turn calls `Catalog.active()` once and keeps what it gets: that version answers the same until the turn is
over, whatever is published meanwhile.
"""

import threading
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, select

from shopbot.embedding import Embedder
from shopbot.errors import CatalogEmpty, IndexMismatch
from shopbot.index import REMEDY, Index, IndexKind, IndexLocation, Manifest
from shopbot.keywords import KeywordIndex
from shopbot.sections import PolicyVectors
from shopbot.statements import policy_source
from shopbot.tables import ACTIVE, catalog_pointer, catalog_versions, records
from shopbot.types import AttributeValue, PolicySection, Product


@dataclass(frozen=True, eq=False)
class CatalogVersion:
    """One published version, opened: records, vectors and keywords that belong together. Any thread may read.

    `twins` names, for the product whose text is indexed, the others with exactly the same text.
    """

    version_id: str
    manifest: Manifest
    products: Mapping[str, Product]
    policies: Mapping[str, PolicySection]
    twins: Mapping[str, tuple[str, ...]]
    index: Index
    product_keywords: KeywordIndex
    policy_vectors: PolicyVectors
    policy_keywords: KeywordIndex


class Catalog:
    """Opens versions and follows the pointer; one instance a process."""

    def __init__(self, engine: Engine, embedder: Embedder, location: IndexLocation) -> None:
        self._engine = engine
        self._embedder = embedder
        self._location = location
        self._current: CatalogVersion | None = None
        self._opened: weakref.WeakValueDictionary[str, CatalogVersion] = weakref.WeakValueDictionary()
        self._opening = threading.Lock()

    def active(self) -> CatalogVersion:
        """Return the version that is published now; costs one small SQL query unless it has just changed.

        After a publish the first caller opens the new version (seconds for a large catalog); the others get
        the previous one until it is ready. Raises CatalogEmpty before the first publish, IndexMismatch if
        the index is not usable.
        """
        version_id = active_version_id(self._engine)
        current = self._current
        if current is not None and current.version_id == version_id:
            return current
        if not self._opening.acquire(blocking=current is None) and current is not None:
            return current
        try:
            self._current = self._opened_version(version_id)
            return self._current
        finally:
            self._opening.release()

    def version(self, version_id: str) -> CatalogVersion:
        """Return a version that somebody pinned by its id; opened again if nobody holds it any more.

        Raises IndexMismatch if it has been removed.
        """
        with self._opening:
            return self._opened_version(version_id)

    def _opened_version(self, version_id: str) -> CatalogVersion:
        found = self._opened.get(version_id)
        if found is None:
            found = open_version(self._engine, self._embedder, self._location, version_id)
            self._opened[version_id] = found
        return found


def active_version_id(engine: Engine) -> str:
    """Return the id of the published version. Raises CatalogEmpty if there is none."""
    query = select(catalog_pointer.c.version_id).where(catalog_pointer.c.name == ACTIVE)
    with engine.connect() as connection:
        found = connection.scalar(query)
    if found is None:
        raise CatalogEmpty("no catalog has been published yet; run: shopbot ingest run")
    return str(found)


def read_manifest(engine: Engine, version_id: str) -> Manifest:
    """Return what a published version was made with. Raises IndexMismatch if it is not published."""
    query = select(catalog_versions.c.manifest).where(
        catalog_versions.c.id == version_id, catalog_versions.c.state == "ready"
    )
    with engine.connect() as connection:
        found = connection.scalar(query)
    if found is None:
        raise IndexMismatch(f"catalog version {version_id} is not published (any more)")
    return Manifest.model_validate(found)


def open_version(engine: Engine, embedder: Embedder, location: IndexLocation, version_id: str) -> CatalogVersion:
    """Read a published version's records, and open its index.

    Raises IndexMismatch if they do not belong together or are being removed.
    """
    manifest = read_manifest(engine, version_id)
    products, twins = _read_products(engine, version_id)
    policies = _read_policies(engine, version_id)
    _check_counts(version_id, manifest, products, twins, policies)
    index = location.open(version_id, manifest, embedder)
    return CatalogVersion(
        version_id=version_id,
        manifest=manifest,
        products=products,
        policies=policies,
        twins=twins,
        index=index,
        product_keywords=KeywordIndex({key: keyword_text(product) for key, product in products.items()}),
        policy_vectors=read_policy_vectors(index, policies),
        policy_keywords=KeywordIndex({key: section_words(section) for key, section in policies.items()}),
    )


def _check_counts(
    version_id: str,
    manifest: Manifest,
    products: Mapping[str, Product],
    twins: Mapping[str, tuple[str, ...]],
    policies: Mapping[str, PolicySection],
) -> None:
    """Compare with the manifest: a garbage collection may have come between two reads."""
    found: dict[IndexKind, int] = {
        "products": len(products) - sum(len(others) for others in twins.values()),
        "policies": sum(1 + len(section_lines(section)) for section in policies.values()),
    }
    if found != manifest.counts:
        raise IndexMismatch(f"catalog version {version_id}: records {found}, manifest {manifest.counts}; {REMEDY}")


def product_text(product: Product) -> str:
    """Return what is embedded of a product; MiniLM reads the first 256 word pieces, about 180 words.

    Attributes are left to the keywords: with them, dense nDCG@10 stayed at .75 over 70 queries on Cairn's
    catalog, and embedding took three times as long.
    """
    return " ".join(filter(None, (f"{product.title}.", product.brand, product.category, product.description)))


def keyword_text(product: Product) -> str:
    """Return the words that find a product: its text, attributes, id and colours.

    The title counts three times: BM25 alone .739 -> .766 nDCG@10 over 70 queries on Cairn's catalog.
    """
    attributes = [f"{name.replace('_', ' ')} {spoken(value)}" for name, value in product.attributes.items()]
    colors = sorted({variant.color for variant in product.variants if variant.color})
    titles = [product.title, product.title]
    return " ".join([product.id, *titles, product_text(product), *attributes, *colors])


def section_text(section: PolicySection) -> str:
    """Return what is embedded of a policy section as a whole."""
    return f"{section.heading}. {section.text}"


def section_lines(section: PolicySection) -> list[str]:
    """Return the lines of a policy section as its answers say them."""
    return [statement.text for statement in policy_source(1, section).statements]


def line_text(section: PolicySection, line: str) -> str:
    """Return what is embedded of one line; alone it rarely says what it is about."""
    return f"{section.heading}: {line}"


def line_id(section_id: str, place: int) -> str:
    """Return the id of a section's line in the index: "returns.window#1" for the first."""
    return f"{section_id}#{place + 1}"


def policy_vectors(policies: Iterable[PolicySection], embedder: Embedder) -> PolicyVectors:
    """The same as of a published version, embedded here and now."""
    sections = list(policies)
    texts = embedder.embed([section_text(section) for section in sections])
    lines = embedder.embed([line_text(section, line) for section in sections for line in section_lines(section)])
    return PolicyVectors(tuple(section.id for section in sections), texts, lines, _owners(sections))


def read_policy_vectors(index: Index, policies: Mapping[str, PolicySection]) -> PolicyVectors:
    ids = list(policies)
    lines = [line_id(key, number) for key in ids for number in range(len(section_lines(policies[key])))]
    found = index.vectors("policies", [*ids, *lines])
    return PolicyVectors(tuple(ids), found[: len(ids)], found[len(ids) :], _owners(policies.values()))


def _owners(sections: Iterable[PolicySection]) -> npt.NDArray[np.intp]:
    """For each line of the sections, one after the other, the place of its section."""
    return np.asarray([place for place, section in enumerate(sections) for _ in section_lines(section)], dtype=np.intp)


def section_words(section: PolicySection) -> str:
    return " ".join([section_text(section), *section.questions])


def spoken(value: AttributeValue) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _read_products(engine: Engine, version_id: str) -> tuple[dict[str, Product], dict[str, tuple[str, ...]]]:
    """Return products in feed order, and the twins: the first of each text is the one that is indexed."""
    query = select(records.c.record_id, records.c.payload, records.c.embed_hash)
    query = query.where(records.c.version_id == version_id, records.c.kind == "product")
    by_text: dict[str, list[str]] = {}
    products = {}
    with engine.connect() as connection:
        for record_id, payload, embed_hash in connection.execute(query.order_by(records.c.ordinal)):
            products[record_id] = Product.model_validate(payload)
            by_text.setdefault(embed_hash, []).append(record_id)
    return products, {first: tuple(others) for first, *others in by_text.values() if others}


def _read_policies(engine: Engine, version_id: str) -> dict[str, PolicySection]:
    query = select(records.c.record_id, records.c.payload)
    query = query.where(records.c.version_id == version_id, records.c.kind == "policy")
    with engine.connect() as connection:
        found = connection.execute(query.order_by(records.c.ordinal))
        return {record_id: PolicySection.model_validate(payload) for record_id, payload in found}
