"""The composition root: settings in, everything wired out. Nothing below `app` builds its own dependencies."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from langgraph.graph.state import CompiledStateGraph
from sqlalchemy import Engine

from app.chat import ChatService
from app.checkpoints import open_checkpointer
from app.tracing import start_tracing
from graph.build import build_graph
from graph.deps import Deps, Turn, check_material
from graph.routing import Route
from graph.state import State
from ingest.pipeline import IngestReport, ingest, initialise_home
from shopbot.accounts import DEMO_PASSWORD, Accounts, open_secret
from shopbot.adapters import Adapter, open_adapter
from shopbot.catalog import Catalog
from shopbot.chat_models import ServedModel, build_served_model, warm_up
from shopbot.chat_models.convert import BASE_MODEL_NAME
from shopbot.chat_models.decoding import EMBEDDED_ENGINES
from shopbot.database import open_database, utc_now
from shopbot.delivery import DeliveryRates, Destination, read_destinations
from shopbot.embedding import Embedder, load_embedder
from shopbot.errors import ConfigError, ModelError
from shopbot.facts import Facts
from shopbot.index import IndexLocation
from shopbot.intents import Intents, examples_of, open_intents
from shopbot.model_files import BASE_MODEL
from shopbot.order_rules import Figures, OrderRules, read_figures
from shopbot.orders import Customer, Orders, seed_orders
from shopbot.prompts import RolePrompt, Values, load_prompt
from shopbot.search import FusionWeights
from shopbot.settings import Settings
from shopbot.shop import Shop, load_shop
from shopbot.tickets import Tickets
from shopbot.types import PolicySection, Role

Progress = Callable[[str, int, int], None]
LOOPBACK = ("127.0.0.1", "::1", "localhost")
DEMO_CUSTOMERS = 4
DEMO_STAFF: dict[str, Role] = {
    "associate@example.com": "associate",
    "merchandiser@example.com": "merchandiser",
    "agent@example.com": "agent",
}


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
    accounts: Accounts
    demo: "Demo | None" = None


@dataclass(frozen=True)
class Demo:
    """Accounts to try the demo with, all of one password that the sign-in page shows."""

    emails: tuple[str, ...]
    password: str = DEMO_PASSWORD


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
    intents_of(store, store.shop.policies, progress)
    seed_orders(store.database, store.shop.customers, store.shop.orders)
    initialise_home(store.shop, store.database, store.embedder, store.location, progress)


def intents_of(store: Store, policies: Iterable[PolicySection], progress: Progress | None = None) -> Intents:
    """The classifier of messages for a version's policies; half a minute where it has to be fitted first."""
    told = (lambda done, total: progress("example messages", done, total)) if progress else None
    return open_intents(
        examples_of(store.shop, policies), store.embedder, store.settings.cache.expanduser() / "intents", told
    )


def accounts_of(settings: Settings, database: Engine) -> Accounts:
    """Who may sign in to this installation."""
    key = settings.session_key.get_secret_value() if settings.session_key else None
    return Accounts(database, open_secret(settings.home, key), utc_now, is_demo=settings.demo)


def check_demo(settings: Settings) -> None:
    """Raise ConfigError for a demo on a server that others can reach: the password is known to everybody."""
    if settings.demo and settings.host not in LOOPBACK:
        raise ConfigError(f"SHOPBOT_DEMO makes accounts that anybody can use; host {settings.host} is not this machine")


def demo_accounts(settings: Settings, accounts: Accounts, customers: Sequence[Customer]) -> Demo | None:
    """Accounts for the first customers and every kind of staff, where the settings ask for a demo and there are none.

    Raises ConfigError as `check_demo` does.
    """
    check_demo(settings)
    if not settings.demo:
        return None
    demo = Demo((*(customer.email for customer in customers[:DEMO_CUSTOMERS]), *DEMO_STAFF))
    if accounts.count() == 0:
        for customer in customers[:DEMO_CUSTOMERS]:
            accounts.add(customer.email, demo.password, "customer", customer.name, customer.id)
        for email, role in DEMO_STAFF.items():
            accounts.add(email, demo.password, role, f"Demo {role}")
    return demo


def ingest_feed(store: Store, feed: Path | None, progress: Progress, as_of: datetime | None = None) -> IngestReport:
    """Publish a feed, by default the shop's own; see `ingest.pipeline.ingest` for what it raises."""
    feed = feed or store.shop.catalog_feed
    intents_of(store, store.shop.policies, progress)  # before the server follows, in whose turns it would cost time
    return ingest(feed, store.shop, store.database, store.embedder, store.location, progress, as_of)


def open_services(settings: Settings, progress: Progress, store: Store | None = None) -> Services:
    """Open everything; a home without a catalog initialises itself with the shop's own. `store` where it is open."""
    start_tracing(settings)
    store = store or open_store(settings)
    initialise(store, progress)
    adapter = adapter_of(store)
    models = {}
    for number, arm in enumerate(arms := arms_of(settings, adapter)):
        progress("loading models", number, len(arms))
        models[arm] = build_served_model(for_arm(settings, arm), arm, adapter if arm == "tuned" else None)
        warm_up(models[arm])
    progress("loading models", len(arms), len(arms))
    check_tuned(models)
    return wire(store, models, adapter.values if adapter else "referred")


def adapter_of(store: Store) -> Adapter | None:
    """The adapter that the settings name, or the shop's own; None where there is neither.

    Raises ModelError for one that is incomplete, altered, or made for another base or chat format.
    """
    settings = store.settings
    folder = settings.adapter or store.shop.adapter
    if settings.engine not in EMBEDDED_ENGINES or (settings.adapter is None and not folder.is_dir()):
        return None
    is_packaged = settings.model == BASE_MODEL_NAME
    if settings.adapter is None and not is_packaged:  # the shop's own is for the packaged model
        return None
    return open_adapter(folder, BASE_MODEL.sha256 if is_packaged else None)


def arms_of(settings: Settings, adapter: Adapter | None) -> list[str]:
    return ["base", "tuned"] if adapter or settings.tuned_model else ["base"]


def for_arm(settings: Settings, arm: str) -> Settings:
    """A server knows the tuned model by a name of its own."""
    return (
        settings.model_copy(update={"model": settings.tuned_model})
        if arm == "tuned" and settings.tuned_model
        else settings
    )


def check_tuned(models: Mapping[str, ServedModel]) -> None:
    """Raise ModelError if the tuned model writes what the base writes: its adapter was not applied."""
    tuned, base = models.get("tuned"), models["base"]
    if tuned and tuned.fingerprint is not None and tuned.fingerprint == base.fingerprint:
        raise ModelError(
            f"{tuned.name}: the adapter changes nothing; its fingerprint is the base's, {base.fingerprint}"
        )


def prompts_of(arm: str, max_tokens: int, values: Values = "referred") -> dict[str, RolePrompt]:
    """An arm's prompts by role, their answers capped; `values` as its model was tuned."""
    roles = [Route.PRODUCT.value, Route.POLICY.value, "description", *(["policy_text"] if arm == "tuned" else [])]
    return {role: load_prompt(role, arm).with_values(values).capped(max_tokens) for role in roles}


def check_rules(shop: Shop, figures: Figures | None, destinations: tuple[Destination, ...] = ()) -> None:
    """Raise ConfigError naming the figures of order_rules.yaml and delivery.yaml that the policies do not say."""
    policies = {section.id: section for section in shop.policies}
    DeliveryRates(destinations, policies, shop.config.currency).check()
    if figures is not None:
        OrderRules(figures, policies, shop.config.currency, ZoneInfo(shop.config.timezone)).check()


def wire(store: Store, models: dict[str, ServedModel], values: Values = "referred") -> Services:
    """Put a store and models, by arm, together; whatever keeps the protocol fits."""
    settings = store.settings
    check_material(store.shop)
    figures = read_figures(store.shop.order_rules)
    destinations = read_destinations(store.shop.delivery)
    check_rules(store.shop, figures, destinations)
    deps = Deps(
        shop=store.shop,
        catalog=store.catalog,
        facts=store.facts,
        embedder=store.embedder,
        models=models,
        prompts={arm: prompts_of(arm, settings.answer_max_tokens, values) for arm in ("base", "tuned")},
        default_arm=settings.default_arm if settings.default_arm in models else "base",
        intents_of=partial(intents_of, store),
        weights=FusionWeights(settings.dense_weight, settings.keyword_weight),
        question_max_chars=settings.question_max_chars,
        clock=utc_now,
        orders=Orders(store.database),
        tickets=Tickets(store.database, utc_now),
        figures=figures,
        destinations=destinations,
        trace_content=settings.trace_content,
        history_tokens=settings.history_tokens,
    )
    accounts = accounts_of(settings, store.database)
    demo = demo_accounts(settings, accounts, deps.orders.customers())
    chat = ChatService(store.database, build_graph(open_checkpointer(settings)), deps, settings.retention_days)
    return Services(store, deps, build_graph(), chat, accounts, demo)
