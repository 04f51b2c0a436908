"""How good is the check itself? Right answers, written by people, and the same made wrong by rule.

An answer is accepted if every sentence of it passes. A corrupted one is caught if its wrong sentence is held back; it
counts as *caught for its own sake* only if the sentence had passed while it was right, since a check that refuses
everything catches everything.
"""

import json
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from evals.cases import FOLDER, SETS
from evals.corruptions import Answer, Shop, corruptions
from evals.oracle import read_records, unfounded
from graph.frames import Setting, check_frame
from graph.lexicon import Lexicon
from graph.verify import Check, check
from ingest.feed import read_feed
from shopbot.errors import ConfigError
from shopbot.language import split_sentences
from shopbot.order_statements import order_source
from shopbot.orders import Order
from shopbot.references import references
from shopbot.shop import Shop as ShopFolder
from shopbot.statements import Source, policy_source, product_source
from shopbot.types import Fact, Product, ProductFacts

SEED = 20261121
_STEP_NUMBER = re.compile(r"\d+\.")  # the application numbers steps by itself, whatever the model writes
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Judged:
    """One sentence with what the check says of it, in milliseconds; `kind` is None for a right one."""

    answer: Answer
    at: int
    kind: str | None
    finding: str | None
    took_ms: float
    was_right: bool = True

    @property
    def passed(self) -> bool:
        return self.finding is None


@dataclass(frozen=True)
class Measured:
    """All sentences of a set: of the right answers, and the wrong one of every corrupted answer."""

    right: tuple[Judged, ...]
    wrong: tuple[Judged, ...]
    dropped: Mapping[str, int]


def read_answers(name: str) -> list[Answer]:
    """Read a set of right answers. Raises ConfigError naming file and line."""
    if name not in SETS:
        raise ConfigError(f"no set {name!r} of answers; there are: {', '.join(SETS)}")
    path = FOLDER / name / "answers.jsonl"
    answers = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            sentences = [part for part in split_sentences(row["answer"]) if not _STEP_NUMBER.fullmatch(part)]
            answers.append(Answer(id=row["id"], records=row["records"], sentences=tuple(sentences)))
        except (ValueError, KeyError, ValidationError) as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
    return answers


class Bench:
    """The check over one shop's records, as its files have them."""

    def __init__(self, shop: ShopFolder) -> None:
        self.records = read_records(shop.catalog_feed, shop.orders, shop.policies)
        self._locale, self._zone = shop.config.locale, ZoneInfo(shop.config.timezone)
        self._products, self._facts = read_catalog(shop)
        self._sections = {section.id: section for section in shop.policies}
        self._orders = _read_orders(shop.orders)
        self._lexicon = Lexicon(self._products, self._sections)

    def measure(self, answers: Sequence[Answer], progress: Progress) -> Measured:
        """Check all right answers, and every corruption of them that the rules know."""
        right: list[Judged] = []
        wrong: list[Judged] = []
        shop = Shop(self.records, random.Random(SEED))
        for number, answer in enumerate(answers, start=1):
            told = self._judged(answer, None, {})
            right += told
            for made in corruptions(answer, shop):
                judged = self._judged(made.answer, made.kind, made.prices)[made.at]
                wrong.append(replace(judged, was_right=told[made.at].passed))
            progress("answers", number, len(answers))
        return Measured(tuple(right), tuple(wrong), dict(shop.dropped))

    def defects(self, answers: Iterable[Answer]) -> list[tuple[str, list[str]]]:
        """What the oracle does not find in the records, of answers that are labelled right; there should be none."""
        found = ((s, unfounded(s, [self.records[key] for key in a.records])) for a in answers for s in a.sentences)
        return [(sentence, missing) for sentence, missing in found if missing]

    def _judged(self, answer: Answer, kind: str | None, prices: Mapping[str, float]) -> list[Judged]:
        """Check an answer's sentences in their order, as a turn does: "it" is the record of the one before."""
        sources = {n: self._source(n, key, prices) for n, key in enumerate(answer.records, start=1)}
        previous: Check | None = None
        judged = []
        for at, sentence in enumerate(answer.sentences):
            started = time.perf_counter()
            outcome = self._checked(sentence, sources, previous)
            took_ms = (time.perf_counter() - started) * 1000
            previous = outcome if outcome.passed else previous
            judged.append(Judged(answer, at, kind, outcome.finding and outcome.finding.name.lower(), took_ms))
        return judged

    def _checked(self, sentence: str, sources: Mapping[int, Source], previous: Check | None) -> Check:
        if references(sentence):
            before = previous.source if previous else None
            return check_frame(sentence, Setting(sources, self._lexicon, self._locale, previous=before))[0]
        return check(sentence, sources, self._lexicon, previous)

    def _source(self, number: int, key: str, prices: Mapping[str, float]) -> Source:
        if key in self._sections:
            return policy_source(number, self._sections[key])
        if key in self._orders:
            return order_source(number, self._orders[key], self._locale, self._zone)
        facts = _repriced(self._facts[key], prices.get(key))
        return product_source(number, self._products[key], facts, self._locale)


def read_catalog(shop: ShopFolder) -> tuple[dict[str, Product], dict[str, ProductFacts]]:
    """The shop's products and the facts that its feed comes with, confirmed now."""
    now = datetime.now(tz=ZoneInfo("UTC"))
    feed = read_feed(shop.catalog_feed, shop.config.currency, now)
    by_article: dict[str, dict[str, Fact]] = {}
    for row in feed.facts:
        values: dict[str, Any] = {"price_as_of": now, "stock_as_of": now, "currency": shop.config.currency}
        fact = Fact(article_id=row.article_id, sku=row.sku, **{**values, **row.changes})
        by_article.setdefault(row.article_id, {})[row.sku] = fact
    facts = {article: ProductFacts(own=found.pop(""), variants=found) for article, found in by_article.items()}
    return {product.id: product for product in feed.products}, facts


def _read_orders(path: Path) -> dict[str, Order]:
    orders = [Order.model_validate(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    return {order.id: order for order in orders}


def _repriced(facts: ProductFacts, price: float | None) -> ProductFacts:
    if price is None:
        return facts
    changed = {"price_minor": round(price * 100), "sale_price_minor": None}
    return facts.model_copy(update={"own": facts.own.model_copy(update=changed)})
