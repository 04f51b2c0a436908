"""The composition root: settings in, everything wired out. Nothing below `app` builds its own dependencies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from langgraph.graph.state import CompiledStateGraph
from sqlalchemy import Engine

from app.chat import ChatService
from graph.build import build_graph
from graph.deps import Deps, Turn, check_material
from graph.routing import Route, Router
from graph.state import State
from ingest.pipeline import IngestReport, ingest, initialise_home
from shopbot.catalog import Catalog
from shopbot.chat_models import ServedModel, build_served_model, warm_up
from shopbot.database import open_database, utc_now
from shopbot.embedding import Embedder, load_embedder
from shopbot.facts import Facts
from shopbot.index import IndexLocation
from shopbot.orders import seed_orders
from shopbot.prompts import load_prompt
from shopbot.search import FusionWeights
from shopbot.settings import Settings
from shopbot.shop import Shop, load_shop

Progress = Callable[[str, int, int], None]


@dataclass
class Store:
    """What every command needs: the shop, the state of this home, and the way into the catalog."""

    settings: Settings
    shop: Shop
    database: Engine
    embedder: Embedder
    location: IndexLocation
    catalog: Catalog
    facts: Facts


@dataclass
class Services:
    """What answering needs on top: models, the graph and the runs."""

    store: Store
    deps: Deps
    graph: CompiledStateGraph[State, Turn, State, State]
    chat: ChatService


def open_store(settings: Settings, embedder: Embedder | None = None) -> Store:
    """Open state without loading a language model; `embedder` where the caller has loaded it already.

    Raises ConfigError for a shop folder or home that cannot be used.
    """
    shop = load_shop(settings.shop)
    database = open_database(settings)
    embedder = embedder or load_embedder(settings.embedder)
    location = IndexLocation(settings.home, settings.chroma_url)
    return Store(
        settings,
        shop,
        database,
        embedder,
        location,
        Catalog(database, embedder, location),
        Facts(database, utc_now),
    )


def initialise(store: Store, progress: Progress) -> None:
    """Publish the shop's own catalog, and take over its sample orders, in a home that has none yet."""
    seed_orders(store.database, store.shop.customers, store.shop.orders)
    initialise_home(store.shop, store.database, store.embedder, store.location, progress)


def ingest_feed(store: Store, feed: Path | None, progress: Progress, as_of: datetime | None = None) -> IngestReport:
    """Publish a feed, by default the shop's own; see `ingest.pipeline.ingest` for what it raises."""
    feed = feed or store.shop.catalog_feed
    return ingest(feed, store.shop, store.database, store.embedder, store.location, progress, as_of)


def open_services(settings: Settings, progress: Progress) -> Services:
    """Open everything; a home without a catalog initialises itself with the shop's own."""
    store = open_store(settings)
    initialise(store, progress)
    progress("loading the model", 0, 1)
    model = build_served_model(settings, "base")
    warm_up(model)
    progress("loading the model", 1, 1)
    return wire(store, model)


def wire(store: Store, model: ServedModel) -> Services:
    """Put a store and a model together; whatever keeps the protocol fits."""
    settings = store.settings
    check_material(store.shop)
    deps = Deps(
        shop=store.shop,
        catalog=store.catalog,
        facts=store.facts,
        embedder=store.embedder,
        models={"base": model},
        prompts={
            route: load_prompt(route).capped(settings.answer_max_tokens) for route in (Route.PRODUCT, Route.POLICY)
        },
        router=Router({Route(name): texts for name, texts in store.shop.routes.items()}, store.embedder),
        weights=FusionWeights(settings.dense_weight, settings.keyword_weight),
        question_max_chars=settings.question_max_chars,
        clock=utc_now,
    )
    graph = build_graph()
    return Services(store, deps, graph, ChatService(store.database, graph, deps))
