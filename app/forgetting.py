"""Deleting conversations with all that hangs on them: on request, and when their keeping time is over.

What belongs to a conversation is found along the foreign keys, so a table that is added later is not forgotten here.
Orders, their audit and the customer's record are the shop's books; they stay.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, func, insert, or_, select

from shopbot.database import writing
from shopbot.errors import RecordNotFound
from shopbot.tables import accounts, conversations, customers, erasures, metadata, runs

AskedBy = Literal["customer", "visitor", "staff"]
Saver = BaseCheckpointSaver[Any]
_AT_ONCE = 1000  # databases take a limited number of values in one statement


@dataclass(frozen=True)
class Erased:
    """Ids of what was deleted; a run that was being written may still write, and finds itself closed."""

    conversations: Sequence[str] = ()
    runs: Sequence[str] = ()


def forget(
    database: Engine, saver: Saver | None, condition: ColumnElement[bool], asked_by: AskedBy, now: datetime
) -> Erased:
    """Delete the conversations that fit a condition and note that it happened, without whose they were."""
    with writing(database) as connection:
        erased = erase(connection, condition)
        entry = {"id": secrets.token_urlsafe(12), "at": now, "asked_by": asked_by}
        counts = {"conversations": len(erased.conversations), "runs": len(erased.runs)}
        connection.execute(insert(erasures).values(**entry, **counts))
    drop_threads(saver, erased.conversations)
    return erased


def erase(connection: Connection, condition: ColumnElement[bool]) -> Erased:
    """Delete conversations, and before them whatever refers to them."""
    erased = Erased()
    chosen = select(conversations.c.id).where(condition).limit(_AT_ONCE).with_for_update()
    while ids := list(connection.scalars(chosen)):
        erased = Erased([*erased.conversations, *ids], [*erased.runs, *_erase(connection, ids)])
    return erased


def _erase(connection: Connection, conversation_ids: Sequence[str]) -> list[str]:
    """Delete these, and return the ids of their runs.

    Both are locked first: what another process is just about to add then fails, or is deleted as well.
    """
    their_runs = select(runs.c.id).where(runs.c.conversation_id.in_(conversation_ids)).with_for_update()
    run_ids = list(connection.scalars(their_runs))
    for table in reversed(metadata.sorted_tables):
        if (belongs := _belongs_to(table, conversation_ids)) is not None:
            connection.execute(delete(table).where(belongs))
    connection.execute(delete(conversations).where(conversations.c.id.in_(conversation_ids)))
    return run_ids


def _belongs_to(table: Table, conversation_ids: Sequence[str]) -> ColumnElement[bool] | None:
    """Whether a row hangs on one of the conversations, directly or by what it refers to; None where none can."""
    conditions = []
    for key in table.foreign_keys:
        parent = key.column.table
        if parent is conversations:
            conditions.append(key.parent.in_(conversation_ids))
        elif parent is not table and (belongs := _belongs_to(parent, conversation_ids)) is not None:
            conditions.append(key.parent.in_(select(key.column).where(belongs)))
    return or_(*conditions) if conditions else None


def drop_threads(saver: Saver | None, conversation_ids: Iterable[str]) -> None:
    """Delete what waits in the checkpoints of conversations."""
    if saver is not None:
        for conversation_id in conversation_ids:
            saver.delete_thread(conversation_id)


def drop_orphans(database: Engine, saver: Saver | None) -> None:
    """Delete checkpoints whose conversation is gone: a turn that died had written them after the deletion."""
    if saver is None:
        return
    threads = {saved.config["configurable"]["thread_id"] for saved in saver.list(None)}
    with database.connect() as connection:
        kept = {thread for thread in threads if _exists(connection, thread)}
    drop_threads(saver, threads - kept)


def _exists(connection: Connection, conversation_id: str) -> bool:
    return connection.scalar(select(conversations.c.id).where(conversations.c.id == conversation_id)) is not None


def customer_of(database: Engine, email: str) -> str:
    """The id of the customer with an e-mail, of the account or in the shop's books. Raises RecordNotFound."""
    wanted = email.strip().lower()
    by_account = select(accounts.c.customer_id).where(accounts.c.email == wanted, accounts.c.customer_id.is_not(None))
    by_books = select(customers.c.id).where(func.lower(customers.c.email) == wanted)
    with database.connect() as connection:
        found = connection.scalar(by_account) or connection.scalar(by_books)
    if found is None:
        raise RecordNotFound("no customer has that e-mail; look it up among the customers and try again")
    return str(found)
