"""What a catalog version will hold: one record for every vector, with hashes that tell what has changed."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shopbot.catalog import line_id, line_text, product_text, section_lines, section_text
from shopbot.embedding import Embedder
from shopbot.facts import FactUpdate
from shopbot.index import IndexKind
from shopbot.types import PolicySection, Product

Kind = Literal["product", "policy", "line"]
COLLECTIONS: dict[str, IndexKind] = {"product": "products", "policy": "policies", "line": "policies"}


@dataclass(frozen=True)
class Record:
    """One row of `records`; `embed_hash` covers embedder and exact text, `section` is "" for products."""

    kind: Kind
    id: str
    payload: dict[str, Any]
    text: str
    embed_hash: str
    section: str = ""

    @property
    def collection(self) -> IndexKind:
        return COLLECTIONS[self.kind]


def plan_records(products: Iterable[Product], policies: Iterable[PolicySection], embedder: Embedder) -> list[Record]:
    records = [
        _record(embedder, "product", product.id, product.model_dump(mode="json"), product_text(product))
        for product in products
    ]
    for section in policies:
        records += _policy_records(embedder, section)
    return records


def indexed(records: Iterable[Record]) -> list[Record]:
    """Return the records that get a vector: all, but of products with the same text only the first.

    Hundreds of equal vectors make an HNSW graph lose others; search adds the twins again (see
    `CatalogVersion.twins`, which follows the same rule).
    """
    seen: set[str] = set()
    chosen = []
    for record in records:
        if record.kind == "product" and record.embed_hash in seen:
            continue
        seen.add(record.embed_hash)
        chosen.append(record)
    return chosen


def content_hash(rows: Iterable[tuple[str, str, dict[str, Any]]]) -> str:
    """Return the sha256 over (kind, id, payload) of all records, in sorted order."""
    digest = hashlib.sha256()
    for kind, record_id, payload in sorted(rows, key=lambda row: row[:2]):
        digest.update(_json([kind, record_id, payload]))
    return digest.hexdigest()


def input_hash(records: Sequence[Record], facts: Iterable[FactUpdate]) -> str:
    """Return the hash of everything that an ingest depends on, except the time of its facts."""
    digest = hashlib.sha256(content_hash((item.kind, item.id, item.payload) for item in records).encode())
    for record in records:
        digest.update(record.embed_hash.encode())
    for fact in facts:
        digest.update(_json([fact.article_id, fact.sku, fact.currency, dict(fact.changes)]))
    return digest.hexdigest()


def _policy_records(embedder: Embedder, section: PolicySection) -> list[Record]:
    """A section's text, and each of its lines: a question is about one of them."""
    payload = section.model_dump(mode="json")
    text = _record(embedder, "policy", section.id, payload, section_text(section), section.id)
    lines = [
        _record(embedder, "line", line_id(section.id, place), {"text": line}, line_text(section, line), section.id)
        for place, line in enumerate(section_lines(section))
    ]
    return [text, *lines]


def _record(
    embedder: Embedder, kind: Kind, record_id: str, payload: dict[str, Any], text: str, section: str = ""
) -> Record:
    embed_hash = hashlib.sha256(f"{embedder.name}/{embedder.revision}\n{text}".encode()).hexdigest()
    return Record(kind, record_id, payload, text, embed_hash, section)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
