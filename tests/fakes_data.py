"""A small shop of its own, and an embedder without torch, for tests of the data layer."""

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, create_engine, make_url

from shopbot.database import alembic_config
from shopbot.embedding import Progress, Vectors
from shopbot.types import Fact

ROOT = Path(__file__).resolve().parent.parent
PUBLIC_DATA = Path(os.environ.get("SHOPBOT_TEST_PUBLIC_DATA", ROOT.parent / "shared" / "data"))
DIMENSION = 384
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def fact(sku: str = "", price: int | None = None, sale: int | None = None, stock: int | None = None) -> Fact:
    """Return what is known of article P1 or a variant of it at noon; prices in cents."""
    return Fact(
        article_id="P1",
        sku=sku,
        price_minor=price,
        sale_price_minor=sale,
        currency="USD",
        price_as_of=NOON,
        stock=stock,
        stock_as_of=NOON,
    )


class HashEmbedder:
    """Hashes words into 384 places, L2-normalised: texts that share words are near. Counts what it embeds."""

    def __init__(self, name: str = "hash", revision: str = "000000000001") -> None:
        self.name = name
        self.revision = revision
        self.dimension = DIMENSION
        self.embedded: list[str] = []
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        with self._lock:
            self.embedded += texts
        if progress:
            progress(len(texts), len(texts))
        return np.stack([_hashed(text) for text in texts]) if texts else np.zeros((0, DIMENSION), np.float32)


def _hashed(text: str) -> Vectors:
    vector = np.full(DIMENSION, 1e-6, dtype=np.float32)
    for word in re.findall(r"\w+", text.casefold()):
        digest = hashlib.sha256(word.encode()).digest()
        vector[int.from_bytes(digest[:4], "big") % DIMENSION] += 1 if digest[4] % 2 else -1
    normalised: Vectors = vector / np.linalg.norm(vector)
    return normalised


PRODUCTS: list[dict[str, Any]] = [
    {
        "id": "K-1",
        "title": "Copper Saucepan",
        "description": "A heavy copper saucepan with a tin lining.",
        "category": "Cookware",
        "brand": "Harbor",
        "price": 129.0,
        "currency": "USD",
        "attributes": {"capacity_l": 1.8, "induction": False, "best_for": ["sauces", "caramel"]},
        "stock": 12,
        "url": "/p/copper-saucepan",
    },
    {
        "id": "K-2",
        "title": "Walnut Chopping Board",
        "description": "End-grain walnut, oiled by hand.",
        "category": "Boards",
        "brand": "Harbor",
        "price": 79.5,
        "currency": "USD",
        "attributes": {"weight_g": 2300},
        "stock": None,
    },
    {
        "id": "K-3",
        "title": "Linen Apron",
        "description": "A washed linen apron with two pockets.",
        "category": "Textiles",
        "brand": "Quay",
        "price": 49.0,
        "sale_price": 39.0,
        "currency": "USD",
        "attributes": {},
        "variants": [
            {"sku": "K-3-S", "size": "S", "color": "Sand", "stock": 4},
            {"sku": "K-3-L", "size": "L", "color": "Sand", "stock": 0},
            {"sku": "K-3-XL", "size": "XL", "color": "Moss", "price": 55.0, "stock": None},
        ],
    },
    {
        "id": "K-4",
        "title": "Chef's Knife 20",
        "description": "Forged steel, 20 cm blade, pakkawood handle.",
        "category": "Knives",
        "brand": "Quay",
        "price": 149.0,
        "currency": "USD",
        "attributes": {"blade_cm": 20, "steel": "VG-10"},
        "stock": 7,
    },
    {
        "id": "K-5",
        "title": "Chef's Knife 16",
        "description": "Forged steel, 16 cm blade, pakkawood handle.",
        "category": "Knives",
        "brand": "Quay",
        "price": 119.0,
        "currency": "USD",
        "attributes": {"blade_cm": 16, "steel": "VG-10"},
        "stock": 0,
    },
    {
        "id": "K-6",
        "title": "Tea Towel",
        "description": "Cotton, woven in Harbor town.",
        "category": "Textiles",
        "brand": "Quay",
        "price": 12.0,
        "currency": "USD",
        "stock": 100,
    },
    {
        "id": "K-7",
        "title": "Tea Towel",
        "description": "Cotton, woven in Harbor town.",
        "category": "Textiles",
        "brand": "Quay",
        "price": 14.0,
        "currency": "USD",
        "stock": 50,
    },
    {"id": "K-8", "title": "Mystery Box"},
]
"""Eight kitchen goods; K-6 and K-7 have the same text, K-8 says nothing but its name."""

FILES = {
    "shop.yaml": """
name: Harbor Kitchen
tagline: "Cook by the sea."
assistant_name: Harbor Helper
currency: USD
locale: en-US
languages: [en]
timezone: America/New_York
contact: {email: help@harbor.example, phone: "+1 555 0100", hours: "Mon-Fri"}
address: {city: Harbor}
website: https://harbor.example
sample_questions: ["How much is the apron?"]
greeting: "Hi."
""",
    "policies/returns.md": """---
id: returns
title: Returns
summary: Thirty days.
---

## Return window {#returns.window}

You have 30 days from delivery to send goods back.

## Return label {#returns.label}

The label costs $4.50.
""",
    "policies/shipping.md": """---
id: shipping
title: Shipping
summary: Two days.
---

## Shipping costs {#shipping.costs}

Parcels cost $6.00 and travel for two days.
""",
    "policies/questions.yaml": """
returns.window: ["How long may I return something?", "return deadline"]
shipping.costs: ["What does delivery cost?"]
""",
    "size_guides/aprons.md": """---
id: size-aprons
title: Apron sizes
summary: Apron sizes.
---

## Apron size chart {#size-aprons.chart}

| Size | Height |
| --- | --- |
| S | up to 165 cm |
""",
    "voice.md": "Warm and brief.\n",
    "promotions.yaml": """
promotions:
  - {id: knives, title: Knife week, text: 10% off knives, starts: 2026-05-01, ends: 2026-05-07, approved: true}
""",
    "routes.yaml": "product: [how much is it]\npolicy: [can I return it]\n",
    "phrases.yaml": 'hello: "Hello from {shop}."\n',
}


def write_shop(folder: Path, products: Sequence[dict[str, Any]] = PRODUCTS, **changed: str | None) -> Path:
    """Write the shop's folder; `changed` replaces files by path, None leaves one out."""
    for name, text in {**FILES, **changed}.items():
        if text is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    write_feed(folder / "catalog.jsonl", products)
    return folder


def write_feed(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def changed_product(product_id: str, **changes: Any) -> list[dict[str, Any]]:
    return [{**row, **changes} if row["id"] == product_id else row for row in PRODUCTS]


def public_feed(name: str) -> Path:
    """Return a feed kept outside the repository, or skip the test."""
    path = PUBLIC_DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is not there; see SHOPBOT_TEST_PUBLIC_DATA")
    return path


def migrated_to(revision: str, url: str) -> Engine:
    """Open a database as the shopbot of an earlier schema left it."""
    from alembic import command

    if (path := make_url(url).database) and url.startswith("sqlite"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), revision)
    return engine


def at(moment: datetime) -> Callable[[], datetime]:
    """Return a clock that stands still."""
    return lambda: moment
