"""A person takes over: the ticket is written before anybody hears of it, then one message says so.

From then on the server brings the customer's messages to the ticket and not here, until it is closed (ADR 0012).
"""

import logging
from collections.abc import Sequence

from langgraph.runtime import Runtime

from graph.consent import reply_of
from graph.deps import Turn
from graph.pen import Pen
from graph.persons import complains, may_want_person, wants_person
from graph.routing import Route
from graph.state import State
from graph.turn import Message, Sentence
from shopbot.errors import TicketNotWritten
from shopbot.tickets import Reason, SoFar

log = logging.getLogger(__name__)

LAST_MESSAGES = 3
MOST_RECORDS = 5
LONGEST_QUOTE = 300


def is_person_wanted(question: str, history: Sequence[Message], best: Route, turn: Turn) -> bool:
    """Whether a message asks for a human: in so many words, as a yes to our offer, or for want of another sense."""
    if wants_person(question) or (best == Route.OTHER and may_want_person(question)):
        return True
    agrees = reply_of(question) == "yes" and bool(history)
    return agrees and turn.phrase("offer_colleague") in history[-1].content


def offer_colleague(pen: Pen, turn: Turn) -> None:
    """Say sorry to who is upset, and that a colleague can take over, before whatever else can be said."""
    for phrase in ("sorry", "offer_colleague"):
        pen.show(Sentence(text=turn.phrase(phrase), author="shop"))


def hand_over(state: State, runtime: Runtime[Turn]) -> State:
    """Write the ticket with the whole conversation, then tell the customer; if it can't be written, how to reach us."""
    turn, pen = runtime.context, Pen(state["account"], runtime.stream_writer)
    is_upset = complains(state["question"])
    try:
        ticket, phrase = _ticket("complaint" if is_upset else "asked", turn)
    except TicketNotWritten as error:
        log.error("no ticket: %s", error)
        ticket, phrase = None, "handoff_failed"
    if is_upset:
        pen.show(Sentence(text=turn.phrase("sorry"), author="shop"))
    pen.show(Sentence(text=turn.phrase(phrase, ticket=ticket), author="shop"))
    return {"account": state["account"], "ticket": ticket, "handed_over": phrase != "handoff_failed"}


def _ticket(reason: Reason, turn: Turn) -> tuple[str | None, str]:
    """The number of the conversation's ticket, and what to say of it; without a conversation there is but a contact."""
    if turn.conversation_id is None:
        return None, "human"
    so_far = turn.deps.tickets.so_far(turn.conversation_id)
    ticket, is_new = turn.deps.tickets.open(turn.conversation_id, reason, summary_of(so_far, turn), so_far)
    return ticket, "handed_over" if is_new else "already_handed_over"


def summary_of(so_far: SoFar, turn: Turn) -> str:
    """What an agent has to know first, one line each: the last messages, what they were about, who answered before."""
    said = [message.text for message in so_far.messages if message.author == "customer"][-LAST_MESSAGES:]
    lines = ["Said last: " + " / ".join(f'"{_short(text)}"' for text in said)] if said else []
    if about := [_name(kind, record_id, turn) for kind, record_id in so_far.cited]:
        lines.append("About: " + "; ".join(list(dict.fromkeys(about))[:MOST_RECORDS]))
    if so_far.role:
        lines.append(f"Answered before by: {so_far.role}")
    return "\n".join(lines)


def _name(kind: str, record_id: str, turn: Turn) -> str:
    if kind in ("product", "fact") and record_id in turn.version.products:
        return f"{turn.version.products[record_id].title} ({record_id})"
    if kind == "policy" and record_id in turn.version.policies:
        return f"{turn.version.policies[record_id].heading} ({record_id})"
    return f"{kind} {record_id}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]} ..."
