"""Orders of guests, who know a number and an e-mail: how often somebody may guess.

Failed tries are counted by what is attacked, the order and the e-mail, and by the conversation. A network address is no
help: behind a proxy everybody has the same one, and whoever guesses has many. What is kept of a try is hashed and
deleted with its window.
"""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from shopbot.database import lock_table, writing
from shopbot.errors import OrderNotFound, TooManyTries
from shopbot.orders import Order, Orders
from shopbot.tables import lookup_failures

MOST_FAILURES = 5
WINDOW = timedelta(minutes=15)


def guest_order(orders: Orders, order_id: str, email: str, conversation_id: str | None, now: datetime) -> Order:
    """Return the order of somebody who knows its number and its customer's e-mail.

    Raises OrderNotFound, and TooManyTries once MOST_FAILURES different pairs have failed for the order, for the e-mail
    or in the conversation within WINDOW; from then on the right pair is refused, too, until the window has passed.
    """
    subjects = [_hashed("order", order_id), _hashed("email", email.strip().lower())]
    subjects += [_hashed("conversation", conversation_id)] if conversation_id else []
    with writing(orders.engine) as connection:
        lock_table(connection, lookup_failures.name)  # who asks for many at once is counted one by one
        _check(connection, subjects, now)
        try:
            return orders.of_guest(order_id, email)
        except OrderNotFound as error:
            failure = error
            _count(connection, subjects, _hashed(*subjects[:2]), now)
    raise failure


def _check(connection: Connection, subjects: list[str], now: datetime) -> None:
    recent = select(func.count()).where(lookup_failures.c.subject.in_(subjects), lookup_failures.c.at > now - WINDOW)
    counts = connection.scalars(recent.group_by(lookup_failures.c.subject))
    if any(failures >= MOST_FAILURES for failures in counts):
        raise TooManyTries(f"too many look-ups that found nothing; try again in {WINDOW.seconds // 60} minutes")


def _count(connection: Connection, subjects: list[str], pair: str, now: datetime) -> None:
    """Keep a failed pair under each subject, once: a conversation repeats what was told in it before."""
    connection.execute(delete(lookup_failures).where(lookup_failures.c.at <= now - WINDOW))
    known = select(lookup_failures.c.subject).where(lookup_failures.c.pair == pair)
    new = set(subjects) - set(connection.scalars(known))
    if new:
        connection.execute(insert(lookup_failures), [{"subject": key, "pair": pair, "at": now} for key in sorted(new)])


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
