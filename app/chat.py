"""Turns as runs that belong to the server: each has an id, its events are kept, anyone who knows it can re-attach.

Nothing here knows Streamlit or HTTP; a page that is reloaded, a lost connection or a click in the middle of an
answer change nothing about the run.
"""

import logging
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, insert, select, update

from app.admission import append_event, check_free, check_key, lock_conversation, run_of_key, settled
from app.forgetting import AskedBy, Erased, drop_orphans, drop_threads, erase, forget
from app.liveness import Pulse, interrupt_dead, this_server
from app.verdicts import log_turn
from graph.build import check_request, run_turn
from graph.deps import Deps, Turn
from graph.persons import wants_assistant
from graph.state import State
from graph.turn import Message, TurnRequest, TurnResult
from shopbot.accounts import Session
from shopbot.database import writing
from shopbot.errors import RecordNotFound, ShopbotError
from shopbot.settings import RETENTION_DAYS
from shopbot.tables import conversations, feedback, run_events, runs
from shopbot.tickets import Ticket, agent_replies

log = logging.getLogger(__name__)

RunState = Literal["running", "done", "stopped", "failed", "interrupted", "with_agent"]
"""Kept as they are, but for `with_agent`: a run that is done because its message went into an open ticket."""
Event = dict[str, Any]
_HISTORY_RUNS = 200  # read for a turn; what of them the turn looks back on, `graph.memory` says
_WORKERS = 16
_EXCHANGES = select(runs, feedback.c.thumb).outerjoin(feedback, feedback.c.run_id == runs.c.id)


@dataclass(frozen=True)
class Exchange:
    """One question of a conversation and what has become of it; `events` are all shown so far."""

    run_id: str
    question: str
    state: RunState
    created_at: datetime
    events: list[Event]
    thumb: str | None

    @property
    def result(self) -> TurnResult | None:
        last = self.events[-1] if self.events else {}
        return TurnResult.model_validate(last["result"]) if last.get("kind") == "done" else None


class ChatService:
    """Starts, tails and stops runs; safe for use from many threads."""

    def __init__(
        self,
        database: Engine,
        graph: CompiledStateGraph[State, Turn, State, State],
        deps: Deps,
        retention_days: int = RETENTION_DAYS,
    ) -> None:
        self._database = database
        self._saver = graph.checkpointer if isinstance(graph.checkpointer, BaseCheckpointSaver) else None
        self._retention = timedelta(days=retention_days)
        self._server = this_server()
        self._pulse = Pulse(database, lambda: dict(self._cancels), deps.clock)
        self._graph = graph
        self._deps = deps
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="run")
        self._cancels: dict[str, threading.Event] = {}
        self._changed = threading.Condition()
        self._changes = 0

    def recover(self) -> None:
        """After a start: end the runs that a dead process left open, and from now on show that this one lives."""
        with writing(self._database) as connection:
            interrupt_dead(connection, self._deps.clock())
        self._forget_old()
        drop_orphans(self._database, self._saver)
        self._pulse.start()

    def _forget_old(self) -> None:
        """Delete the conversations past their keeping time; asked at every start and every new conversation."""
        is_old = conversations.c.created_at < self._deps.clock() - self._retention
        with self._database.connect() as connection:
            if connection.scalar(select(conversations.c.id).where(is_old).limit(1)) is None:
                return
        with writing(self._database) as connection:
            erased = erase(connection, is_old)
        self._let_go(erased)
        drop_threads(self._saver, erased.conversations)

    def forget_customer(self, customer_id: str, asked_by: AskedBy = "customer") -> Erased:
        """Delete all conversations of a customer; an answer that is just being written ends, and is not kept."""
        return self._forget(conversations.c.customer_id == customer_id, asked_by)

    def forget_conversation(self, conversation_id: str, session: Session | None = None) -> Erased:
        """Delete one conversation in the same way. Raises RecordNotFound, for another customer's, too."""
        customer_id = session.customer_id if session else None
        with self._database.connect() as connection:
            self._owner(conversation_id, customer_id, connection)
        return self._forget(conversations.c.id == conversation_id, "customer" if customer_id else "visitor")

    def _forget(self, condition: ColumnElement[bool], asked_by: AskedBy) -> Erased:
        erased = forget(self._database, self._saver, condition, asked_by, self._deps.clock())
        self._let_go(erased)
        return erased

    def _let_go(self, erased: Erased) -> None:
        """Cancel the runs of this process that were deleted, and wake their readers."""
        for run_id in erased.runs:
            if cancel := self._cancels.get(run_id):
                cancel.set()
        self._notify()

    def close(self) -> None:
        self._pulse.stop()
        for cancel in list(self._cancels.values()):
            cancel.set()
        self._workers.shutdown(wait=True)

    def start(
        self,
        text: str,
        conversation_id: str | None = None,
        arm: str | None = None,
        session: Session | None = None,
        key: str | None = None,
    ) -> tuple[str, str]:
        """Start answering; return (run id, conversation id) at once, the same for the same `key`.

        While a person has taken over, the message goes to them and the run is over (`with_agent`), unless it calls the
        assistant back.
        Who asks is who has signed in, whatever the text says; a conversation that began before the sign-in becomes
        theirs. Raises RecordNotFound for a conversation that is unknown or somebody else's, ConversationBusy while an
        answer in it is still being written, InputError for a key that came with another message, NotAvailable for an
        arm that does not exist yet.
        """
        check_key(key)
        if conversation_id is None:
            self._forget_old()
        return settled(lambda: self._begin(text, conversation_id, arm, session, key))

    def _begin(
        self, text: str, conversation_id: str | None, arm: str | None, session: Session | None, key: str | None
    ) -> tuple[str, str]:
        customer_id = session.customer_id if session else None
        with writing(self._database) as connection:
            if key and (before := run_of_key(connection, key, text, conversation_id, customer_id)):
                return before
            run_id, now = secrets.token_urlsafe(12), self._deps.clock()
            conversation_id = self._conversation(conversation_id, customer_id, connection)
            ticket_id = self._taken_over(conversation_id, text, connection)
            history = self._history(conversation_id, connection)
            messages = (*history, Message(role="user", content=text))
            request = TurnRequest(
                messages=messages,
                arm=arm,
                customer_id=customer_id,
                audience=session.audience if session else "customer",
            )
            check_request(request, self._deps)
            values = {"id": run_id, "conversation_id": conversation_id, "question": text, "state": "running"}
            worked_on = {"idempotency_key": key, "server": self._server, "alive_at": now, "ticket_id": ticket_id}
            connection.execute(insert(runs).values(**values, **worked_on, created_at=now))
            if ticket_id:
                append_event(connection, run_id, 1, {"kind": "with_agent", "ticket": ticket_id}, now)
                ended = update(runs).where(runs.c.id == run_id)
                connection.execute(ended.values(state="done", finished_at=now))
        if ticket_id:
            self._notify()
            return run_id, conversation_id
        self._cancels[run_id] = threading.Event()
        self._workers.submit(self._work, run_id, request, conversation_id)
        return run_id, conversation_id

    def _taken_over(self, conversation_id: str, text: str, connection: Connection) -> str | None:
        """Bring a message to the open ticket; None where there is none, or where the message itself has closed it."""
        tickets = self._deps.tickets
        if wants_assistant(text):
            tickets.call_back(conversation_id, connection)
        return tickets.take(conversation_id, text, connection)

    def _conversation(self, conversation_id: str | None, customer_id: str | None, connection: Connection) -> str:
        if conversation_id is None:
            conversation_id = secrets.token_urlsafe(16)
            values = {"id": conversation_id, "created_at": self._deps.clock(), "customer_id": customer_id}
            connection.execute(insert(conversations).values(**values))
            return conversation_id
        lock_conversation(connection, conversation_id)
        if self._owner(conversation_id, customer_id, connection) is None and customer_id is not None:
            claimed = update(conversations).where(conversations.c.id == conversation_id)
            connection.execute(claimed.values(customer_id=customer_id))
        check_free(connection, conversation_id, self._deps.clock())
        return conversation_id

    def _owner(self, conversation_id: str, customer_id: str | None, connection: Connection) -> str | None:
        """Whose a conversation is. Raises RecordNotFound where it is unknown, or another customer's."""
        query = select(conversations.c.customer_id).where(conversations.c.id == conversation_id)
        row = connection.execute(query).one_or_none()
        if row is None or row.customer_id not in (None, customer_id):
            raise RecordNotFound(f"no conversation {conversation_id!r}; start a new one without an id")
        owner: str | None = row.customer_id
        return owner

    def _history(self, conversation_id: str, connection: Connection) -> list[Message]:
        """The last exchanges; what an agent said between them counts as the assistant's."""
        query = select(runs).where(runs.c.conversation_id == conversation_id)
        newest = connection.execute(query.order_by(runs.c.created_at.desc()).limit(_HISTORY_RUNS)).all()
        said = []
        for row in reversed(newest):
            said.append((row.created_at, Message(role="user", content=row.question)))
            if row.result:
                said.append((row.finished_at, Message(role="assistant", content=row.result["answer"])))
        for reply in agent_replies(conversation_id, connection):
            if said and reply.at >= said[0][0]:
                said.append((reply.at, Message(role="assistant", content=reply.text)))
        return [message for _, message in sorted(said, key=lambda moment: moment[0])]

    def _work(self, run_id: str, request: TurnRequest, conversation_id: str) -> None:
        sequence = count(1)

        def listener(event: Event) -> None:
            if event["kind"] != "done":
                self._record(run_id, next(sequence), event)

        try:
            result = run_turn(self._graph, self._deps, request, listener, self._cancels[run_id], conversation_id)
            log_turn(run_id, result)
            last = {"kind": "done", "result": result.model_dump(mode="json")}
            self._finish(run_id, next(sequence), last, "stopped" if result.stopped else "done", conversation_id)
        except Exception as error:
            if isinstance(error, ShopbotError):
                message = str(error)
            else:
                log.exception("run %s failed", run_id)
                message = "something went wrong on our side; please try again"
            last = {"kind": "error", "type": type(error).__name__, "message": message}
            self._finish(run_id, next(sequence), last, "failed", conversation_id)

    def _record(self, run_id: str, seq: int, event: Event) -> None:
        with writing(self._database) as connection:
            is_open = append_event(connection, run_id, seq, event, self._deps.clock())
        if not is_open:
            self._cancels[run_id].set()
        self._notify()

    def _finish(self, run_id: str, seq: int, last: Event, state: RunState, conversation_id: str) -> None:
        """Write the last event and the run's end together: who reads the one may rely on the other."""
        now = self._deps.clock()
        with writing(self._database) as connection:
            if append_event(connection, run_id, seq, last, now):
                values = {"state": state, "result": last.get("result"), "finished_at": now}
                connection.execute(update(runs).where(runs.c.id == run_id).values(**values))
            is_kept = connection.scalar(select(conversations.c.id).where(conversations.c.id == conversation_id))
        if not is_kept:  # deleted meanwhile; what this turn has written since is not to bring it back
            drop_threads(self._saver, [conversation_id])
        self._cancels.pop(run_id, None)
        self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def check_owner(self, run_id: str, session: Session | None) -> None:
        """Raise RecordNotFound for a run that is unknown, or of another customer's conversation."""
        query = select(runs.c.conversation_id).where(runs.c.id == run_id)
        with self._database.connect() as connection:
            conversation_id = connection.scalar(query)
            if conversation_id is None:
                raise RecordNotFound(f"no run {run_id!r}")
            self._owner(conversation_id, session.customer_id if session else None, connection)

    def stop(self, run_id: str) -> None:
        """Ask a run to end now; what has been shown stays. Stopping a finished run changes nothing."""
        self._state(run_id)
        if cancel := self._cancels.get(run_id):
            cancel.set()

    def events(self, run_id: str, after: int = 0, poll_s: float = 1.0) -> Iterator[tuple[int, Event]]:
        """Yield (seq, event) after the given seq, waiting for new ones until the run has ended.

        `poll_s` is for what another process changes; changes of this one wake it, also those made while it looks.
        """
        while True:
            changes = self._changes
            state = self._state(run_id)
            for seq, event in self._events_after(run_id, after):
                after = seq
                yield seq, event
            if state != "running":
                return
            self._wait_for_change(changes, poll_s)

    def _wait_for_change(self, since: int, limit_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._changes != since, limit_s)

    def _state(self, run_id: str) -> RunState:
        with self._database.connect() as connection:
            state: RunState | None = connection.scalar(select(runs.c.state).where(runs.c.id == run_id))
        if state is None:
            raise RecordNotFound(f"no run {run_id!r}")
        return state

    def _events_after(self, run_id: str, after: int) -> list[tuple[int, Event]]:
        query = select(run_events.c.seq, run_events.c.payload).where(
            run_events.c.run_id == run_id, run_events.c.seq > after
        )
        with self._database.connect() as connection:
            return [(row.seq, row.payload) for row in connection.execute(query.order_by(run_events.c.seq))]

    def history(self, conversation_id: str, session: Session | None = None) -> list[Exchange]:
        """Return all exchanges of a conversation, oldest first. Raises RecordNotFound, for another customer's, too."""
        query = _EXCHANGES.where(runs.c.conversation_id == conversation_id).order_by(runs.c.created_at)
        with self._database.connect() as connection:
            self._owner(conversation_id, session.customer_id if session else None, connection)
            rows = connection.execute(query).all()
        return [self._exchange_of(row) for row in rows]

    def exchange(self, run_id: str) -> Exchange:
        """Return one exchange as it is now; a page that follows an answer asks often. Raises RecordNotFound."""
        with self._database.connect() as connection:
            row = connection.execute(_EXCHANGES.where(runs.c.id == run_id)).one_or_none()
        if row is None:
            raise RecordNotFound(f"no run {run_id!r}")
        return self._exchange_of(row)

    def _exchange_of(self, row: Row[Any]) -> Exchange:
        events = [event for _, event in self._events_after(row.id, 0)]
        state: RunState = "with_agent" if row.ticket_id else row.state
        return Exchange(row.id, row.question, state, row.created_at, events, row.thumb)

    def tickets(self, conversation_id: str, session: Session | None = None) -> list[Ticket]:
        """The tickets of a conversation, oldest first, with what agents said. Raises as `history` does."""
        with self._database.connect() as connection:
            self._owner(conversation_id, session.customer_id if session else None, connection)
            return self._deps.tickets.of(conversation_id, connection)

    def call_back(self, conversation_id: str, session: Session | None = None) -> bool:
        """Have the assistant answer again; False where it did anyway. Raises RecordNotFound as `history` does."""
        with writing(self._database) as connection:
            self._owner(conversation_id, session.customer_id if session else None, connection)
            return self._deps.tickets.call_back(conversation_id, connection)

    def rate(self, run_id: str, thumb: Literal["up", "down"], comment: str | None = None) -> None:
        """Keep a customer's thumb on an answer; a second one replaces the first."""
        with writing(self._database) as connection:
            if connection.scalar(select(runs.c.id).where(runs.c.id == run_id)) is None:
                raise RecordNotFound(f"no run {run_id!r}")
            connection.execute(delete(feedback).where(feedback.c.run_id == run_id))
            values = {"run_id": run_id, "thumb": thumb, "comment": comment, "at": self._deps.clock()}
            connection.execute(insert(feedback).values(id=secrets.token_urlsafe(12), **values))
