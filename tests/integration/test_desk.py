"""The order desk over the sample shop's own orders: whole conversations, each with its real checkpoint."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.chat import ChatService
from app.checkpoints import open_checkpointer
from app.wiring import Services, check_rules
from graph.build import WAITING, build_graph, run_turn
from graph.consent import reply_of
from graph.turn import Message, TurnRequest, TurnResult
from shopbot.accounts import Session
from shopbot.errors import ConfigError
from shopbot.order_rules import read_figures
from shopbot.orders import Order
from shopbot.settings import REPOSITORY, Settings
from shopbot.shop import load_shop
from shopbot.tables import order_changes
from shopbot.types import Hit

pytestmark = pytest.mark.model

CAIRN = REPOSITORY / "data" / "cairn"

SATURDAY = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
"""Half an hour after the newest sample order, A-57089 of C-1003, was placed."""
PRIYA, MAYA, THOMAS = "C-1003", "C-1001", "C-1006"
Say = Callable[..., TurnResult]


@pytest.fixture
def services(assistant: Any, new_home: Path) -> Services:
    """The sample shop on a Saturday in November; the model is never asked about orders."""
    made: Services = assistant(home=new_home).services
    made.deps.clock = lambda: SATURDAY
    return made


def session(customer_id: str) -> Session:
    return Session(account_id=customer_id, name="A", email="a@x.example", role="customer", customer_id=customer_id)


class Conversation:
    """One customer's chat; None is a visitor who has not signed in."""

    def __init__(self, services: Services, customer_id: str | None) -> None:
        self.services = services
        self.customer_id = customer_id
        self.id: str | None = None

    def say(self, text: str) -> TurnResult:
        who = session(self.customer_id) if self.customer_id else None
        run_id, self.id = self.services.chat.start(text, self.id, session=who)
        *_, (_, last) = self.services.chat.events(run_id)
        return TurnResult.model_validate(last["result"])


def order(services: Services, order_id: str, customer_id: str) -> Order:
    return services.deps.orders.find(order_id, customer_id)


def changes(services: Services) -> list[Any]:
    with services.store.database.connect() as connection:
        return list(connection.execute(select(order_changes)))


# ---------------------------------------------------------------- what is told


def test_a_customer_is_told_how_the_own_orders_stand(services: Services) -> None:
    told = Conversation(services, PRIYA).say("where is my order?")
    assert told.role == "order"
    assert {citation.id for citation in told.citations} == {"A-57089", "A-75359"}  # what is still under way
    assert {citation.kind for citation in told.citations} == {"order"}
    assert "A-75359 of November 16 is out for delivery" in told.answer


def test_an_order_is_found_by_its_number_however_it_is_written(services: Services) -> None:
    for written in ("A-75359", "a75359", "75359"):
        told = Conversation(services, PRIYA).say(f"where is my order {written}")
        assert [citation.id for citation in told.citations] == ["A-75359"], written


def test_the_order_of_somebody_else_does_not_exist(services: Services) -> None:
    told = Conversation(services, THOMAS).say("where is my order A-48213?")
    assert "can't find an order A-48213 in your account" in told.answer
    assert told.citations == ()


def test_an_invoice_lists_positions_and_total(services: Services) -> None:
    told = Conversation(services, THOMAS).say("I need an invoice for order A-51318")
    assert "1 × Ember Canister Stove (CO-1301-OS-STL): $44.95 each" in told.answer
    assert "The total is $100.17 (goods $91.90, tax $8.27)" in told.answer


def test_who_has_not_signed_in_is_told_nothing_without_number_and_email(services: Services) -> None:
    chat = Conversation(services, None)
    assert chat.say("where is my order A-48213?").answer.startswith(services.deps.shop.phrases["sign_in"][:30])
    wrong = chat.say("my email is d.okafor@example.net")
    assert "can't find an order A-48213 with that e-mail" in wrong.answer
    right = chat.say("sorry, order A-48213 and maya.lindqvist@example.com")
    assert "Order A-48213 of November 9 was delivered on November 13" in right.answer


def test_a_guest_changes_nothing(services: Services) -> None:
    chat = Conversation(services, None)
    told = chat.say("please cancel order A-57089, priya.raghunathan@example.org")
    assert "sign in" in told.answer.lower()
    chat.say("yes")
    assert order(services, "A-57089", PRIYA).status == "placed"
    assert changes(services) == []


# ---------------------------------------------------------------- what is changed


def test_nothing_is_cancelled_before_the_yes_and_once_after_it(services: Services) -> None:
    chat = Conversation(services, PRIYA)
    proposed = chat.say("can you cancel my order A-57089")
    assert "Heron Carbon Trekking Poles" in proposed.answer
    assert proposed.answer.endswith(services.deps.shop.phrases["shall_i"])
    assert {citation.id for citation in proposed.citations} == {"A-57089", "shipping.cutoff"}
    assert order(services, "A-57089", PRIYA).status == "placed"
    done = chat.say("yes please")
    assert "was cancelled" in done.answer
    assert order(services, "A-57089", PRIYA).status == "cancelled"
    (entry,) = changes(services)
    assert (entry.order_id, entry.customer_id, entry.action, entry.section) == (
        "A-57089", PRIYA, "cancel", "shipping.cutoff",
    )  # fmt: skip
    chat.say("yes")
    assert len(changes(services)) == 1


@pytest.mark.parametrize("answer", ["no", "no, leave it", "never mind"])
def test_after_a_no_everything_is_as_it_was(answer: str, services: Services) -> None:
    chat = Conversation(services, PRIYA)
    chat.say("cancel A-57089 please")
    assert chat.say(answer).answer == services.deps.shop.phrases["left_as_it_is"]
    chat.say("yes")
    assert order(services, "A-57089", PRIYA).status == "placed"


def test_another_message_is_answered_and_the_proposal_is_gone(services: Services) -> None:
    chat = Conversation(services, PRIYA)
    chat.say("cancel A-57089 please")
    assert chat.say("How much is the Everest Down Jacket?").role == "product"
    chat.say("yes")
    assert order(services, "A-57089", PRIYA).status == "placed"


def test_a_yes_from_somebody_who_has_signed_out_is_none(services: Services) -> None:
    """The run is resumed with the session of the message, not of the proposal."""
    graph, deps = build_graph(open_checkpointer(services.store.settings)), services.deps
    first = TurnRequest(messages=(Message(role="user", content="cancel A-57089"),), customer_id=PRIYA)
    run_turn(graph, deps, first, lambda _: None, threading.Event(), "a conversation")
    assert graph.get_state({"configurable": {"thread_id": "a conversation"}}).next == WAITING
    for customer in (None, THOMAS):
        yes = TurnRequest(messages=(Message(role="user", content="yes"),), customer_id=customer)
        run_turn(graph, deps, yes, lambda _: None, threading.Event(), "a conversation")
        assert order(services, "A-57089", PRIYA).status == "placed"


def test_the_hour_that_passes_between_proposal_and_yes_is_seen(services: Services) -> None:
    chat = Conversation(services, PRIYA)
    chat.say("cancel A-57089 please")
    services.deps.clock = lambda: SATURDAY.replace(hour=19)
    told = chat.say("yes")
    assert "Nothing was changed" in told.answer
    assert order(services, "A-57089", PRIYA).status == "placed"


def test_a_proposal_outlives_the_server(services: Services) -> None:
    chat = Conversation(services, PRIYA)
    chat.say("cancel A-57089 please")
    services.chat.close()
    again = ChatService(services.store.database, build_graph(open_checkpointer(services.store.settings)), services.deps)
    chat.services = replace(services, chat=again)
    assert "was cancelled" in chat.say("yes").answer
    again.close()


def test_a_refusal_names_the_rule_and_asks_for_no_yes(services: Services) -> None:
    told = Conversation(services, THOMAS).say("cancel my order A-76383")
    assert "the 60 minutes after it was placed are over" in told.answer
    assert "shipping.cutoff" in {citation.id for citation in told.citations}
    assert services.deps.shop.phrases["shall_i"] not in told.answer


def test_a_return_lists_label_refund_and_days_and_is_started(services: Services) -> None:
    chat = Conversation(services, MAYA)
    proposed = chat.say("I want to return the Everest Down Jacket")
    assert "the label costs $5.95" in proposed.answer
    assert "$369.40 goes to your original payment method" in proposed.answer
    assert "within 21 days" in proposed.answer
    chat.say("yes")
    back = order(services, "A-48213", MAYA).returned
    assert back is not None
    assert (back.type, back.items, back.refund_amount) == ("return", ("CO-0101-M-INK",), 369.40)


def test_an_exchange_needs_the_other_size_or_colour_and_stock_of_it(services: Services) -> None:
    chat = Conversation(services, MAYA)
    assert "Which size or color" in chat.say("exchange the beanie from order A-48213").answer
    assert "for One Size in Moss" in chat.say("exchange the beanie from order A-48213 for a moss one").answer
    chat.say("ok")
    back = order(services, "A-48213", MAYA).returned
    assert back is not None
    assert back.exchange == {"sku": "CO-0801-OS-MOS"}


def test_of_several_that_may_be_meant_it_is_asked_which(services: Services) -> None:
    told = Conversation(services, MAYA).say("I want to send something back from A-48213")
    assert services.deps.shop.phrases["which_order"] in told.answer
    assert "Everest Down Jacket" in told.answer
    assert "Curlew Merino Beanie" in told.answer


def test_an_address_is_changed_to_the_one_in_the_message(services: Services) -> None:
    chat = Conversation(services, PRIYA)
    assert "Where should order A-57089 go?" in chat.say("change the address of A-57089").answer
    proposed = chat.say("change the delivery address of A-57089 to 12 Quarry Lane, Boulder, CO 80301")
    assert "to 12 Quarry Lane, Boulder, CO 80301" in proposed.answer
    chat.say("yes")
    changed = order(services, "A-57089", PRIYA)
    assert (changed.address["street"], changed.address["zip"]) == ("12 Quarry Lane", "80301")
    assert changed.status == "placed"


def test_a_street_is_written_as_the_customer_writes_it(services: Services) -> None:
    """Misspelt words are corrected to read a message, never in an address."""
    proposed = Conversation(services, PRIYA).say(
        "pls chnage the adress of A-57089 to 7 wieght strret, Boulder, CO 80301"
    )
    assert "to 7 wieght strret, Boulder, CO 80301" in proposed.answer


def test_without_a_conversation_nothing_is_proposed(services: Services) -> None:
    """`shopbot ask` has nobody to wait for."""
    request = TurnRequest(messages=(Message(role="user", content="cancel A-57089"),), customer_id=PRIYA)
    told = run_turn(services.graph, services.deps, request, lambda _: None, threading.Event())
    assert told.answer == services.deps.shop.phrases["only_in_chat"]


def test_a_checkpoint_holds_the_proposal_and_nothing_that_was_said(services: Services) -> None:
    chat = Conversation(services, PRIYA)
    chat.say("how much is the everest down jacket? my word is heliotrope")
    chat.say("cancel A-57089 please, and my word is marigold")
    kept = b"".join(path.read_bytes() for path in services.store.settings.home.glob("checkpoints.sqlite3*"))
    assert b"A-57089" in kept
    assert [word for word in (b"heliotrope", b"marigold", b"everest") if word in kept.lower()] == []


def test_nothing_is_left_in_the_checkpoints_where_nothing_waits(services: Services) -> None:
    chat = Conversation(services, PRIYA)
    chat.say("cancel A-57089 please")
    saver = open_checkpointer(services.store.settings)
    thread: Any = {"configurable": {"thread_id": chat.id}}
    assert saver.get(thread) is not None
    chat.say("no")
    assert saver.get(thread) is None


# ---------------------------------------------------------------- yes and no


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("yes", "yes"),
        ("Yes please!", "yes"),
        ("ok, go ahead", "yes"),
        ("do it", "yes"),
        ("yes but send it to my office", None),
        ("yes, if the label is free", None),
        ("yes I would like to know how long a refund takes with you", None),
        ("no", "no"),
        ("No thanks", "no"),
        ("no, hang on, leave it, I'd like to keep them", "no"),
        ("nope, I won't pay for that label", "no"),
        ("don't cancel it then", "no"),
        ("no, what does the label cost?", None),
        ("no, please send the parcel to my sister's place", None),
        ("don't", "no"),
        ("no wait", None),
        ("yesterday it was still there", None),
        ("not sure", None),
        ("what does it cost?", None),
        ("okra", None),
        ("", None),
    ],
)
def test_only_a_clear_word_is_a_yes_or_a_no(text: str, reply: str | None) -> None:
    assert reply_of(text) == reply


# ---------------------------------------------------------------- promotions


@pytest.fixture
def on(services: Services) -> Callable[[datetime], Conversation]:
    def move(moment: datetime) -> Conversation:
        services.deps.clock = lambda: moment
        return Conversation(services, None)

    return move


def test_a_promotion_begins_and_ends_with_its_days_in_the_shops_time(
    on: Callable[[datetime], Conversation],
) -> None:
    """Winter Layers Week: November 16 to December 6, in Denver."""
    for moment, runs in (
        (datetime(2026, 11, 16, 6, 59, tzinfo=UTC), False),  # still the 15th in Denver
        (datetime(2026, 11, 16, 7, 0, tzinfo=UTC), True),
        (datetime(2026, 12, 7, 6, 59, tzinfo=UTC), True),
        (datetime(2026, 12, 7, 7, 0, tzinfo=UTC), False),
    ):
        told = on(moment).say("any promo codes for fleece right now?")
        assert ("LAYERS20" in told.answer) is runs, moment
        assert told.role == "promotion"


def test_what_is_not_approved_is_never_offered(on: Callable[[datetime], Conversation]) -> None:
    told = on(datetime(2027, 7, 1, 18, 0, tzinfo=UTC)).say("any deals on stoves? does COOK20 work?")
    assert "The code COOK20 is not valid today." in told.answer
    assert "$20" not in told.answer


@pytest.mark.parametrize(
    ("question", "code"), [("is SAVE99 a valid promo code?", "SAVE99"), ("promo save99?", "SAVE99")]
)
def test_a_code_that_never_was_is_said_to_be_invalid(
    question: str, code: str, on: Callable[[datetime], Conversation]
) -> None:
    assert f"The code {code} is not valid today." in on(SATURDAY).say(question).answer


def test_a_code_that_has_ended_is_said_to_be_invalid(on: Callable[[datetime], Conversation]) -> None:
    told = on(SATURDAY).say("does the promo code TENT20 still work?")
    assert "TENT20 is not valid today" in told.answer
    assert "20% off all tents" not in told.answer


# ---------------------------------------------------------------- what is refused at the start


def test_a_figure_that_the_policies_do_not_say_stops_the_start() -> None:
    shop = load_shop(CAIRN)
    figures = read_figures(shop.order_rules)
    assert figures is not None
    check_rules(shop, figures)
    check_rules(shop, None)
    wrong = figures.model_copy(update={"return_days": figures.label_fee.model_copy(update={"text": "(\\d+) moons"})})
    with pytest.raises(ConfigError, match=r"order_rules\.yaml: return_days"):
        check_rules(shop, wrong)


def test_what_is_written_into_a_checkpoint_does_not_become_code(tmp_path: Path) -> None:
    """Whoever can write into the database could otherwise name any callable."""
    saver = open_checkpointer(Settings(_env_file=None, home=tmp_path))  # type: ignore[call-arg]
    written = saver.serde.dumps_typed({"change": {"id": "1"}, "hit": Hit(id="a", score=1.0)})
    restored = saver.serde.loads_typed(written)
    assert restored["change"] == {"id": "1"}
    assert not isinstance(restored["hit"], Hit)
