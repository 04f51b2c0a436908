"""The order desk: what customers are told of their own orders, and what they have changed in them.

Who the customer is comes from the request, which the session has filled in; a question only says which of their own
orders is meant. Nothing is changed before an explicit yes (`graph.consent`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from langgraph.runtime import Runtime

from graph.asks import clauses_of
from graph.deps import Turn
from graph.find import find_policies, is_brief, points_back, things_in
from graph.pen import Pen
from graph.routing import NEAR_SECTION_COSINE
from graph.state import Point, State
from graph.turn import Message, Sentence
from shopbot.errors import OrderNotFound, TooManyTries
from shopbot.guest_lookups import guest_order
from shopbot.intents import Scores
from shopbot.language import content_stems, words
from shopbot.money import format_money, to_minor
from shopbot.order_changes import ORIGINAL, STORE_CREDIT, Action, Change, decide, refund_of
from shopbot.order_rules import Decision, OrderRules
from shopbot.order_statements import LOST, OVER, order_source, said_items
from shopbot.orders import Item, Order
from shopbot.statements import Source, Statement, policy_source
from shopbot.types import Variant

ORDER = "order."
# What is said of an order, by what is asked; one line each where several orders are meant.
_TOLD = {
    "order.status": ("status", "due", "tracking", "news"),
    "order.invoice": ("status", "position", "total"),
    "order.refund": ("status", "return", "news"),
}
_TOLD_OTHERWISE = ("status", "news")
# Of a lost parcel nothing can be changed; what was paid for it is what the customer gets back or replaced.
_TOLD_OF_LOST = ("status", "news", "total")
_ACTIONS: dict[str, Action] = {
    "order.cancel": "cancel", "order.return": "return", "order.exchange": "exchange", "order.address": "address",
}  # fmt: skip
_WORDS = {
    "order.cancel": re.compile(r"\bcancel", re.IGNORECASE),
    "order.return": re.compile(r"\breturn\b|\bsend\b.*\bback\b", re.IGNORECASE),
    "order.exchange": re.compile(r"\b(?:exchange|swap)\b", re.IGNORECASE),
    "order.address": re.compile(r"\baddress\b", re.IGNORECASE),
}
# What is asked for rather than wanted; with none of the words of a change it is no change.
_ASKS = re.compile(
    r"\b(?:what(?:'?s)?|when|where|why|who|how (?:much|many|long)|did|was|were|any reason|a reason)\b", re.IGNORECASE
)
_INFORMATION = ("order.status", "order.invoice", "order.refund", "order.other")
_WHEN = re.compile(
    r"\bwhen\b.*\b(?:get|gets|arrives?|comes?|here|expect|due|deliver(?:ed|y)?)\b|\bhold-?\s?up\b|\bwhat'?s keeping\b"
    r"|\bwhere(?:'s| is| are| r)\b",
    re.IGNORECASE,
)
_PAID = re.compile(
    r"\b(?:pay|paid|altogether|total|charged|invoice|receipt|discount|come off|came off|code)\b|\bhow many\b",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"\bi(?:'d| would)? (?:like|want|wanna|need)\b|\b(?:can|could|may) (?:i|you|we)\b|\bplease\b|\bpls\b|\blet me\b",
    re.IGNORECASE,
)
_MOST_ORDERS = 5
_ORDER_NUMBER = re.compile(r"\b[A-Za-z]{0,2}-?(\d{5})\b")
_FULL_NUMBER = re.compile(r"\bA-\d{5}\b", re.IGNORECASE)
_AWAITS = re.compile(
    r"\bwhere(?:'s|s| is| are| r)\b.*\bmy\b"
    r"|\bwhen\b.*\b(?:expect|arrives?|arriving|get here|come|coming|turn up|delivered|ships?|shipped)\b",
    re.IGNORECASE,
)
_ARRANGE = re.compile(
    r"\b(?:can|could|would|will) you (?:please |just )?"
    r"(?:set|sort|arrange|organi[sz]e|start|do|handle) (?:that|it|this)\b",
    re.IGNORECASE,
)
_COSTS = re.compile(
    r"\bhow much\b|\bhow (?:long|many days)\b|\bwhat (?:does|do|is|will|would)\b.*\b(?:costs?|charged?|fees?|price)\b",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ADDRESS = re.compile(
    r"(?<![\w-])(?P<street>\d+ (?!to\b)[^,\n]+(?:, (?:apt|unit|suite|#)[^,\n]*)?), *(?P<city>[^,\n]+),? +"
    r"(?P<state>[A-Z]{2}) +(?P<zip>\d{5})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Asking:
    """What somebody asks of the order desk: the words, what came before them, and what they are about."""

    question: str
    history: Sequence[Message]
    label: str

    @property
    def action(self) -> Action | None:
        return _ACTIONS.get(self.label)


def look_up_orders(state: State, runtime: Runtime[Turn]) -> State:
    """Tell the customer about their orders, or propose the change that they ask for."""
    turn, request = runtime.context, state["request"]
    pen = Pen(state["account"], runtime.stream_writer)
    asking = Asking(state["question"], request.messages[:-1], wish_of(state))
    if request.customer_id is None:
        return _for_guest(asking, state, pen, turn)
    own = turn.deps.orders.of(request.customer_id)
    meant, unknown = orders_meant(asking, own)
    for number in unknown:
        pen.show(Sentence(text=turn.phrase("no_such_order", order=number), author="shop"))
    if not own or (unknown and not meant):
        if not own:
            pen.show(Sentence(text=turn.phrase("no_orders"), author="shop"))
        return {"account": state["account"]}
    is_lost = bool(meant) and all(order.status == LOST for order in meant)
    if asking.action and turn.rules and not is_lost:
        asks = _Proposing(asking, asking.action, turn.rules, state, pen, turn)
        return asks.answer(meant or own, is_named=bool(meant))
    if asking.action and not is_lost:
        pen.show(Sentence(text=turn.phrase("human"), author="shop"))
    return _told(asking, meant or _of_interest(own, asking.label), state, turn)


def wish_of(state: State) -> str:
    """What is wanted of an order, as a label; a change by the word for it where the question has exactly one.

    A question without such a word asks for something: "when do I get my coat?" is not about sending it back.
    """
    meant, question = state["utterance"].meant, state["question"]
    said = changes_in(question)
    label = meant.best_label(ORDER)
    if label in _ACTIONS and said:
        return said[0] if len(said) == 1 else label
    if said or not _ASKS.search(question):
        return label
    if _WHEN.search(question):
        return "order.status"
    if _PAID.search(question):
        return "order.invoice"
    return max(_INFORMATION, key=meant.of)


def orders_meant(asking: Asking, own: Sequence[Order]) -> tuple[list[Order], list[str]]:
    """The customer's orders that a question names, by number or by their items, and numbers that are none of theirs.

    A brief question, or one that points back, goes on with the order that was last talked about.
    """
    by_id = {order.id: order for order in own}
    numbers = numbers_in(asking.question)
    if numbers:
        return [by_id[n] for n in numbers if n in by_id], [n for n in numbers if n not in by_id]
    said = set(things_in(asking.question))
    scored = [(max((len(said & set(content_stems(i.title))) for i in order.items), default=0), order) for order in own]
    best = max((score for score, _ in scored), default=0)
    if best:
        return [order for score, order in scored if score == best], []
    if is_brief(asking.question) or points_back(asking.question):
        earlier = [n for message in asking.history for n in numbers_in(message.content) if n in by_id]
        return [by_id[n] for n in earlier[-1:]], []
    return [], []


def numbers_in(text: str) -> list[str]:
    """Order numbers as the shop writes them: "order 48213" -> "A-48213"; not the zip code of an address."""
    without = _ADDRESS.sub(" ", text)
    return list(dict.fromkeys(f"A-{digits}" for digits in _ORDER_NUMBER.findall(without)))


def number_and_email(question: str, history: Sequence[Message]) -> tuple[str, str] | None:
    """The order number and the e-mail that somebody has told last, in this message or before."""
    told = " ".join([*(message.content for message in history if message.role == "user"), question])
    numbers, emails = numbers_in(told), _EMAIL.findall(told)
    return (numbers[-1], emails[-1]) if numbers and emails else None


def names_order(question: str) -> bool:
    """Whether an order's number stands in a question as the shop writes it."""
    return _FULL_NUMBER.search(question) is not None


def awaits_parcel(question: str, customer_id: str, turn: Turn) -> bool:
    """Whether a signed-in customer, who has an order under way, asks where something is or when it comes."""
    if not _AWAITS.search(question):
        return False
    return any(order.status not in OVER for order in turn.deps.orders.of(customer_id))


def goes_on_with_items(question: str, customer_id: str, history: Sequence[Message], turn: Turn) -> bool:
    """Whether a message goes on about what is in the customer's orders, of which the last answer told."""
    last = next((message.content for message in reversed(history) if message.role == "assistant"), "")
    said = set(things_in(question))
    own = {order.id: order for order in turn.deps.orders.of(customer_id)} if said and numbers_in(last) else {}
    told = [own[number] for number in numbers_in(last) if number in own]
    return is_brief(question) and any(said & set(content_stems(i.title)) for order in told for i in order.items)


def asks_to_arrange(question: str, meant: Scores, customer_id: str, turn: Turn) -> bool:
    """Whether a change to an own order is asked for by the way: "how do I send the boots back? can you set that up"."""
    if not _ARRANGE.search(question) or meant.best_label(ORDER) not in _ACTIONS:
        return False
    said = set(things_in(question))
    return any(said & set(content_stems(i.title)) for order in turn.deps.orders.of(customer_id) for i in order.items)


def asks_what_it_costs(question: str, meant: Scores) -> bool:
    """Whether the cost of a change is asked for, not the change: "if it doesn't fit, what does the label cost?"."""
    return _COSTS.search(question) is not None and meant.best_label(ORDER) in _ACTIONS and not numbers_in(question)


def asks_to_change(question: str, customer_id: str, turn: Turn) -> bool:
    """Whether something that the customer has ordered is to be changed, and said to be: "I want to return the pack"."""
    if not _REQUEST.search(question) or not changes_in(question):
        return False
    said = set(things_in(question))
    return any(said & set(content_stems(i.title)) for order in turn.deps.orders.of(customer_id) for i in order.items)


def changes_in(question: str) -> list[str]:
    """The changes to an order for which a question has a word."""
    return [action for action, word in _WORDS.items() if word.search(question)]


def gives_email(question: str) -> bool:
    return _EMAIL.search(question) is not None


def _of_interest(own: Sequence[Order], label: str) -> list[Order]:
    """The orders that a question without a number is about: those that something is still happening to, or the last."""
    if label == "order.refund":
        return [order for order in own if order.returned][:_MOST_ORDERS] or list(own[:1])
    under_way = [order for order in own if order.status not in OVER]
    return under_way[:_MOST_ORDERS] or list(own[:1])


def _told(asking: Asking, orders: Sequence[Order], state: State, turn: Turn) -> State:
    is_lost = all(order.status == LOST for order in orders)
    fields = _TOLD_OF_LOST if is_lost else _TOLD.get(asking.label, _TOLD_OTHERWISE)
    fields = fields if len(orders) == 1 else fields[:1]
    sources = [_source(number, order, turn) for number, order in enumerate(orders[:_MOST_ORDERS], start=1)]
    points = [Point(source, statement) for source in sources for statement in source.of(*fields)]
    return {"account": state["account"], "points": points, "as_list": len(orders) > 1}


def _named_in(text: str, order: Order) -> list[Item]:
    """The items of an order that a text names by a word of their titles."""
    said = set(things_in(text))
    return [item for item in order.items if said & set(content_stems(item.title))]


def _source(number: int, order: Order, turn: Turn) -> Source:
    return order_source(number, order, turn.deps.shop.config.locale, turn.zone)


def _for_guest(asking: Asking, state: State, pen: Pen, turn: Turn) -> State:
    """Who knows an order's number and its e-mail is told how it stands; everybody else is asked to sign in."""
    if identified := number_and_email(asking.question, asking.history):
        number, email = identified
        try:
            order = guest_order(turn.deps.orders, number, email, turn.conversation_id, turn.deps.clock())
        except (OrderNotFound, TooManyTries) as error:
            many = isinstance(error, TooManyTries)
            text = turn.phrase("too_many_lookups") if many else turn.phrase("no_guest_order", order=number)
            pen.show(Sentence(text=text, author="shop"))
            return {"account": state["account"]}
        if asking.action:
            pen.show(Sentence(text=turn.phrase("sign_in_to_change"), author="shop"))
        return _told(asking, [order], state, turn)
    pen.show(Sentence(text=turn.phrase("sign_in"), author="shop"))
    if not state["sections"] or (state["sections"][0].cosine or 0.0) < NEAR_SECTION_COSINE:
        return {"account": state["account"]}
    findings = find_policies(state["question"], state["sections"], state["utterance"].vector, turn)
    return {"account": state["account"], "points": findings.points, "as_list": True}


# ------------------------------------------------------------ changes


@dataclass(frozen=True)
class _Proposing:
    """Says what would be done and asks for a yes; or why it can't be, by which rule; or asks which one is meant."""

    asking: Asking
    action: Action
    rules: OrderRules
    state: State
    pen: Pen
    turn: Turn

    def answer(self, orders: Sequence[Order], *, is_named: bool) -> State:
        customer = self.turn.deps.orders.customer(self.state["request"].customer_id or "")
        tier, now = customer.tier if customer else None, self.turn.deps.clock()
        possible = [
            (change, order, self._excluded(change, order) or decide(change, order, tier, self.rules, now))
            for order in orders
            for change in self._changes(order)
        ]
        allowed = [found for found in possible if found[2].allowed]
        chosen = allowed or (possible if is_named else possible[:1])
        if len(chosen) > 1:
            return self._ask_which([(change, order) for change, order, _ in chosen])
        change, order, decision = chosen[0]
        if not decision.allowed:
            return self._refuse(change, order, decision)
        completed = self._completed(change, order)
        if isinstance(completed, str) or not self.turn.keeps_conversation:
            text = completed if isinstance(completed, str) else self.turn.phrase("only_in_chat")
            self.pen.show(Sentence(text=text, author="shop"))
            return {"account": self.state["account"]}
        return self._propose(completed, order, decision)

    def _excluded(self, change: Change, order: Order) -> Decision | None:
        """The refusal for an item that the customer's own words make final sale."""
        if change.action not in ("return", "exchange"):
            return None
        product = self.turn.version.products.get(change.item_of(order).product_id)
        return self.rules.excluded(product.category if product else "", self.asking.question)

    def _changes(self, order: Order) -> list[Change]:
        """The changes to an order that may be meant: of the order as a whole, or of one of its items."""
        if self.action in ("cancel", "address"):
            return [Change.new(self.action, order.id)]
        clauses = [clause for clause in clauses_of(self.asking.question) if changes_in(clause)]
        named = _named_in(" ".join(clauses), order) or _named_in(self.asking.question, order)
        by_credit = self.action == "return" and re.search("store credit", self.asking.question, re.IGNORECASE)
        method = STORE_CREDIT if by_credit else ORIGINAL
        return [Change.new(self.action, order.id, sku=item.sku, refund_method=method) for item in named or order.items]

    def _ask_which(self, chosen: Sequence[tuple[Change, Order]]) -> State:
        self.pen.show(Sentence(text=self.turn.phrase("which_order"), author="shop"))
        points = []
        for number, (change, order) in enumerate(chosen[:_MOST_ORDERS], start=1):
            what = said_items([change.item_of(order)] if change.sku else order.items)
            statement = Statement(f"Order {order.id}: {what}.", "items")
            points.append(Point(_source(number, order, self.turn), statement))
        return {"account": self.state["account"], "points": points, "as_list": True}

    def _refuse(self, change: Change, order: Order, decision: Decision) -> State:
        text = self.turn.phrase("refused", what=_what(change, order), reason=decision.reason)
        self._show([text], order, decision)
        self.pen.show(Sentence(text=self.turn.phrase("colleague"), author="shop"))
        return {"account": self.state["account"]}

    def _completed(self, change: Change, order: Order) -> Change | str:
        """The change with what it still needs from the question, or what to ask for."""
        turn = self.turn
        if change.action == "address":
            found = _ADDRESS.search(self.state["request"].question)  # as it was typed: no street is misspelt
            address = {key: " ".join(value.split()) for key, value in found.groupdict().items()} if found else {}
            if not address:
                return turn.phrase("which_address", order=order.id)
            return change.model_copy(update={"address": {**address, "state": address["state"].upper()}})
        if change.action == "exchange":
            item = change.item_of(order)
            wanted = wanted_variant(item, self.asking.question, turn)
            if wanted is None:
                return turn.phrase("which_variant", item=item.title)
            facts = turn.deps.facts.read([item.product_id]).get(item.product_id)
            if not facts or not facts.stock_of(wanted.sku):
                return turn.phrase("variant_gone", item=item.title, variant=_said_variant(wanted))
            return change.model_copy(update={"new_sku": wanted.sku})
        return change

    def _propose(self, change: Change, order: Order, decision: Decision) -> State:
        self._show(self._listed(change, order, decision), order, decision)
        self.pen.show(Sentence(text=self.turn.phrase("shall_i"), author="shop", block=True))
        return {"account": self.state["account"], "change": change.model_dump(mode="json")}

    def _listed(self, change: Change, order: Order, decision: Decision) -> list[str]:
        """What would be done, sentence by sentence."""
        currency, locale = order.currency, self.turn.deps.shop.config.locale
        fee = format_money(decision.fee_minor, currency, locale) if decision.fee_minor else ""
        if change.action == "cancel":
            total = format_money(to_minor(order.total or 0, currency), currency, locale)
            what = f"I can cancel order {order.id} ({said_items(order.items)})"
            return [f"{what}, and {total} goes back to your original payment method."]
        if change.action == "address":
            to = change.address or {}
            return [f"I can send order {order.id} to {to['street']}, {to['city']}, {to['state']} {to['zip']}."]
        item = change.item_of(order)
        if change.action == "exchange":
            product = self.turn.version.products[item.product_id]
            wanted = next(variant for variant in product.variants if variant.sku == change.new_sku)
            days = self.rules.exchange_hand_over_days
            return [
                f"I can exchange the {item.title} of order {order.id} for {_said_variant(wanted)}.",
                f"It costs nothing, and the parcel has to be with the carrier within {days} days.",
            ]
        label = f"the label costs {fee}, taken off the refund" if fee else "the label is free"
        refund = to_minor(refund_of(order, item, decision.fee_minor), currency)
        return [
            f"I can start a return of the {item.title} of order {order.id}: {label}.",
            f"After our check {format_money(refund, currency, locale)} goes to your {change.refund_method}.",
            f"The parcel has to be with the carrier within {self.rules.return_hand_over_days} days.",
        ]

    def _show(self, texts: Sequence[str], order: Order, decision: Decision) -> None:
        """Say what was decided of the order, and by which rule."""
        source = _source(1, order, self.turn)
        for text in texts:
            self.pen.show_statement(Point(source, Statement(text, "decision")))
        rule = policy_source(2, self.turn.version.policies[decision.section])
        self.pen.show_statement(Point(rule, Statement(f"That follows our policy “{rule.title}”.", "text")))


def _what(change: Change, order: Order) -> str:
    """ "cancel order A-48213", "return the Everest Down Jacket of order A-48213" """
    if change.action == "cancel":
        return f"cancel order {order.id}"
    if change.action == "address":
        return f"change the address of order {order.id}"
    return f"{change.action} the {change.item_of(order).title} of order {order.id}"


def wanted_variant(item: Item, question: str, turn: Turn) -> Variant | None:
    """The other size or colour of an item that a question names; what it does not name stays as it is."""
    product = turn.version.products.get(item.product_id)
    now = next((v for v in product.variants if v.sku == item.sku), None) if product else None
    if product is None or now is None:
        return None
    said = {word.lower() for word in re.findall(r"[\w/.]+", question)}
    sizes = [v.size for v in product.variants if v.size != now.size and v.size and v.size.lower() in said]
    colors = [v.color for v in product.variants if v.color != now.color and v.color and set(words(v.color)) <= said]
    if not sizes and not colors:
        return None
    size, color = sizes[-1] if sizes else now.size, colors[-1] if colors else now.color
    return next((v for v in product.variants if (v.size, v.color) == (size, color)), None)


def _said_variant(variant: Variant) -> str:
    return " in ".join(part for part in (variant.size, variant.color) if part)
