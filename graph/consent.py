"""Nothing is changed without an explicit yes: the turn that proposed a change waits here for the next message.

The wait is a LangGraph interrupt: the proposal lies in the checkpoint of the conversation, not in a page or a text.
"""

import re
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from graph.deps import Turn
from graph.pen import Pen
from graph.persons import wants_person
from graph.routing import Route
from graph.state import Account, Point, State, start_state
from graph.turn import Sentence, TurnRequest
from shopbot.errors import ChangeRefused, OrderNotFound
from shopbot.order_changes import Change, apply_change
from shopbot.order_statements import order_source
from shopbot.statements import Statement

_YES = re.compile(
    r"\W*(?:yes|yep|yeah|yup|sure|ok|okay|please do|go ahead|do it|do that|confirm(?:ed)?|correct|of course|agreed|y)\b"
    r"(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_NO = re.compile(
    r"\W*(?:no|nope|nah|don't|do not|stop|never ?mind|leave it|not now|rather not|n)\b(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_BUT = re.compile(r"\b(?:but|not|don't|instead|wait|actually|unless|if|only)\b", re.IGNORECASE)
_OTHER_WISH = re.compile(
    r"\b(?:but|instead|wait|actually|unless|if|only|return|exchange|cancel|send|change|swap|what|when|how|where)\b"
    r"|\?",
    re.IGNORECASE,
)
# How many words may follow a clear word of consent or refusal, and what may not be among them: "yes, but send it to"
# is another wish. A refusal may be longer, because it changes nothing.
_MAY_FOLLOW = {"yes": ((4, _BUT),), "no": ((4, _BUT), (10, _OTHER_WISH))}


def reply_of(text: str) -> Literal["yes", "no"] | None:
    """A clear yes or no; None for everything else, which is then a message like any other."""
    for reply, pattern in (("yes", _YES), ("no", _NO)):
        found = pattern.match(text)
        rest = found["rest"] if found else ""
        if found and any(len(rest.split()) <= most and not no.search(rest) for most, no in _MAY_FOLLOW[reply]):
            return "yes" if reply == "yes" else "no"
    return None


def confirm(state: State, runtime: Runtime[Turn]) -> Command[Literal["respond", "guard"]]:
    """Wait for the customer's next message; on a clear yes do what was proposed, once."""
    turn, change = runtime.context, Change.model_validate(state["change"])
    interrupt({"change": change.id, "action": change.action})
    # What was said is taken from this turn alone. The value of the resumption would be kept in the checkpoint: after a
    # crash, LangGraph hands the "yes" of the turn that died to the next one, whatever that one said.
    request = turn.request
    assert request is not None
    reply = reply_of(request.question)
    if reply is None or request.customer_id is None or wants_person(request.question):
        return Command(goto="guard")
    fresh = start_state(request)
    account = fresh["account"]
    pen = Pen(account, runtime.stream_writer)
    if reply == "no":
        pen.show(Sentence(text=turn.phrase("left_as_it_is"), author="shop"))
    else:
        _apply(change, request.customer_id, pen, turn)
    return Command(goto="respond", update={**fresh, **_answered(request, account)})


def _apply(change: Change, customer_id: str, pen: Pen, turn: Turn) -> None:
    orders, rules = turn.deps.orders, turn.rules
    assert rules is not None  # a change was proposed by them
    customer = orders.customer(customer_id)
    tier = customer.tier if customer else None
    try:
        order = apply_change(
            orders.engine, change, customer_id, tier, rules, turn.deps.clock(), source=f"chat, arm {turn.arm}"
        )
    except (ChangeRefused, OrderNotFound) as error:
        reason = error.reason if isinstance(error, ChangeRefused) else "it is not among your orders"
        pen.show(Sentence(text=turn.phrase("too_late", reason=reason), author="shop"))
        return
    source = order_source(1, order, turn.deps.shop.config.locale, turn.zone)
    pen.show(Sentence(text=turn.phrase("done"), author="shop"))
    for field in ("status", "return") if change.sku else ("status", "address") if change.address else ("status",):
        for statement in source.of(field):
            pen.show_statement(Point(source, Statement(statement.text, statement.field)))


def _answered(request: TurnRequest, account: Account) -> State:
    """What `respond` expects of a turn that nothing was looked up for."""
    return {
        "question": request.question,
        "refused": False,
        "route": Route.ORDER,
        "route_scores": {},
        "account": account,
    }
