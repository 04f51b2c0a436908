"""The verifier over the whole sample catalog: every true sentence passes, no sentence with a changed figure does."""

import random
import re
from datetime import UTC, datetime
from functools import cache

import pytest

from graph.lexicon import Lexicon
from graph.verify import check
from ingest.feed import read_feed
from shopbot.settings import REPOSITORY
from shopbot.shop import load_shop
from shopbot.statements import Source, policy_source, product_source
from shopbot.types import Fact, Product, ProductFacts

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHOP = load_shop(REPOSITORY / "data" / "cairn")
FIGURE = re.compile(r"\d+(?:\.\d+)?")


@cache
def catalog() -> tuple[dict[str, Product], dict[str, ProductFacts]]:
    feed = read_feed(SHOP.catalog_feed, "USD", NOW)
    by_article: dict[str, dict[str, Fact]] = {}
    for item in feed.facts:
        values = {"currency": "USD", "price_as_of": NOW, "stock_as_of": NOW, **item.changes}
        by_article.setdefault(item.article_id, {})[item.sku] = Fact(article_id=item.article_id, sku=item.sku, **values)
    facts = {article: ProductFacts(own=found.pop(""), variants=found) for article, found in by_article.items()}
    return {product.id: product for product in feed.products}, facts


@cache
def lexicon() -> Lexicon:
    return Lexicon(catalog()[0], {section.id: section for section in SHOP.policies})


def sources() -> list[Source]:
    products, facts = catalog()
    found = [product_source(1, product, facts[product.id], "en-US") for product in products.values()]
    return found + [policy_source(1, section) for section in SHOP.policies]


def test_every_statement_of_every_record_passes_its_own_check() -> None:
    held = [
        (statement.text, outcome.finding)
        for source in sources()
        for statement in source.statements
        if not (outcome := check(f"{statement.text} [1]", {1: source}, lexicon())).passed
    ]
    assert held == []


def test_no_statement_passes_with_one_of_its_figures_changed() -> None:
    """About 2,700 sentences, one figure each changed at random (seeded), the product's name left alone."""
    chance = random.Random(20261121)
    changed = leaked = 0
    for source in sources():
        for statement in source.statements:
            body = statement.text.replace(source.title, "@@")
            if not (figures := list(FIGURE.finditer(body))):
                continue
            figure = chance.choice(figures)
            other = str(int(float(figure.group())) + chance.choice([1, 3, 10]))
            lie = (body[: figure.start()] + other + body[figure.end() :]).replace("@@", source.title)
            changed += 1
            leaked += check(f"{lie} [1]", {1: source}, lexicon()).passed and not is_true_all_the_same(lie, source)
    assert changed > 2000
    assert leaked == 0


def is_true_all_the_same(sentence: str, source: Source) -> bool:
    """A changed figure can hit another true sentence: the next step of a list, another size's row."""
    return any(statement.text == sentence for statement in source.statements)


@pytest.mark.parametrize("asked", ["how much is the {}?", "is the {} in stock", "{} price pls"])
def test_every_product_is_found_by_its_title(asked: str) -> None:
    products, _ = catalog()
    wrong = {
        product.title: named
        for product in products.values()
        if (named := lexicon().mentions(asked.format(product.title.lower()))) != [[product.id]]
    }
    assert wrong == {}
