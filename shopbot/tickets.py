"""Tickets: conversations that a person has taken over. While one is open, the assistant is silent in it.

Customers come in by their conversation, whose owner the caller has checked; agents by their session, whose role is
checked here, so that no page and no route can forget to. Every change is one transaction.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Engine, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from shopbot.accounts import Session
from shopbot.database import writing
from shopbot.errors import InputError, NotAllowed, RecordNotFound, TicketClosed, TicketNotWritten
from shopbot.tables import conversations, customers, run_events, runs, ticket_messages, tickets
from shopbot.types import Frozen

TicketState = Literal["open", "closed"]
Reason = Literal["asked", "complaint"]
BY_CUSTOMER = "customer"
"""Who closed a ticket that the customer has called back; an agent is named by the account's id."""
LONGEST_REPLY = 4_000
# Neither vowels, so that no word comes of it, nor what is mistaken for something else: 27^8 numbers.
_LETTERS = "23456789BCDFGHJKMNPQRSTVWXZ"
# An agent's own message; the transcript of a later ticket repeats it, without the account.
_IN_PERSON = ticket_messages.c.account_id.is_not(None)
_LAST_SEQ = (
    select(func.max(ticket_messages.c.seq)).where(ticket_messages.c.ticket_id == tickets.c.id).correlate(tickets)
)
_LAST_AUTHOR = (
    select(ticket_messages.c.author)
    .where(ticket_messages.c.ticket_id == tickets.c.id, ticket_messages.c.seq == _LAST_SEQ.scalar_subquery())
    .correlate(tickets)
)
_TICKETS = (
    select(tickets, customers.c.name.label("customer"), _LAST_AUTHOR.scalar_subquery().label("last_author"))
    .join(conversations, conversations.c.id == tickets.c.conversation_id)
    .outerjoin(customers, customers.c.id == conversations.c.customer_id)
    .order_by(tickets.c.opened_at, tickets.c.id)
)


class TicketMessage(Frozen):
    """What somebody said; `name` is an agent's."""

    author: Literal["customer", "assistant", "agent"]
    text: str
    at: datetime
    name: str | None = None


class SoFar(Frozen):
    """A conversation up to now: what was said, who handled it last, and the (kind, id) cited, newest first."""

    messages: tuple[TicketMessage, ...]
    role: str | None = None
    cited: tuple[tuple[str, str], ...] = ()


class Ticket(Frozen):
    """`customer` is the name of who has signed in; `messages` are all, the agents' alone, or none: the method says."""

    id: str
    conversation_id: str
    customer: str | None
    state: TicketState
    reason: Reason
    summary: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    waits: bool
    """Whether the customer has said something that no agent has answered yet."""
    messages: tuple[TicketMessage, ...] = ()


class Tickets:
    """Opens, answers and closes tickets; `clock` returns an aware time."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock

    # ------------------------------------------------------------ the assistant's side

    def so_far(self, conversation_id: str) -> SoFar:
        """Read a whole conversation, for the summary and as a ticket's transcript. Raises TicketNotWritten."""
        try:
            with self._engine.connect() as connection:
                return _so_far(conversation_id, connection)
        except SQLAlchemyError as error:
            raise TicketNotWritten(f"conversation {conversation_id!r} could not be read") from error

    def open(self, conversation_id: str, reason: Reason, summary: str, so_far: SoFar) -> tuple[str, bool]:
        """Write a ticket with its transcript, all or nothing; return its number and whether it is new.

        A conversation has one open ticket at most: a second call returns the first one's number. Raises RecordNotFound
        for an unknown conversation, TicketNotWritten if the database fails.
        """
        ticket_id = f"T-{_random()}-{_random()}"
        try:
            with writing(self._engine) as connection:
                if not connection.scalar(select(conversations.c.id).where(conversations.c.id == conversation_id)):
                    raise RecordNotFound(f"no conversation {conversation_id!r}")
                if found := open_ticket(conversation_id, connection):
                    return found, False
                self._write(ticket_id, conversation_id, reason, summary, so_far.messages, connection)
        except IntegrityError as error:  # another process was faster; SQLite has no such moment
            with self._engine.connect() as connection:
                if found := open_ticket(conversation_id, connection):
                    return found, False
            raise TicketNotWritten(f"conversation {conversation_id!r}: {error.orig}") from error
        except SQLAlchemyError as error:
            raise TicketNotWritten(f"conversation {conversation_id!r}: {error}") from error
        return ticket_id, True

    def _write(
        self, ticket_id: str, conversation_id: str, reason: Reason, summary: str,
        messages: Sequence[TicketMessage], connection: Connection,
    ) -> None:  # fmt: skip
        values = {"id": ticket_id, "conversation_id": conversation_id, "state": "open", "reason": reason}
        connection.execute(insert(tickets).values(**values, summary=summary, opened_at=self._clock()))
        lines = [{"ticket_id": ticket_id, "seq": n, **m.model_dump()} for n, m in enumerate(messages, start=1)]
        if lines:
            connection.execute(insert(ticket_messages), lines)

    # ------------------------------------------------------------ the customer's side

    def take(self, conversation_id: str, text: str, connection: Connection) -> str | None:
        """Put a customer's message into the open ticket, in the caller's transaction; None where none is open."""
        ticket_id = open_ticket(conversation_id, connection)
        if ticket_id is not None:
            _say(ticket_id, connection, author="customer", text=text, at=self._clock())
        return ticket_id

    def call_back(self, conversation_id: str, connection: Connection) -> bool:
        """Close the open ticket because the customer wants the assistant; False where none is open."""
        ticket_id = open_ticket(conversation_id, connection)
        return ticket_id is not None and self._close(ticket_id, BY_CUSTOMER, connection)

    def of(self, conversation_id: str, connection: Connection) -> list[Ticket]:
        """The tickets of a conversation, oldest first, with the agents' messages alone."""
        rows = connection.execute(_TICKETS.where(tickets.c.conversation_id == conversation_id)).all()
        return [_ticket(row, _messages(connection, row.id, _IN_PERSON)) for row in rows]

    # ------------------------------------------------------------ the agents' side

    def inbox(self, agent: Session | None, state: TicketState = "open") -> list[Ticket]:
        """All tickets of a state without their messages, oldest first. Raises NotAllowed."""
        _check(agent)
        with self._engine.connect() as connection:
            return [_ticket(row) for row in connection.execute(_TICKETS.where(tickets.c.state == state))]

    def one(self, agent: Session | None, ticket_id: str) -> Ticket:
        """A ticket with its whole transcript. Raises NotAllowed, RecordNotFound."""
        _check(agent)
        with self._engine.connect() as connection:
            row = connection.execute(_TICKETS.where(tickets.c.id == ticket_id)).one_or_none()
            if row is None:
                raise RecordNotFound(f"no ticket {ticket_id!r}")
            return _ticket(row, _messages(connection, ticket_id))

    def reply(self, agent: Session | None, ticket_id: str, text: str) -> None:
        """Answer the customer. Raises as `one` does, TicketClosed, InputError for a text empty or too long."""
        who, text = _check(agent), text.strip()
        if not text or len(text) > LONGEST_REPLY:
            raise InputError("text", f"write 1 to {LONGEST_REPLY} characters")
        with writing(self._engine) as connection:
            if _locked_state(ticket_id, connection) != "open":
                raise TicketClosed(f"ticket {ticket_id} is closed; the assistant answers again")
            said = {"author": "agent", "name": who.name, "account_id": who.account_id}
            _say(ticket_id, connection, **said, text=text, at=self._clock())

    def close(self, agent: Session | None, ticket_id: str) -> None:
        """End the ticket; the assistant answers again. Closing a closed one changes nothing. Raises as `one` does."""
        who = _check(agent)
        with writing(self._engine) as connection:
            if _locked_state(ticket_id, connection) == "open":
                self._close(ticket_id, who.account_id, connection)

    def _close(self, ticket_id: str, by: str, connection: Connection) -> bool:
        still_open = update(tickets).where(tickets.c.id == ticket_id, tickets.c.state == "open")
        connection.execute(still_open.values(state="closed", closed_at=self._clock(), closed_by=by))
        return True


def open_ticket(conversation_id: str, connection: Connection) -> str | None:
    """The number of a conversation's open ticket; on Postgres nobody closes it before the transaction ends."""
    query = select(tickets.c.id).where(tickets.c.conversation_id == conversation_id, tickets.c.state == "open")
    found: str | None = connection.scalar(query.with_for_update())
    return found


def agent_replies(conversation_id: str, connection: Connection) -> list[TicketMessage]:
    """What agents said in a conversation, in all of its tickets, oldest first."""
    query = (
        select(ticket_messages)
        .join(tickets, tickets.c.id == ticket_messages.c.ticket_id)
        .where(tickets.c.conversation_id == conversation_id, _IN_PERSON)
        .order_by(ticket_messages.c.at)
    )
    return [_message(row) for row in connection.execute(query)]


def _check(agent: Session | None) -> Session:
    if agent is None or agent.role != "agent":
        raise NotAllowed("tickets are for agents; sign in with an agent's account")
    return agent


def _random() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(4))


def _ticket(row: Row[Any], messages: Sequence[TicketMessage] = ()) -> Ticket:
    fields = {name: row._mapping[name] for name in Ticket.model_fields if name in row._mapping}
    return Ticket(**fields, waits=row.last_author != "agent", messages=tuple(messages))


def _messages(connection: Connection, ticket_id: str, *which: ColumnElement[bool]) -> list[TicketMessage]:
    query = select(ticket_messages).where(ticket_messages.c.ticket_id == ticket_id, *which)
    return [_message(row) for row in connection.execute(query.order_by(ticket_messages.c.seq))]


def _message(row: Row[Any]) -> TicketMessage:
    return TicketMessage(author=row.author, text=row.text, at=row.at, name=row.name)


def _locked_state(ticket_id: str, connection: Connection) -> TicketState:
    """A ticket's state, which stays what it is until the transaction ends. Raises RecordNotFound."""
    state: TicketState | None = connection.scalar(
        select(tickets.c.state).where(tickets.c.id == ticket_id).with_for_update()
    )
    if state is None:
        raise RecordNotFound(f"no ticket {ticket_id!r}")
    return state


def _say(ticket_id: str, connection: Connection, **said: Any) -> None:
    """Append a message to a ticket that the caller has locked."""
    last = select(func.coalesce(func.max(ticket_messages.c.seq), 0)).where(ticket_messages.c.ticket_id == ticket_id)
    seq = (connection.scalar(last) or 0) + 1
    connection.execute(insert(ticket_messages).values(ticket_id=ticket_id, seq=seq, **said))


def _so_far(conversation_id: str, connection: Connection) -> SoFar:
    of_it = runs.c.conversation_id == conversation_id
    exchanges = connection.execute(select(runs).where(of_it).order_by(runs.c.created_at)).all()
    messages = agent_replies(conversation_id, connection)
    for run in exchanges:
        messages.append(TicketMessage(author="customer", text=run.question, at=run.created_at))
        if answer := _answer_of(run, connection):
            messages.append(TicketMessage(author="assistant", text=answer, at=run.finished_at or run.created_at))
    results = [run.result for run in reversed(exchanges) if run.result]
    cited = dict.fromkeys((c["kind"], c["id"]) for result in results for c in result["citations"])
    in_order = sorted(messages, key=lambda message: message.at)
    return SoFar(messages=tuple(in_order), role=results[0]["role"] if results else None, cited=tuple(cited))


def _answer_of(run: Row[Any], connection: Connection) -> str:
    """What was shown of an answer, also of one that failed in its middle."""
    if run.result:
        return str(run.result["answer"])
    shown = select(run_events.c.payload).where(run_events.c.run_id == run.id, run_events.c.kind == "sentence")
    return " ".join(payload["text"] for payload in connection.scalars(shown.order_by(run_events.c.seq)))
