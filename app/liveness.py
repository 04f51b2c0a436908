"""Whether the server that works on a run is still there: signs of life in the database, and the process itself.

A process that died on this machine is seen at once; of another machine only its silence tells.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import psutil
from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.exc import SQLAlchemyError

from shopbot.database import writing
from shopbot.tables import runs

log = logging.getLogger(__name__)

PULSE_S = 3.0
SILENCE = timedelta(seconds=20)
"""After so long without a sign of life a server counts as dead; some pulses may come late on a busy machine."""


def this_server() -> str:
    """Name this process as no other ever was: a process number alone is used again, by a container at every start."""
    return _name(os.getpid(), psutil.Process().create_time())


def _name(pid: int, started: float) -> str:
    return f"{socket.gethostname()[:100]}/{pid}/{started:.2f}"


def is_dead(server: str | None, alive_at: datetime | None, now: datetime) -> bool:
    if server is None or alive_at is None or now - alive_at > SILENCE:
        return True
    host, pid, _ = server.rsplit("/", 2)
    if host != socket.gethostname()[:100]:
        return False
    try:
        return _name(int(pid), psutil.Process(int(pid)).create_time()) != server
    except psutil.NoSuchProcess:
        return True


def interrupt_dead(connection: Connection, now: datetime, conversation_id: str | None = None) -> None:
    """End the runs, of one conversation or all, whose server has died; what had been shown stays."""
    running = select(runs.c.id, runs.c.server, runs.c.alive_at).where(runs.c.state == "running")
    if conversation_id is not None:
        running = running.where(runs.c.conversation_id == conversation_id)
    for run in connection.execute(running).all():
        if is_dead(run.server, run.alive_at, now):
            is_as_seen = (runs.c.state == "running", runs.c.alive_at.is_not_distinct_from(run.alive_at))
            connection.execute(update(runs).where(runs.c.id == run.id, *is_as_seen).values(state="interrupted"))


def renew(connection: Connection, run_ids: Iterable[str], now: datetime) -> set[str]:
    """Show a sign of life for runs; return those of them that are still open."""
    own = (runs.c.id.in_(list(run_ids)), runs.c.state == "running")
    connection.execute(update(runs).where(*own).values(alive_at=now))
    return set(connection.scalars(select(runs.c.id).where(*own)))


class Pulse:
    """Renews this process's runs, ends those of dead ones, and cancels what somebody else has ended or deleted."""

    def __init__(
        self, database: Engine, own: Callable[[], dict[str, threading.Event]], clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._own = own
        self._clock = clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def beat(self) -> None:
        own = self._own()
        with self._database.connect() as connection:
            is_idle = not own and connection.scalar(select(runs.c.id).where(runs.c.state == "running").limit(1)) is None
        if is_idle:
            return
        with writing(self._database) as connection:
            still_open = renew(connection, own, self._clock())
            interrupt_dead(connection, self._clock())
        for run_id in own.keys() - still_open:
            own[run_id].set()

    def _beat_on(self) -> None:
        while not self._ended.wait(PULSE_S):
            try:
                self.beat()
            except SQLAlchemyError:  # the next one may reach the database again
                log.exception("no sign of life could be written")
