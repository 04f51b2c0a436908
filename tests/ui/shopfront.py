"""A small shop for the pages: real records and page code, a chat service that keeps everything in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from app.chat import Event, Exchange, RunState
from app.forgetting import Erased
from app.wiring import Services
from graph.turn import Citation, Sentence, Timings, Tokens, TurnResult, answer_text
from shopbot.accounts import Session
from shopbot.chat_models.health import Circuit
from shopbot.errors import CatalogEmpty, ConversationBusy, OrderNotFound, RecordNotFound
from shopbot.orders import Order
from shopbot.shop import Contact, PolicyDocument, ShopConfig
from shopbot.tickets import Ticket
from shopbot.types import Fact, PolicySection, Product, ProductFacts, Promotion, Variant

NOW = datetime(2026, 1, 15, 18, 30, tzinfo=UTC)
LATER = datetime(2026, 1, 15, 18, 40, tzinfo=UTC)

CONFIG = ShopConfig(
    name="Kite & Keel",
    tagline="Wind and water.",
    assistant_name="Keel Assistant",
    currency="EUR",
    locale="en-US",
    languages=("en",),
    timezone="America/Denver",
    contact=Contact(email="help@keel.example", phone="+1 555 0100", hours="always"),
    address={},
    website="https://keel.example",
    sample_questions=("What does the Gust Kite cost?", "How do I return a kite?"),
    greeting="Hello, I'm Keel Assistant, an AI helper. Write to help@keel.example for a person.",
)

GUST = Product(
    id="K-1",
    title="Gust Kite",
    description="A steady kite for steady winds.",
    category="Kites",
    brand="Keel",
    currency="EUR",
    attributes={"weight_g": 240, "packable": True, "wind": ["light", "medium"]},
    variants=(
        Variant(sku="K-1-S", size="S", color="Red"),
        Variant(sku="K-1-M", size="M", color="Red"),
        Variant(sku="K-1-L", size="L", color="Blue"),
    ),
    image="kite",
)
RETURNS = PolicySection(
    id="returns.steps",
    policy="returns",
    heading="How to return a kite",
    text="You have **30 days**.\n\n1. Fold it.\n2. Send it back.\n\n| Size | Parcel |\n|---|---|\n| S | small |",
)


def facts_of(
    product: Product, price: int | None = 4900, sale: int | None = None, stock: int | None = 3
) -> ProductFacts:
    """Give a product and all its variants one stock, and the product a price in cents."""

    def fact(sku: str, price: int | None, sale: int | None, stock: int | None) -> Fact:
        return Fact(
            article_id=product.id,
            sku=sku,
            price_minor=price,
            sale_price_minor=sale,
            currency="EUR",
            stock=stock,
            price_as_of=NOW,
            stock_as_of=NOW,
        )

    variants = {variant.sku: fact(variant.sku, None, None, stock) for variant in product.variants}
    return ProductFacts(own=fact("", price, sale, None if variants else stock), variants=variants)


def sentence(text: str, *citations: Citation, block: bool = False) -> Event:
    shown = [citation.model_dump(mode="json") for citation in citations]
    return {"kind": "sentence", "text": text, "author": "record", "block": block, "citations": shown}


def done(events: Sequence[Event], stopped: bool = False) -> Event:
    sentences = [Sentence(text=e["text"], author=e["author"], block=e["block"]) for e in events]
    citations = tuple(Citation.model_validate(c) for event in events[-1:] for c in event["citations"])
    result = TurnResult(
        answer=answer_text(sentences),
        citations=citations,
        product_ids=tuple(dict.fromkeys(c.id for c in citations if c.kind in ("product", "fact"))),
        role="product",
        verdict="passed",
        fallback=False,
        model_share=0.0,
        handoff=False,
        arm="base",
        catalog_version="v1",
        timings_ms=Timings(first_sentence=1, total=2, retrieve=1, generate=1),
        tokens=Tokens(),
        stopped=stopped,
    )
    return {"kind": "done", "result": result.model_dump(mode="json")}


PRICE_EVENTS = [
    sentence("The Gust Kite costs €49.00 [1].", Citation(id="K-1", kind="fact", as_of=NOW)),
    sentence(
        "You have 30 days to send it back [2].",
        Citation(id="K-1", kind="fact", as_of=NOW),
        Citation(id="returns.steps", kind="policy"),
    ),
]


ORDER = Order(
    id="A-10001", customer_id="C-1", placed_at=NOW, status="shipped", total=49.0, currency="EUR", carrier="Kite Post",
    tracking="KP1",
)  # fmt: skip
WEEK = Promotion(
    id="kite-week", title="Kite Week", text="Kites are 10% off.", starts=NOW.date(), ends=NOW.date(), approved=True
)
SIGNED_IN = Session(account_id="1", name="Ada <b>L</b>", email="ada@x.example", role="customer", customer_id="C-1")


class FakeChat:
    """Answers every question with `reply`; what is asked while `is_slow` stays running until `finish`."""

    def __init__(self, reply: Callable[[str], list[Event]] = lambda _: PRICE_EVENTS) -> None:
        self.reply = reply
        self.is_slow = False
        self.conversations: dict[str, list[Exchange]] = {}
        self.asked: list[str] = []
        self.sessions: list[Session | None] = []
        self.handed_over: list[Ticket] = []
        self.keys: list[str | None] = []
        self.forgotten: list[str] = []

    def start(
        self,
        text: str,
        conversation_id: str | None = None,
        arm: str | None = None,
        session: Session | None = None,
        key: str | None = None,
    ) -> tuple[str, str]:
        self.sessions.append(session)
        self.keys.append(key)
        conversation_id = conversation_id or f"conversation-{len(self.conversations)}"
        exchanges = self.conversations.setdefault(conversation_id, [])
        if any(exchange.state == "running" for exchange in exchanges):
            raise ConversationBusy(2)
        self.asked.append(text)
        run_id = f"run-{len(self.asked)}"
        exchanges.append(Exchange(run_id, text, "running", NOW, [], None))
        if not self.is_slow:
            self.finish(run_id)
        return run_id, conversation_id

    def forget_customer(self, customer_id: str) -> Erased:
        self.forgotten.append(customer_id)
        erased = Erased(list(self.conversations))
        self.conversations.clear()
        return erased

    def forget_conversation(self, conversation_id: str, session: Session | None = None) -> Erased:
        self.forgotten.append(conversation_id)
        if self.conversations.pop(conversation_id, None) is None:
            raise RecordNotFound(f"no conversation {conversation_id!r}")
        return Erased([conversation_id])

    def show(self, run_id: str, *events: Event) -> None:
        exchange = self.exchange(run_id)
        self._put(replace(exchange, events=[*exchange.events, *events]))

    def finish(self, run_id: str, state: RunState = "done") -> None:
        events = self.reply(self.exchange(run_id).question)
        self._put(replace(self.exchange(run_id), state=state, events=[*events, done(events)]))

    def fail(self, run_id: str, state: RunState = "failed", kind: str = "ModelError") -> None:
        error = {"kind": "error", "type": kind, "message": "CUDA: out of memory at 0xdeadbeef"}
        self._put(replace(self.exchange(run_id), state=state, events=[error]))

    def stop(self, run_id: str) -> None:
        shown = self.exchange(run_id).events
        self._put(replace(self.exchange(run_id), state="stopped", events=[*shown, done(shown, stopped=True)]))

    def rate(self, run_id: str, thumb: str, comment: str | None = None) -> None:
        self._put(replace(self.exchange(run_id), thumb=thumb))

    def history(self, conversation_id: str, session: Session | None = None) -> list[Exchange]:
        if conversation_id not in self.conversations:
            raise RecordNotFound(f"no conversation {conversation_id!r}")
        return list(self.conversations[conversation_id])

    def tickets(self, conversation_id: str, session: Session | None = None) -> list[Ticket]:
        return list(self.handed_over)

    def call_back(self, conversation_id: str, session: Session | None = None) -> bool:
        closed = {"state": "closed", "closed_at": LATER, "closed_by": "customer"}
        self.handed_over[-1:] = [ticket.model_copy(update=closed) for ticket in self.handed_over[-1:]]
        return True

    def events(self, run_id: str, after: int = 0) -> Iterator[tuple[int, Event]]:
        yield from list(enumerate(self.exchange(run_id).events, start=1))[after:]

    def exchange(self, run_id: str) -> Exchange:
        return next(e for exchanges in self.conversations.values() for e in exchanges if e.run_id == run_id)

    def _put(self, exchange: Exchange) -> None:
        for exchanges in self.conversations.values():
            exchanges[:] = [exchange if e.run_id == exchange.run_id else e for e in exchanges]


class FakeCatalog:
    def __init__(self, *products: Product) -> None:
        self.products = {product.id: product for product in products}
        self.policies = {RETURNS.id: RETURNS}

    def active(self) -> SimpleNamespace:
        if not self.products:
            raise CatalogEmpty("nothing has been published")
        return SimpleNamespace(version_id="v1", products=self.products, policies=self.policies)


class FakeFacts:
    def __init__(self, *facts: ProductFacts) -> None:
        self.known = {found.own.article_id: found for found in facts}

    def read(self, ids: Iterable[str]) -> dict[str, ProductFacts]:
        return {article: self.known[article] for article in ids if article in self.known}


class FakeOrders:
    """One order, of one customer."""

    def find(self, order_id: str, customer_id: str) -> Order:
        if (order_id, customer_id) != (ORDER.id, ORDER.customer_id):
            raise OrderNotFound(order_id)
        return ORDER


def fake_services(pictures: Path, *products: Product, facts: Iterable[ProductFacts] | None = None) -> Services:
    """Wire what the pages see of an application around in-memory parts; a test may change all of them."""
    shop = SimpleNamespace(
        config=CONFIG,
        pictures=pictures,
        promotions=(WEEK,),
        documents=(PolicyDocument(id="returns", title="Returns", summary=""),),
    )
    products = products or (GUST,)
    known = [facts_of(product) for product in products] if facts is None else facts
    store = SimpleNamespace(
        settings=SimpleNamespace(arm_switch=False), shop=shop, catalog=FakeCatalog(*products), facts=FakeFacts(*known)
    )
    model = SimpleNamespace(
        learnt=None,
        health=SimpleNamespace(is_degraded=False, reason=None, circuit=Circuit("closed", 0, None, None)),
        arm="base",
        name="fake",
        engine="openvino",
        fingerprint="0",
        slots=SimpleNamespace(running=0, waiting=0),
    )
    deps = SimpleNamespace(models={"base": model}, default_arm="base", orders=FakeOrders())
    accounts = SimpleNamespace(session=lambda token: None)  # nobody has signed in
    return Services(cast(Any, store), cast(Any, deps), cast(Any, None), cast(Any, FakeChat()), cast(Any, accounts))
