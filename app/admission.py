"""Which messages begin a run: each once, one at a time in a conversation, and nothing is written after a run's end.

All of it is held by the database, so that it is as true between two server processes as between two threads.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from app.liveness import interrupt_dead
from shopbot.errors import ConversationBusy, InputError
from shopbot.tables import conversations, run_events, runs

Started = TypeVar("Started")
KEY_FIELD = "Idempotency-Key"
RETRY_AFTER_S = 2  # about as long as an answer takes
# A visitor's key opens the conversation that it began, so it must be as hard to guess as the conversation's own id.
_KEY = re.compile(r"[!-~]{16,200}")


def check_key(key: str | None) -> None:
    """Raise InputError for a key that could be another client's by chance."""
    if key is not None and not _KEY.fullmatch(key):
        raise InputError(KEY_FIELD, "16 to 200 visible ASCII characters, new and random for every message, like a UUID")


def run_of_key(
    connection: Connection, key: str, text: str, conversation_id: str | None, customer_id: str | None
) -> tuple[str, str] | None:
    """The run, and its conversation, that the same message has begun before; None for a new one.

    Raises InputError if the key came with another text, in another conversation or from somebody else.
    """
    query = select(runs.c.id, runs.c.question, runs.c.conversation_id, conversations.c.customer_id)
    found = connection.execute(query.join(conversations).where(runs.c.idempotency_key == key)).one_or_none()
    if found is None:
        return None
    is_theirs = found.customer_id in (None, customer_id) and conversation_id in (None, found.conversation_id)
    if not is_theirs or found.question != text:
        raise InputError(KEY_FIELD, "came with another message before; take a new key for every message")
    return found.id, found.conversation_id


def lock_conversation(connection: Connection, conversation_id: str) -> None:
    """Let one process at a time decide about a conversation, until its transaction ends; SQLite does so anyway."""
    connection.execute(select(conversations.c.id).where(conversations.c.id == conversation_id).with_for_update())


def check_free(connection: Connection, conversation_id: str, now: datetime) -> None:
    """Raise ConversationBusy while an answer is being written; a run whose server has died is ended first.

    A message is refused rather than kept waiting: a "yes" that was written before a proposal was read must not be
    taken for a yes to it.
    """
    interrupt_dead(connection, now, conversation_id)
    running = select(runs.c.id).where(runs.c.conversation_id == conversation_id, runs.c.state == "running")
    if connection.scalar(running):
        raise ConversationBusy(RETRY_AFTER_S)


def settled(begin: Callable[[], Started]) -> Started:
    """Begin a run, once more if another process has just written the same key: its run is found there then."""
    try:
        return begin()
    except IntegrityError:
        return begin()


def append_event(connection: Connection, run_id: str, seq: int, event: dict[str, Any], now: datetime) -> bool:
    """Keep an event of a run that is still open; False for one that has ended or was deleted, then nothing is kept."""
    is_open = select(runs.c.id).where(runs.c.id == run_id, runs.c.state == "running").with_for_update()
    if connection.scalar(is_open) is None:
        return False
    values = {"run_id": run_id, "seq": seq, "kind": event["kind"], "payload": event, "at": now}
    connection.execute(insert(run_events).values(**values))
    return True
