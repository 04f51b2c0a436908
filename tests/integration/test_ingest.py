"""Feeds on their way into a temporary home, through a real Chroma and a real SQLite."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, delete, func, select

from ingest.feed import read_feed
from ingest.pipeline import IngestReport, ingest, initialise_home
from ingest.plan import indexed, plan_records
from ingest.publish import KEPT_VERSIONS, collect_garbage, discard, publish, start_version, write_records
from shopbot.catalog import Catalog, active_version_id, line_id, policy_vectors
from shopbot.database import open_database, writing
from shopbot.embedding import Embedder, Progress, Vectors, load_embedder
from shopbot.errors import CatalogEmpty, FeedError, IndexMismatch, InputError
from shopbot.facts import Facts, FactUpdate
from shopbot.index import KINDS, METRIC, Index, IndexLocation, Manifest
from shopbot.intents import examples_of, fit_intents
from shopbot.search import FusionWeights, search_policies, search_products
from shopbot.shop import Shop, load_shop
from shopbot.tables import catalog_versions, records
from tests.fakes_data import (
    DIMENSION,
    FILES,
    NOON,
    PRODUCTS,
    ROOT,
    HashEmbedder,
    at,
    changed_product,
    public_feed,
    write_feed,
    write_shop,
)

BOTH = FusionWeights(1, 2)


@dataclass
class Home:
    """A temporary home with its shop, and what an ops person would do with it."""

    folder: Path
    shop: Shop
    engine: Engine
    location: IndexLocation
    embedder: HashEmbedder

    def ingest(self, rows: Sequence[dict[str, Any]] = PRODUCTS, **options: Any) -> IngestReport:
        return self.ingest_file(write_feed(self.folder / "feed.jsonl", rows), **options)

    def ingest_file(self, feed: Path, embedder: Embedder | None = None, **options: Any) -> IngestReport:
        return ingest(feed, self.shop, self.engine, embedder or self.embedder, self.location, **options)

    def catalog(self, embedder: Embedder | None = None) -> Catalog:
        return Catalog(self.engine, embedder or self.embedder, self.location)

    def facts(self, now: datetime = NOON) -> Facts:
        return Facts(self.engine, at(now))

    def sections(self, query: str, embedder: Embedder | None = None) -> list[str]:
        """The ids of all policy sections, those first that fit a message best."""
        embedder = embedder or self.embedder
        version = self.catalog(embedder).active()
        meant = fit_intents(examples_of(self.shop, version.policies.values()), embedder)
        vectors = embedder.embed([query])
        return [
            hit.id
            for hit in search_policies(version, query, vectors[0], meant.read([query], vectors), len(version.policies))
        ]

    def states(self) -> list[str]:
        with self.engine.connect() as connection:
            query = select(catalog_versions.c.state).order_by(catalog_versions.c.created_at, catalog_versions.c.id)
            return list(connection.scalars(query))

    def versions_with_records(self) -> set[str]:
        with self.engine.connect() as connection:
            return set(connection.scalars(select(records.c.version_id).distinct()))

    def versions_with_index(self) -> set[str]:
        return {path.name for path in (self.folder / "index").iterdir()}


def open_home(folder: Path) -> Home:
    shop = load_shop(write_shop(folder / "shop"))
    engine = open_database(f"sqlite:///{folder}/home/shopbot.sqlite3")
    return Home(folder / "home", shop, engine, IndexLocation(folder / "home"), HashEmbedder())


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = open_home(tmp_path)
    yield home
    home.engine.dispose()


def found(home: Home, query: str, catalog: Catalog | None = None) -> list[str]:
    version = (catalog or home.catalog()).active()
    return [hit.id for hit in search_products(version, home.embedder, query, 3, BOTH)]


def test_a_home_without_a_catalog_says_so(home: Home) -> None:
    with pytest.raises(CatalogEmpty, match="ingest"):
        home.catalog().active()


def test_a_published_feed_is_found_by_words_and_meaning(home: Home) -> None:
    report = home.ingest()
    assert (report.changed, report.products, report.sections) == (True, 8, 4)
    version = home.catalog().active()
    assert version.version_id == report.version_id
    assert list(version.products) == [row["id"] for row in PRODUCTS]
    assert version.products["K-1"].attributes["best_for"] == ["sauces", "caramel"]
    assert found(home, "copper saucepan")[0] == "K-1"
    assert found(home, "K-5")[0] == "K-5"
    assert home.sections("return deadline")[0] == "returns.window"
    assert home.sections("two days travel")[0] == "shipping.costs"


def test_each_text_is_embedded_once_and_twins_are_found_together(home: Home) -> None:
    """K-6 and K-7 differ in price only: one vector serves both."""
    report = home.ingest()
    assert len(set(home.embedder.embedded)) == len(home.embedder.embedded)
    assert report.embedded == 7 + 4 + 4  # texts of products, sections and lines
    version = home.catalog().active()
    assert version.twins == {"K-6": ("K-7",)}
    assert version.manifest.counts == {"products": 7, "policies": 8}
    assert found(home, "tea towel")[:2] == ["K-6", "K-7"]


def test_the_same_feed_twice_changes_nothing(home: Home) -> None:
    first = home.ingest()
    home.facts().apply([FactUpdate("K-1", "", {"stock": 3}, NOON - timedelta(days=9000))], "old")
    before = home.facts().read(["K-1"])
    home.embedder.embedded.clear()
    second = home.ingest()
    assert (False, first.version_id, 0) == (second.changed, second.version_id, second.embedded)
    assert home.embedder.embedded == []
    assert before == home.facts().read(["K-1"])
    assert home.states() == ["ready"]


def test_one_changed_description_embeds_one_text(home: Home) -> None:
    home.ingest()
    home.embedder.embedded.clear()
    report = home.ingest(changed_product("K-2", description="End-grain teak."))
    assert (report.embedded, report.carried_over) == (1, 14)
    assert home.embedder.embedded == ["Walnut Chopping Board. Harbor Boards End-grain teak."]
    assert found(home, "teak")[0] == "K-2"
    version = home.catalog().active()
    stored = version.index.vectors("products", ["K-1"])[0]
    assert np.allclose(
        stored, home.embedder.embed(["Copper Saucepan. Harbor Cookware A heavy copper saucepan with a tin lining."])[0]
    )


def test_a_changed_price_embeds_nothing_and_is_live(home: Home) -> None:
    home.ingest(clock=at(NOON))
    home.embedder.embedded.clear()
    report = home.ingest(changed_product("K-1", price=99.0), clock=at(NOON + timedelta(hours=1)))
    assert (report.changed, report.embedded) == (True, 0)
    assert home.facts().read(["K-1"])["K-1"].own.price_minor == 9900


def change_policies(home: Home, **files: str) -> None:
    home.shop = load_shop(write_shop(home.folder.parent / "shop", **files))


def test_a_changed_question_is_published_and_embeds_nothing(home: Home) -> None:
    """Questions are examples for the classifier; the index holds what sections say."""
    home.ingest()
    questions = FILES["policies/questions.yaml"].replace("return deadline", "last day to return")
    change_policies(home, **{"policies/questions.yaml": questions})
    home.embedder.embedded.clear()
    report = home.ingest()
    assert (report.changed, report.embedded, report.carried_over) == (True, 0, 15)
    assert home.embedder.embedded == []
    asked = home.catalog().active().policies["returns.window"].questions
    assert asked == ("How long may I return something?", "last day to return")


RULES = "You have 30 days from delivery to send goods back. Sale items are included.\n\n1. Print the label."


def test_a_changed_rule_embeds_its_section_and_itself(home: Home) -> None:
    policy = FILES["policies/returns.md"].replace("You have 30 days from delivery to send goods back.", RULES)
    change_policies(home, **{"policies/returns.md": policy})
    home.ingest()
    change_policies(home, **{"policies/returns.md": policy.replace("Sale items are", "Nothing on sale is")})
    home.embedder.embedded.clear()
    report = home.ingest()
    assert (report.embedded, report.carried_over) == (2, 15)
    changed = RULES.replace("Sale items are", "Nothing on sale is")
    assert home.embedder.embedded == [f"Return window. {changed}", "Return window: Nothing on sale is included."]
    assert home.sections("anything on sale")[0] == "returns.window"


def test_a_rule_in_front_carries_the_others_over_under_their_new_numbers(home: Home) -> None:
    """A line's id is its place: a vector that stayed behind under an old id would answer for another rule."""
    home.ingest()
    policy = FILES["policies/returns.md"].replace("You have 30", "Keep the box. You have 30")
    change_policies(home, **{"policies/returns.md": policy})
    report = home.ingest()
    assert (report.embedded, report.carried_over) == (2, 14)
    stored = home.catalog().active().index.vectors("policies", ["returns.window#1", "returns.window#2"])
    lines = ["Return window: Keep the box.", "Return window: You have 30 days from delivery to send goods back."]
    assert np.allclose(stored, home.embedder.embed(lines), atol=1e-6)


def test_the_policy_vectors_of_a_version_are_those_of_its_sections_and_lines(home: Home) -> None:
    policy = FILES["policies/returns.md"].replace("You have 30 days from delivery to send goods back.", RULES)
    change_policies(home, **{"policies/returns.md": policy})
    report = home.ingest()
    found = home.catalog().active().policy_vectors
    expected = policy_vectors(home.shop.policies, home.embedder)
    assert found.sections == expected.sections == tuple(section.id for section in home.shop.policies)
    assert found.owners.tolist() == expected.owners.tolist() == [0, 0, 0, 1, 2, 3]
    assert np.allclose(found.texts, expected.texts, atol=1e-6)
    assert np.allclose(found.lines, expected.lines, atol=1e-6)
    lines = select(records.c.record_id, records.c.payload).where(records.c.kind == "line")
    with home.engine.connect() as connection:
        kept = connection.execute(lines.where(records.c.version_id == report.version_id).order_by(records.c.ordinal))
        assert [(key, payload["text"]) for key, payload in kept][:4] == [
            (line_id("returns.window", 0), "You have 30 days from delivery to send goods back."),
            (line_id("returns.window", 1), "Sale items are included."),
            (line_id("returns.window", 2), "Print the label."),
            (line_id("returns.label", 0), "The label costs $4.50."),
        ]


def test_the_same_rule_in_several_sections_is_embedded_once_a_heading_and_found_in_each(home: Home) -> None:
    text = "The label costs $4.50. The label costs $4.50."
    policy = FILES["policies/returns.md"].replace("The label costs $4.50.", text)
    change_policies(home, **{"policies/returns.md": policy.replace("send goods back.", f"send goods back. {text}")})
    report = home.ingest()
    assert report.embedded == 7 + 4 + 5  # lines: each heading once with the cost, the other three
    vectors = home.catalog().active().policy_vectors
    assert vectors.owners.tolist() == [0, 0, 0, 1, 1, 2, 3]
    assert (vectors.lines[1] == vectors.lines[2]).all()
    assert (vectors.lines[3] == vectors.lines[4]).all()


def publish_as_before_lines(home: Home) -> None:
    """Publish a version with questions in place of lines, as migration 0002 leaves it: their vectors without rows."""
    read = read_feed(write_feed(home.folder / "feed.jsonl", PRODUCTS), "USD", NOON)
    planned = [item for item in plan_records(read.products, home.shop.policies, home.embedder) if item.kind != "line"]
    vectors = {kind: {i.id: i.text for i in indexed(planned) if i.collection == kind} for kind in KINDS}
    for section in home.shop.policies:
        vectors["policies"] |= {f"{section.id}#q{place}": text for place, text in enumerate(section.questions, start=1)}
    index = home.location.create("before", home.embedder)
    for kind, texts in vectors.items():
        index.add(kind, list(texts), list(home.embedder.embed(list(texts.values()))))
    index.close()
    manifest = Manifest(
        embedder=home.embedder.name,
        revision=home.embedder.revision,
        dimension=DIMENSION,
        metric=METRIC,
        counts={kind: len(texts) for kind, texts in vectors.items()},
        content_hash="",
    )
    start_version(home.engine, "before", read.source, "of questions", NOON)
    write_records(home.engine, "before", planned)
    publish(home.engine, "before", manifest, read, NOON)


QUESTIONS = FILES["policies/questions.yaml"]


@pytest.mark.parametrize(
    ("questions", "named"),
    [
        (QUESTIONS, r"'policies': 8\}, manifest \{'products': 7, 'policies': 7\}; .*shopbot ingest run"),
        (f"{QUESTIONS}returns.label: [who pays]\n", "no vector for 4 records"),
    ],
)
def test_a_version_from_before_lines_is_not_opened_and_lends_its_vectors_to_the_next(
    home: Home, questions: str, named: str
) -> None:
    """Even where it happens to have as many questions as lines: their vectors must not pass for each other."""
    change_policies(home, **{"policies/questions.yaml": questions})
    publish_as_before_lines(home)
    with pytest.raises(IndexMismatch, match=named):
        home.catalog().active()
    home.embedder.embedded.clear()
    report = home.ingest()
    assert (report.changed, report.carried_over, report.embedded) == (True, 7 + 4, 4)
    assert [text for text in home.embedder.embedded if text.startswith("Return window: You have")] != []
    assert home.sections("return deadline")[0] == "returns.window"
    assert found(home, "copper saucepan")[0] == "K-1"


def test_a_product_that_left_the_feed_is_gone_and_a_new_one_is_there(home: Home) -> None:
    home.ingest()
    home.ingest([*PRODUCTS[1:], {"id": "K-9", "title": "Copper Kettle"}])
    version = home.catalog().active()
    assert "K-1" not in version.products
    assert found(home, "copper kettle")[0] == "K-9"


def test_facts_of_the_feed_have_the_time_of_the_ingest_and_unknowns_override(home: Home) -> None:
    home.ingest(clock=at(NOON))
    fact = home.facts().read(["K-1"])["K-1"].own
    assert (fact.price_minor, fact.stock, fact.as_of) == (12900, 12, NOON)
    home.ingest(changed_product("K-1", stock=None), clock=at(NOON + timedelta(hours=1)))
    assert home.facts().read(["K-1"])["K-1"].own.stock is None


def test_a_live_fact_that_is_newer_than_the_feed_is_kept(home: Home) -> None:
    home.ingest(clock=at(NOON))
    home.facts().apply([FactUpdate("K-1", "", {"stock": 1}, NOON + timedelta(minutes=2))], "till")
    home.ingest(changed_product("K-1", description="New."), clock=at(NOON + timedelta(minutes=1)))
    assert home.facts().read(["K-1"])["K-1"].own.stock == 1
    home.ingest(changed_product("K-1", description="Newer."), as_of=NOON, clock=at(NOON + timedelta(hours=1)))
    assert home.facts().read(["K-1"])["K-1"].own.stock == 1


def test_a_feed_from_the_future_is_refused(home: Home) -> None:
    with pytest.raises(InputError, match="future"):
        home.ingest(as_of=NOON + timedelta(minutes=6), clock=at(NOON))


def test_a_variant_that_left_the_feed_no_longer_counts(home: Home) -> None:
    home.ingest(clock=at(NOON))
    apron = next(row for row in PRODUCTS if row["id"] == "K-3")
    fewer = changed_product("K-3", variants=apron["variants"][:1])
    home.ingest(fewer, clock=at(NOON + timedelta(hours=1)))
    assert home.facts().read(["K-3"])["K-3"].variants.keys() == {"K-3-S"}
    assert home.facts().read(["K-3"])["K-3"].stock == 4


def test_a_wrong_row_publishes_nothing(home: Home) -> None:
    first = home.ingest()
    with pytest.raises(FeedError, match="line 1, field 'price'"):
        home.ingest(changed_product("K-1", price=-5))
    assert active_version_id(home.engine) == first.version_id
    assert home.states() == ["ready"]


class FailingEmbedder(HashEmbedder):
    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        raise MemoryError("out of memory")


def break_adding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Index, "add", _raise(OSError("disk full")))


def break_publishing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.publish._point_at", _raise(RuntimeError("power cut")))


def break_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.pipeline.write_records", _raise(RuntimeError("database is locked")))


def break_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.pipeline.verify_version", _raise(KeyboardInterrupt()))


def _raise(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("broken", [break_adding, break_publishing, break_records, break_interrupt])
def test_a_failure_leaves_the_old_version_active_and_nothing_behind(
    home: Home, monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch], None]
) -> None:
    first = home.ingest(clock=at(NOON))
    with monkeypatch.context() as patches:
        broken(patches)
        with pytest.raises((OSError, RuntimeError, KeyboardInterrupt)):
            home.ingest(changed_product("K-1", title="Kettle", price=1.0), clock=at(NOON + timedelta(hours=1)))
    assert active_version_id(home.engine) == first.version_id
    assert {first.version_id} == home.versions_with_records() == home.versions_with_index()
    assert home.states() == ["ready", "discarded"]
    assert home.facts().read(["K-1"])["K-1"].own.price_minor == 12900
    assert found(home, "copper saucepan")[0] == "K-1"
    assert home.ingest(changed_product("K-1", title="Kettle")).changed


def test_a_failing_embedder_leaves_the_old_version_active(home: Home) -> None:
    first = home.ingest()
    feed = write_feed(home.folder / "feed.jsonl", changed_product("K-1", title="Kettle"))
    with pytest.raises(MemoryError):
        home.ingest_file(feed, embedder=FailingEmbedder())
    assert active_version_id(home.engine) == first.version_id
    assert home.versions_with_index() == {first.version_id}


def test_an_interrupt_just_after_the_publish_does_not_discard_it(home: Home) -> None:
    report = home.ingest()
    discard(home.engine, home.location, report.version_id)
    assert found(home, "copper saucepan")[0] == "K-1"
    assert home.states() == ["ready"]


def test_vectors_under_the_wrong_ids_do_not_pass_verification(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    add = Index.add

    def add_reversed(index: Index, kind: Any, ids: Any, vectors: Any, sections: Any = None) -> None:
        add(index, kind, ids, vectors[::-1], sections)

    monkeypatch.setattr(Index, "add", add_reversed)
    with pytest.raises(IndexMismatch, match="not found by its own vector"):
        home.ingest()
    assert home.states() == ["discarded"]
    assert home.versions_with_index() == set()


@pytest.mark.parametrize(
    ("lost", "named"), [("products", "6 products, expected 7"), ("policies", "7 policies, expected 8")]
)
def test_a_lost_vector_does_not_pass_verification(
    home: Home, monkeypatch: pytest.MonkeyPatch, lost: str, named: str
) -> None:
    add = Index.add

    def add_fewer(index: Index, kind: Any, ids: Any, vectors: Any, sections: Any = None) -> None:
        kept = slice(0, -1 if kind == lost else None)
        add(index, kind, ids[kept], vectors[kept], sections[kept] if sections else None)

    monkeypatch.setattr(Index, "add", add_fewer)
    with pytest.raises(IndexMismatch, match=f"holds {named}"):
        home.ingest()


def test_a_pinned_version_answers_the_same_after_a_publish(home: Home) -> None:
    home.ingest()
    catalog = home.catalog()
    pinned = catalog.active()
    before = search_products(pinned, home.embedder, "copper saucepan", 3, BOTH)
    home.ingest(changed_product("K-1", title="Steel Kettle", description="No more copper."))
    assert catalog.active().version_id != pinned.version_id
    assert catalog.active().products["K-1"].title == "Steel Kettle"
    assert before == search_products(pinned, home.embedder, "copper saucepan", 3, BOTH)
    assert pinned.products["K-1"].title == "Copper Saucepan"
    assert catalog.version(pinned.version_id) is pinned


def test_opened_versions_are_shared_and_released(home: Home) -> None:
    home.ingest()
    catalog = home.catalog()
    assert catalog.active() is catalog.active()
    assert len(catalog._opened) == 1
    home.ingest(changed_product("K-1", title="Kettle"))
    catalog.active()
    assert len(catalog._opened) == 1


def test_only_the_newest_versions_are_kept(home: Home) -> None:
    reports = [home.ingest(changed_product("K-1", title=f"Pan {number}")) for number in range(5)]
    kept = {report.version_id for report in reports[-KEPT_VERSIONS:]}
    assert kept == home.versions_with_index() == home.versions_with_records()
    with pytest.raises(IndexMismatch, match="not published"):
        home.catalog().version(reports[0].version_id)


def test_what_a_killed_process_left_is_removed_a_day_later(home: Home) -> None:
    home.ingest(clock=at(NOON))
    start_version(home.engine, "abandoned", "feed", "hash", NOON)
    home.location.create("abandoned", home.embedder).close()
    collect_garbage(home.engine, home.location, NOON + timedelta(hours=23))
    assert "abandoned" in home.versions_with_index()
    collect_garbage(home.engine, home.location, NOON + timedelta(hours=25))
    assert home.versions_with_index() == {active_version_id(home.engine)}


@pytest.mark.parametrize(
    "other",
    [
        HashEmbedder(name="other"),
        HashEmbedder(revision="000000000002"),
    ],
)
def test_another_embedder_is_an_error_that_says_what_to_do(home: Home, other: HashEmbedder) -> None:
    home.ingest()
    with pytest.raises(IndexMismatch, match=r"made with embedder hash .* SHOPBOT_EMBEDDER .* ingest"):
        home.catalog(other).active()


def test_another_embedder_embeds_everything_again(home: Home) -> None:
    first = home.ingest()
    other = HashEmbedder(revision="000000000002")
    report = home.ingest_file(home.folder / "feed.jsonl", embedder=other)
    assert (first.embedded, 0) == (report.embedded, report.carried_over)
    assert "nothing could be carried over" in report.warnings[0]
    assert home.catalog(other).active().manifest.revision == "000000000002"


def test_a_lost_index_is_named_and_rebuilt_by_the_next_ingest(home: Home) -> None:
    report = home.ingest()
    home.location.delete(report.version_id)
    with pytest.raises(IndexMismatch, match=r"missing; ingest"):
        home.catalog().active()
    rebuilt = home.ingest()
    assert rebuilt.changed
    assert found(home, "copper saucepan")[0] == "K-1"


def test_a_manifest_that_disagrees_with_the_index_is_an_error(home: Home) -> None:
    version = (home.ingest(), home.catalog().active())[1]
    manifest = version.manifest
    for wrong in (
        {"metric": "l2"},
        {"counts": {"products": 9, "policies": 8}},
        {"counts": {"products": 7, "policies": 7}},
        {"dimension": 3},
    ):
        with pytest.raises(IndexMismatch):
            home.location.open(version.version_id, manifest.model_copy(update=wrong), home.embedder)
    home.location.open(version.version_id, manifest, home.embedder).close()


def test_records_that_are_being_removed_are_no_catalog(home: Home) -> None:
    """A garbage collection can come between reading the pointer and reading the records."""
    report = home.ingest()
    with writing(home.engine) as connection:
        connection.execute(delete(records).where(records.c.version_id == report.version_id))
    with pytest.raises(IndexMismatch, match="ingest"):
        home.catalog().active()


def test_an_index_with_another_metric_is_an_error(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shopbot.index._configuration", lambda: {"hnsw": {"space": "l2"}})
    with pytest.raises(IndexMismatch, match="metric l2, expected cosine"):
        home.ingest()


def test_a_home_initialises_itself_once(home: Home) -> None:
    steps: list[tuple[str, int, int]] = []

    def watch(step: str, done: int, total: int) -> None:
        steps.append((step, done, total))

    report = initialise_home(home.shop, home.engine, home.embedder, home.location, watch)
    assert report is not None
    assert report.products == len(PRODUCTS)
    assert [step for step, done, total in steps if done == total] == ["embedding", "indexing", "verifying"]
    assert initialise_home(home.shop, home.engine, home.embedder, home.location) is None


def test_readers_see_whole_versions_while_others_are_published(home: Home) -> None:
    """Every product of version n has n in its title: a mixture would show."""

    def rows(number: int) -> list[dict[str, Any]]:
        return [{"id": f"P-{place}", "title": f"Pan {place} v{number}"} for place in range(30)]

    home.ingest(rows(0))
    catalog = home.catalog()
    stop = threading.Event()

    def read() -> set[str]:
        seen = set()
        while not stop.is_set():
            version = catalog.active()
            hits = search_products(version, home.embedder, "pan 7", 5, BOTH)
            titles = {version.products[hit.id].title.split()[-1] for hit in hits}
            assert (len(hits), len(titles)) == (5, 1)
            seen |= titles
        return seen

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        try:
            for number in range(1, 6):
                home.ingest(rows(number))
        finally:
            stop.set()
    seen = set().union(*(reader.result() for reader in readers))
    assert "v0" in seen
    assert len(seen) > 1
    assert catalog.active().products["P-0"].title == "Pan 0 v5"


CHILD = """
import sys
from pathlib import Path
from tests.integration.test_ingest import open_home
from tests.fakes_data import changed_product
home = open_home(Path(sys.argv[1]))
print(home.ingest(changed_product("K-1", title="Kettle from the other process")).carried_over)
"""


def test_another_process_publishes_while_this_one_reads(home: Home) -> None:
    home.ingest()
    catalog = home.catalog()
    assert catalog.active().products["K-1"].title == "Copper Saucepan"
    command = [sys.executable, "-W", "error", "-c", CHILD, str(home.folder.parent)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "14\n"), done.stderr
    assert catalog.active().products["K-1"].title == "Kettle from the other process"
    assert found(home, "kettle", catalog)[0] == "K-1"


KILLED = CHILD.replace(
    "print(",
    """
import time
from ingest import pipeline
pipeline.verify_version = lambda *_: (print("built", flush=True), time.sleep(60))
print(""",
)


def test_a_killed_ingest_harms_nobody(home: Home) -> None:
    first = home.ingest()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(home.folder.parent)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "built\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert home.states() == ["ready", "building"]
    assert home.catalog().active().version_id == first.version_id
    report = home.ingest(changed_product("K-1", title="Kettle"))
    assert found(home, "kettle")[0] == "K-1"
    collect_garbage(home.engine, home.location, NOON + timedelta(days=9000))
    assert home.versions_with_index() == {first.version_id, report.version_id} == home.versions_with_records()


def test_hundreds_of_equal_texts_hide_no_other_product(home: Home) -> None:
    """With a vector each, an HNSW graph loses products that have nothing to do with them."""
    rows = [{"id": f"S-{number}", "title": "Paper Napkin"} for number in range(600)]
    home.ingest([*rows, *PRODUCTS])
    assert found(home, "copper saucepan")[0] == "K-1"
    version = home.catalog().active()
    hits = search_products(version, home.embedder, "paper napkin", 1000, BOTH)
    assert {row["id"] for row in rows} <= {hit.id for hit in hits}


def test_every_record_id_and_policy_id_may_be_the_same(home: Home) -> None:
    home.ingest([*PRODUCTS, {"id": "returns.window", "title": "Window Cleaner"}])
    version = home.catalog().active()
    assert version.products["returns.window"].title == "Window Cleaner"
    assert version.policies["returns.window"].heading == "Return window"


def test_a_version_holds_a_record_for_every_product_section_and_line(home: Home) -> None:
    report = home.ingest()
    query = select(records.c.kind, func.count()).where(records.c.version_id == report.version_id)
    with home.engine.connect() as connection:
        counts = {row[0]: row[1] for row in connection.execute(query.group_by(records.c.kind))}
    assert counts == {"product": 8, "policy": 4, "line": 4}


@pytest.mark.public_data
@pytest.mark.parametrize("name", ["eshop_products.jsonl", "dummyjson_products.jsonl"])
def test_catalogs_that_others_wrote_are_ingested(home: Home, name: str) -> None:
    report = home.ingest_file(public_feed(name))
    version = home.catalog().active()
    assert report.products == len(version.products)
    first = next(iter(version.products.values()))
    assert first.id in found(home, first.title)


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    return load_embedder("minilm")


@pytest.mark.model
def test_the_packaged_embedder_understands_other_words(home: Home, minilm: Embedder) -> None:
    home.ingest_file(write_feed(home.folder / "feed.jsonl", PRODUCTS), embedder=minilm)
    version = home.catalog(minilm).active()
    assert version.manifest.dimension == 384
    hits = search_products(version, minilm, "keep my clothes clean while frying", 3, BOTH)
    assert hits[0].id == "K-3"
    assert home.sections("until when can I send it back?", minilm)[0] == "returns.window"
    assert home.sections("how fast is the parcel", minilm)[0] == "shipping.costs"
    with pytest.raises(IndexMismatch, match="embedder minilm"):
        home.catalog().active()


@pytest.mark.model
def test_the_packaged_embedder_is_normalised_stable_and_thread_safe(minilm: Embedder) -> None:
    texts = [f"text number {number} " * (number % 9 + 1) for number in range(40)]
    vectors = minilm.embed(texts)
    assert vectors.shape == (40, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    with ThreadPoolExecutor(8) as pool:
        alone = list(pool.map(lambda text: minilm.embed([text])[0], texts))
    assert (np.sum(vectors * np.stack(alone), axis=1) > 0.9995).all()
    assert minilm.embed([]).shape == (0, 384)
