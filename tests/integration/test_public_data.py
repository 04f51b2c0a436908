"""Catalogs that nobody wrote for us: the price that is answered is the feed's, product by product."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.wiring import ingest_feed, open_store
from shopbot.embedding import Embedder
from shopbot.settings import Settings
from tests.fakes_data import public_feed

pytestmark = [pytest.mark.model, pytest.mark.public_data]
ASKED = 15


def chosen(feed: Path) -> list[dict[str, Any]]:
    """Fifteen products spread over the feed, none of which shares its title with another."""
    rows = [json.loads(line) for line in feed.read_text(encoding="utf-8").splitlines()]
    titles = Counter(row["title"] for row in rows)
    unique = [row for row in rows if titles[row["title"]] == 1]
    return unique[:: len(unique) // ASKED][:ASKED]


@pytest.fixture(scope="module", params=["eshop_products.jsonl", "dummyjson_products.jsonl"])
def foreign(
    request: pytest.FixtureRequest, cairn_home: Path, embedder: Embedder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A foreign feed and a home in which it has been published."""
    feed = public_feed(request.param)
    home = Path(shutil.copytree(cairn_home, tmp_path_factory.mktemp("foreign") / "home"))
    store = open_store(Settings(_env_file=None, home=home), embedder)  # type: ignore[call-arg]
    report = ingest_feed(store, feed, lambda *_: None)
    store.database.dispose()
    assert report.products == len(feed.read_text(encoding="utf-8").splitlines())
    return feed, home


def test_the_price_of_a_foreign_catalog_is_the_feeds(foreign: tuple[Path, Path], assistant: Any) -> None:
    feed, home = foreign
    asked = assistant(home=home)
    wrong = {}
    for row in chosen(feed):
        result = asked.ask(f"How much is the {row['title']}?")
        found = re.findall(r"\$([\d,]+\.\d\d)", result.answer)
        if (found, result.product_ids) != ([f"{row['price']:,.2f}"], (row["id"],)):
            wrong[row["title"]] = (row["id"], row["price"], result.answer)
    assert wrong == {}


def test_the_stock_is_the_feeds_and_never_made_up(foreign: tuple[Path, Path], assistant: Any) -> None:
    feed, home = foreign
    asked = assistant(home=home)
    wrong = {}
    for row in chosen(feed):
        answer = asked.ask(f"Is the {row['title']} in stock?").answer
        stock = row["stock"]
        expected = "to be confirmed" if stock is None else f"with {stock} left" if stock else "sold out"
        if expected not in answer:
            wrong[row["title"]] = (stock, answer)
    assert wrong == {}
