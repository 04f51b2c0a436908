"""What a turn works with, wired once by an entry point and handed to the graph; fakes fit in by protocol."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from graph.asks import Utterance, by_clause, read_utterance
from graph.lexicon import Lexicon
from graph.routing import Route
from graph.turn import TurnRequest
from shopbot.catalog import Catalog, CatalogVersion
from shopbot.chat_models import ServedModel
from shopbot.delivery import DeliveryRates, Destination
from shopbot.embedding import Embedder
from shopbot.errors import ConfigError
from shopbot.facts import Facts
from shopbot.intents import Intents
from shopbot.order_rules import Figures, OrderRules
from shopbot.orders import Orders
from shopbot.prompts import RolePrompt
from shopbot.search import FusionWeights
from shopbot.settings import HISTORY_TOKENS
from shopbot.shop import Shop
from shopbot.tickets import Tickets
from shopbot.types import PolicySection

# Every phrase that the workflow says in the shop's words, with the placeholders that it fills in beside the shop's.
PHRASES: dict[str, tuple[str, ...]] = {
    "empty": (),
    "too_long": ("length", "limit"),
    "unclear": (),
    "language": (),
    "other": (),
    "greeting": (),
    "thanks": (),
    "identity": (),
    "human": (),
    "contact": (),
    "handed_over": ("ticket",),
    "already_handed_over": ("ticket",),
    "handoff_failed": (),
    "sorry": (),
    "offer_colleague": (),
    "called_back": (),
    "sign_in": (),
    "sign_in_to_change": (),
    "no_orders": (),
    "no_such_order": ("order",),
    "no_guest_order": ("order",),
    "too_many_lookups": (),
    "which_order": (),
    "which_address": ("order",),
    "which_variant": ("item",),
    "variant_gone": ("item", "variant"),
    "refused": ("what", "reason"),
    "colleague": (),
    "only_in_chat": (),
    "shall_i": (),
    "left_as_it_is": (),
    "too_late": ("reason",),
    "done": (),
    "no_offers": (),
    "no_offer_for_that": (),
    "code_not_valid": ("code",),
    "unknown_attribute": ("product", "words"),
    "unknown_product": ("words",),
    "closest": (),
    "found": (),
    "found_within": ("within",),
    "have": ("what",),
    "have_within": ("within", "what"),
    "not_stated": ("count", "what"),
    "also_called": ("what", "category"),
    "first_of": ("count",),
    "none_within": ("within", "where"),
    "near": (),
    "misses": ("limit",),
    "unstated": ("what",),
    "best": ("order", "where"),
    "best_within": ("within", "order", "where"),
    "best_called": ("order", "what"),
    "compared": (),
    "which_one": (),
    "which_product": (),
    "unknown_policy": (),
    "reduced_mode": (),
}


def check_material(shop: Shop) -> None:
    """Raise ConfigError for a phrase or a route that the workflow needs and the shop's folder does not have."""
    kinds = {label.partition(".")[0] for label, messages in shop.routes.items() if messages}
    problems = [f"routes.yaml has no messages for '{route}'" for route in Route if route.value not in kinds]
    for name, filled_in in PHRASES.items():
        try:
            shop.phrases[name].format(**shop_words(shop), **dict.fromkeys(filled_in, ""))
        except KeyError as error:
            missing = "is missing" if name not in shop.phrases else f"uses an unknown placeholder {{{error.args[0]}}}"
            problems.append(f"phrases.yaml: '{name}' {missing}")
    if problems:
        raise ConfigError(f"{shop.folder}: {'; '.join(problems)}")


def shop_words(shop: Shop) -> dict[str, str]:
    """What every phrase may use: {shop}, {assistant}, {email}, {phone}, {hours}."""
    config = shop.config
    return {"shop": config.name, "assistant": config.assistant_name, **config.contact.model_dump()}


@dataclass
class Deps:
    """Everything long-lived. One instance serves all turns of a process, from many threads.

    `models` and `prompts` are by arm, prompts then by role. `trace_content` lets traces hold what was said. `readers`
    is a cache by catalog version, which several may share that read the same catalog.
    """

    shop: Shop
    catalog: Catalog
    facts: Facts
    embedder: Embedder
    models: dict[str, ServedModel]
    prompts: dict[str, dict[str, RolePrompt]]
    intents_of: Callable[[Iterable[PolicySection]], Intents]
    weights: FusionWeights
    question_max_chars: int
    clock: Callable[[], datetime]
    orders: Orders
    tickets: Tickets
    figures: Figures | None
    destinations: tuple[Destination, ...] = ()
    default_arm: str = "base"
    trace_content: bool = False
    history_tokens: int = HISTORY_TOKENS
    readers: dict[str, tuple[Lexicon, Intents]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reader(self, version: CatalogVersion) -> tuple[Lexicon, Intents]:
        """The words of a catalog version and the classifier of messages; opened once, the two latest are kept."""
        with self._lock:
            if version.version_id not in self.readers:
                for stale in list(self.readers)[:-1]:
                    del self.readers[stale]
                lexicon = Lexicon(version.products, version.policies)
                self.readers[version.version_id] = (lexicon, self.intents_of(version.policies.values()))
            return self.readers[version.version_id]


@dataclass
class Turn:
    """The runtime context of one turn: the dependencies and the catalog version that it has pinned.

    `keeps_conversation` says whether there is a checkpoint in which a proposal can wait for an answer;
    `conversation_id` is None where nothing is kept at all, and nobody could take over.
    """

    deps: Deps
    version: CatalogVersion
    arm: str
    cancelled: threading.Event
    keeps_conversation: bool = False
    conversation_id: str | None = None
    request: TurnRequest | None = None

    @cached_property
    def zone(self) -> ZoneInfo:
        """The shop's time zone, in which its days begin and end."""
        return ZoneInfo(self.deps.shop.config.timezone)

    @cached_property
    def rules(self) -> OrderRules | None:
        """What may be done with orders, by the policies of the pinned version; None where a colleague decides."""
        if self.deps.figures is None:
            return None
        return OrderRules(self.deps.figures, self.version.policies, self.deps.shop.config.currency, self.zone)

    @cached_property
    def rates(self) -> DeliveryRates | None:
        """What delivery costs, by the policies of the pinned version; None where nothing says where that stands."""
        if not self.deps.destinations:
            return None
        return DeliveryRates(self.deps.destinations, self.version.policies, self.deps.shop.config.currency)

    @property
    def model(self) -> ServedModel:
        return self.deps.models[self.arm]

    def prompt(self, role: str) -> RolePrompt:
        return self.deps.prompts[self.arm][role]

    @property
    def lexicon(self) -> Lexicon:
        return self.deps.reader(self.version)[0]

    def read(self, text: str) -> Utterance:
        """What a message is about."""
        return read_utterance(text, *self.deps.reader(self.version), self.deps.embedder)

    def read_clauses(self, utterance: Utterance) -> Utterance:
        return by_clause(utterance, *self.deps.reader(self.version), self.deps.embedder)

    @cached_property
    def courtesies(self) -> frozenset[str]:
        """Sentences of the shop that claim nothing; a model may use them word for word."""
        return frozenset(text.format(**shop_words(self.deps.shop)) for text in self.deps.shop.courtesies)

    def phrase(self, name: str, **values: object) -> str:
        """A sentence in the shop's own words, from its phrases file."""
        shop = self.deps.shop
        return shop.phrases[name].format(**shop_words(shop), **values)
